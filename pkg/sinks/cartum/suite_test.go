package cartum

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/sinks/sinktest"
)

// TestSuite runs the suite against the stand-in in each way that Cartum may be,
// where the documents don't say.
func TestSuite(t *testing.T) {
	for name, switches := range map[string]sandbox.CartumSwitches{
		"likely":   {},
		"unlikely": {FlatLog: true, Russian: true, ErrorWhenNone: true, RefuseTwins: true, Unauthorized401: true},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Case{
				New: func(t *testing.T, url string, client *http.Client) sinktest.Sink {
					s, err := New(Config{URL: url, Login: "admin", Password: "admin_pass", Caller: sinks.Caller{HTTP: client}})
					if err != nil {
						t.Fatal(err)
					}
					return s
				},
				Provider: func() sandbox.Provider {
					return &sandbox.Cartum{Login: "admin", Password: "admin_pass", Switches: switches}
				},
				Key: func(ev *events.Event) string { return strings.ToLower(ev.Customer.Email.V) },
				Stamp: func(rec *sinks.Record, version int64) {
					rec.Text("note", strconv.FormatInt(version, 10))
				},
				Writes:  "/api/users/import/",
				Login:   "/api/auth/",
				Secrets: []string{"admin_pass"},
			})
		})
	}
}
