package ecomcharge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/sinks/sinktest"
)

// TestSuite runs the suite against the stand-in in each way that eComCharge may
// be, where the documents don't say, with a look-up and without.
func TestSuite(t *testing.T) {
	for name, test := range map[string]struct {
		options  Options
		switches sandbox.EComChargeSwitches
		noLookUp bool
	}{
		"asks":     {noLookUp: true},
		"looks up": {options: Options{LookUp: true}},
		"bepaid": {
			options:  Options{LookUp: true, ExternalID: true},
			switches: sandbox.EComChargeSwitches{KeyByID: true, WrappedList: true, NestedErrors: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Case{
				New: func(t *testing.T, url string, client *http.Client) sinktest.Sink {
					s, err := New(Config{URL: url, ShopID: "361", SecretKey: "not-for-logs", Options: test.options, Caller: sinks.Caller{HTTP: client}})
					if err != nil {
						t.Fatal(err)
					}
					return s
				},
				Provider: func() sandbox.Provider {
					return &sandbox.EComCharge{ShopID: "361", SecretKey: "not-for-logs", Switches: test.switches}
				},
				Key: func(ev *events.Event) string {
					if test.switches.KeyByID {
						return ev.Customer.ID
					}
					return strings.ToLower(ev.Customer.Email.V)
				},
				Writes:       "/customers",
				NoLookUp:     test.noLookUp,
				CreateOnly:   true,
				MuteThrottle: true,
				Secrets:      []string{"not-for-logs", "MzYxOm5vdC1mb3ItbG9ncw=="},
			})
		})
	}
}
