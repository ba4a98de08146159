package virtualpos

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/sinks/sinktest"
)

// TestSuite runs the suite against the stand-in in each way that VirtualPOS may
// be, where the documents don't say, with each format and each way to add cards.
func TestSuite(t *testing.T) {
	for name, test := range map[string]struct {
		options  Options
		switches sandbox.VirtualPOSSwitches
	}{
		"likely": {},
		"unlikely": {
			options:  Options{Format: formatJSON, Cards: cardsInsert, UTCOffset: "+03:00"},
			switches: sandbox.VirtualPOSSwitches{StatusCodes: true, StringNumbers: true, RefuseForeign: true, SelectByForm: true, CheckFields: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Case{
				New: func(t *testing.T, url string, client *http.Client) sinktest.Sink {
					s, err := New(Config{URL: url, APIKey: "not-for-logs", Options: test.options, Caller: sinks.Caller{HTTP: client}})
					if err != nil {
						t.Fatal(err)
					}
					return s
				},
				Provider: func() sandbox.Provider {
					return &sandbox.VirtualPOS{APIKey: "not-for-logs", Switches: test.switches}
				},
				Key: func(ev *events.Event) string { return ev.Customer.ID },
				Stamp: func(rec *sinks.Record, version int64) {
					rec.Text("custom_information", "v"+strconv.FormatInt(version, 10))
				},
				Writes:  "/api/customer/update",
				Secrets: []string{"not-for-logs"},
			})
		})
	}
}
