package events_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/custsync/custsync/pkg/events"
)

// An event that is of no use still supersedes older ones, if it says whose it is
// and how new; otherwise an older version would be sent after it.
func TestVersioned(t *testing.T) {
	for _, tc := range []struct {
		name, doc string
		want      int64 // 0: not versioned
	}{
		{"a bad field", document(`{"id":"347771386","version":12,"email":5}`), 12},
		{"a bad field, version of time", document(`{"id":"347771386","email":5}`), now.UnixMicro() + 123000},
		{"an unknown type", document(`{"id":"347771386","version":12}`, `type="customer.merged.v1"`), 12},
		{"too large", document(`{"id":"347771386","version":12,"note":"` + strings.Repeat("x", events.MaxSize) + `"}`), 12},
		{"another customer", document(`{"id":"1","version":12}`), 0},
		{"another shop", document(`{"id":"347771386","version":12}`, `source="/shops/x"`), 0},
		{"a bad version", document(`{"id":"347771386","version":"12"}`), 0},
		{"two versions", document(`{"id":"347771386","version":12,"version":13}`), 0},
		{"two customers", document(`{"id":"347771386","version":12,"id":"347771386"}`), 0},
		{"not JSON", document(`{"id":"347771386","version":12,}`), 0},
		{"too far ahead", document(`{"id":"347771386"}`, `time="2027-01-01T00:00:00Z"`), 0},
		{"too far ahead and bad", document(`{"id":"347771386","email":5}`, `time="2027-01-01T00:00:00Z"`), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ev, err := decode(tc.doc)
			var got *events.DecodeError
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want an error", err)
			}
			if got.Versioned != (tc.want != 0) || got.Versioned && (ev.Version != tc.want || ev.Shop != "acme" || ev.ID != "e1") {
				t.Errorf("got %v and %+v, want version %d", got.Versioned, ev, tc.want)
			}
		})
	}
}
