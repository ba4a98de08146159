package aplaut

import (
	"net/http"
	"testing"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/sinks/sinktest"
)

// TestSuite runs the suite against the stand-in in each way that Aplaut may be,
// where the documents don't say.
func TestSuite(t *testing.T) {
	for name, test := range map[string]struct {
		options  Options
		switches sandbox.AplautSwitches
	}{
		"likely": {},
		"unlikely": {
			options: Options{TokenScheme: schemeToken, FirstName: true, TextAttributes: true},
			switches: sandbox.AplautSwitches{
				RequireType: true, ThawContacts: true, SchemaErrors: true, ResetWithT: true, EchoNothing: true, MissingAs200: true, CheckMail: true,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Case{
				New: func(t *testing.T, url string, client *http.Client) sinktest.Sink {
					s, err := New(Config{URL: url, Token: "not-for-logs", Options: test.options, Caller: sinks.Caller{HTTP: client}})
					if err != nil {
						t.Fatal(err)
					}
					return s
				},
				Provider: func() sandbox.Provider {
					return &sandbox.Aplaut{Token: "not-for-logs", Switches: test.switches}
				},
				Key: func(ev *events.Event) string { return ev.Customer.ID },
				Stamp: func(rec *sinks.Record, version int64) {
					rec.Set(sinks.Field{Group: "custom_attributes", Name: "version", Kind: sinks.KindNumber, Number: float64(version)})
				},
				Writes:  "/consumers",
				Secrets: []string{"not-for-logs"},
			})
		})
	}
}
