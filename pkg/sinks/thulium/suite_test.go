package thulium

import (
	"net/http"
	"testing"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/sinks/sinktest"
)

// TestSuite runs the suite against the stand-in in each way that Thulium may be,
// where the documents don't say.
func TestSuite(t *testing.T) {
	for name, switches := range map[string]sandbox.ThuliumSwitches{
		"likely":   {},
		"unlikely": {WrappedList: true, NumberIDs: true, NoIDOnUpdate: true, AnyBirthdate: true},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Case{
				New: func(t *testing.T, url string, client *http.Client) sinktest.Sink {
					s, err := New(Config{URL: url, Username: "api_user", Password: "api_pass", Caller: sinks.Caller{HTTP: client}})
					if err != nil {
						t.Fatal(err)
					}
					return s
				},
				Provider: func() sandbox.Provider {
					return &sandbox.Thulium{Username: "api_user", Password: "api_pass", Switches: switches}
				},
				Key: func(ev *events.Event) string { return ev.Customer.ID },
				Stamp: func(rec *sinks.Record, version int64) {
					rec.Set(sinks.Field{Group: "custom_fields", Name: "version", Kind: sinks.KindNumber, Number: float64(version)})
				},
				Writes:  "/api/batch/customers",
				Secrets: []string{"api_pass", "YXBpX3VzZXI6YXBpX3Bhc3M="},
			})
		})
	}
}
