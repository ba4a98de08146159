package ops

import (
	"errors"
	"testing"

	"github.com/custsync/custsync/pkg/deadletter"
	"github.com/custsync/custsync/pkg/stream"
)

// A list that breaks off ends what works through it with an error; a letter that
// can't be read does not.
func TestGatherTellsABrokenList(t *testing.T) {
	broken, unread := errors.New("broken"), errors.New("unread")
	for name, test := range map[string]struct {
		errs     []error // nil: a letter
		selected int
		done     int
		wrong    int
		err      error
	}{
		"whole":   {[]error{nil, nil, nil}, 3, 3, 0, nil},
		"unread":  {[]error{nil, unread, nil}, 3, 2, 1, nil},
		"broken":  {[]error{nil, nil, nil, &stream.Stopped{Err: broken}}, 3, 3, 0, broken},
		"at once": {[]error{&stream.Stopped{Err: broken}}, 0, 0, 0, broken},
	} {
		var wrong []error
		done := 0
		selected, err := gather(t.Context(), func(yield func(*deadletter.Letter, error) bool) {
			for _, err := range test.errs {
				letter := new(deadletter.Letter)
				if err != nil {
					letter = nil
				}
				if !yield(letter, err) {
					return
				}
			}
		}, 2, &wrong, func(window []*deadletter.Letter) error {
			done += len(window)
			return nil
		})
		if selected != test.selected || done != test.done || len(wrong) != test.wrong || !errors.Is(err, test.err) {
			t.Errorf("%s: got %d selected, %d done, %d wrong and error %v", name, selected, done, len(wrong), err)
		}
	}
}
