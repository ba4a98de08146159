package stream

import (
	"testing"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/ledger"
)

// An owner that is slow to remove the letter which it has closed leaves what the next
// owner stores meanwhile, and what a person does with that.
func TestCloseLeavesWhatIsNewer(t *testing.T) {
	for name, newer := range map[string]func(*deadletter.Letter){
		"a newer version":        func(l *deadletter.Letter) { l.Version, l.Seq = 9, 12 },
		"the version once more":  func(l *deadletter.Letter) { l.Seq = 12 },
		"what has no version":    func(l *deadletter.Letter) { l.Version, l.Seq, l.Reason = 0, 12, deadletter.Undecodable },
		"the row of one to come": nil,
	} {
		t.Run(name, func(t *testing.T) {
			_, s := open(t, Config{})
			ctx, letters, k := testContext(t), s.Letters("d"), key(s, "acme", "c")
			end := ledger.Settled{Version: 8, Seq: 11, Outcome: ledger.Delivered}
			old := letter(k, 8)
			old.Seq = 11
			if err := letters.Open(ctx, old); err != nil {
				t.Fatal(err)
			}
			stays := letter(k, 8)
			if newer == nil {
				stays.Version, stays.Seq = 9, 12
			} else {
				newer(stays)
			}
			if err := letters.Open(ctx, stays); err != nil {
				t.Fatal(err)
			}
			edit := &deadletter.Edit{ID: "ONE", Version: stays.Version, Seq: stays.Seq, Patch: []byte("{}")}
			if err := letters.StoreEdits(ctx, []ledger.Key{k}, []*deadletter.Edit{edit}); err != nil {
				t.Fatal(err)
			}
			if newer == nil { // its letter is not there yet
				if err := s.purge(ctx, DeadLetters, lettersPrefix+"d.acme.c", 0); err != nil {
					t.Fatal(err)
				}
			}
			if err := letters.Close(ctx, k, end); err != nil {
				t.Fatal(err)
			}
			if newer == nil {
				if _, _, seq, err := s.post.lastWith(ctx, DeadLetters, rowsPrefix+"d.acme.c"); err != nil || seq == 0 {
					t.Errorf("the row is gone, with error %v", err)
				}
				return
			}
			if got, err := letters.Get(ctx, "acme", "c"); err != nil || got == nil || got.Seq != 12 || len(got.Row) == 0 {
				t.Errorf("got %+v and error %v, want the newer one with its row", got, err)
			}
			if got, err := letters.Edit(ctx, k, "ONE"); err != nil || got == nil {
				t.Errorf("got the edit %+v and error %v", got, err)
			}
		})
	}
}
