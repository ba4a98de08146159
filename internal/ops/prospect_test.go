package ops

import (
	"testing"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/pipeline"
)

// Whoever replays a letter in doubt says to have looked, so a dry run says so first.
func TestADryRunTellsOfDoubt(t *testing.T) {
	for reason, want := range map[deadletter.Reason]bool{deadletter.InDoubt: true, deadletter.Rejected: false} {
		p := prospect{letter: &deadletter.Letter{Reason: reason}}
		s := seer{entry: &ledger.Entry{}}
		s.admit(&p, &events.Event{Type: events.Changed}, &pipeline.Rendered{Admitted: true, Body: []byte("{}")}, nil)
		if p.Would.Would != WouldSend || (p.Message != "") != want {
			t.Errorf("%s: told %+v", reason, p.Would)
		}
	}
}
