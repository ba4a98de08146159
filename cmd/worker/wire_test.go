package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/sample"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
)

// everything has each provider with all options that make it send more.
const everything = `destinations:
  - {name: a, provider: thulium, url: "http://127.0.0.1:1", auth: {username: x, password: x}, options: {gender: {female: K, male: M}, fill_read_only_custom_fields: true}}
  - {name: b, provider: cartum, url: "http://127.0.0.1:1", auth: {login: x, password: x}, options: {b2b: true, newsletter: true, customer_groups: {VIP: 1}}}
  - {name: c, provider: aplaut, url: "http://127.0.0.1:1", auth: {token: x}, options: {first_name: true}}
  - {name: d, provider: virtualpos, url: "http://127.0.0.1:1", auth: {apikey: x}, options: {groups: {VIP: 1}}}
  - {name: e, provider: ecomcharge, url: "http://127.0.0.1:1", auth: {shop_id: x, secret_key: x}, options: {external_id: true}}
`

// Whatever a provider is sent by default could be mapped too, so that no field of
// its document is forgotten in the schema.
func TestSchemasHaveWhatIsSent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worker.yaml")
	if err := os.WriteFile(path, []byte(everything), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := readConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(cfg.Destinations), len(config.Providers()); got != want {
		t.Errorf("providers: got %d, want all %d", got, want)
	}
	for i := range cfg.Destinations {
		d := &cfg.Destinations[i]
		m, _ := makerOf(d, sinks.Caller{})
		sink, err := newSink(d, sinks.Caller{})
		if err != nil {
			t.Fatal(err)
		}
		sent := map[string]bool{}
		for n := range 300 {
			ev := &events.Event{}
			ev.Shop, ev.Customer = sample.Customer(1, n)
			var rec sinks.Record
			sink.Map(ev, &rec)
			for _, f := range rec.Fields() {
				name := f.Name
				if f.Group != "" {
					name = f.Group + "." + f.Name
				}
				if m.schema.Form(name) == sinks.NoField {
					t.Errorf("%s: %s is sent and can't be mapped", d.Provider, name)
				}
				sent[name] = true
			}
		}
		if len(sent) < 8 {
			t.Errorf("%s: only %d fields are sent", d.Provider, len(sent))
		}
	}
}
