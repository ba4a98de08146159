package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/config/suggest"
	"github.com/custsync/custsync/internal/ops"
	"github.com/custsync/custsync/pkg/deadletter"
)

// filter reads the parameters that select letters.
func (x *exchange) filter() (f ops.Filter, err error) {
	f = ops.Filter{
		Destination: x.given["destination"], Reason: deadletter.Reason(x.given["reason"]), Shop: x.given["shop"],
		Customer: x.given["customer"], Fingerprint: x.given["fingerprint"],
	}
	for name, value := range x.given {
		if value == "" {
			return f, refused(http.StatusBadRequest, "parameter %q is empty: leave it out, or say what it selects", name)
		}
	}
	if f.Reason != "" && !slices.Contains(ops.Reasons(), f.Reason) {
		var known []string
		for _, r := range ops.Reasons() {
			known = append(known, string(r))
		}
		return f, refused(http.StatusBadRequest, "there is no reason %q; %s", f.Reason, suggest.Hint(string(f.Reason), known))
	}
	if age, there := x.given["older_than"]; there {
		if f.OlderThan, err = ops.ParseAge(age); err != nil {
			return f, refused(http.StatusBadRequest, "parameter %q: %v", "older_than", err)
		}
	}
	return f, nil
}

// page reads how many are wanted, and from where on.
func (x *exchange) page() (limit int, before uint64, err error) {
	if limit, err = x.whole("limit", 100, 1, 500); err != nil {
		return 0, 0, err
	}
	if cursor, there := x.given["cursor"]; there {
		if before, err = strconv.ParseUint(cursor, 10, 64); err != nil || before == 0 {
			return 0, 0, refused(http.StatusBadRequest, "the cursor is none that was given out: begin with the first page")
		}
	}
	return limit, before, nil
}

// next is the cursor of the next page; nil: there is none.
func next(place uint64) *string {
	if place == 0 {
		return nil
	}
	cursor := strconv.FormatUint(place, 10)
	return &cursor
}

func (s *Server) letters(x *exchange) error {
	f, err := x.filter()
	if err != nil {
		return err
	}
	limit, before, err := x.page()
	if err != nil {
		return err
	}
	letters, place, err := x.desk().Page(x.req.Context(), f, before, limit)
	if err != nil {
		return err
	}
	if letters == nil {
		letters = []ops.Letter{}
	}
	return x.answer(struct {
		Letters []ops.Letter `json:"deadletters"`
		Next    *string      `json:"next"`
	}{letters, next(place)})
}

func (s *Server) groups(x *exchange) error {
	f, err := x.filter()
	if err != nil {
		return err
	}
	groups, err := x.desk().Groups(x.req.Context(), f)
	if err != nil {
		return err
	}
	return x.answer(struct {
		Groups []ops.Group `json:"groups"`
	}{groups})
}

// letterView is a letter with its event and row, masked or not.
type letterView struct {
	ops.Whole
	Masked bool   `json:"masked"`
	Grant  string `json:"grant,omitempty"`
}

func (s *Server) show(x *exchange) error {
	view, err := s.letter(x)
	if err != nil {
		return err
	}
	if !x.granted(view.Shop, view.Customer) {
		view.mask()
	}
	return x.answer(view)
}

func (s *Server) unmask(x *exchange) error {
	note, err := x.note()
	if err != nil {
		return err
	}
	view, err := s.letter(x)
	if err != nil {
		return err
	}
	if err := x.desk().Unmask(x.req.Context(), view.Destination, view.Shop, view.Customer, note); err != nil {
		return err
	}
	view.Grant = s.grant(view.Shop, view.Customer)
	return x.answer(view)
}

// letter finds the one letter that a request names.
func (s *Server) letter(x *exchange) (*letterView, error) {
	f, err := x.filter()
	if err != nil {
		return nil, err
	}
	if !f.One() {
		return nil, refused(http.StatusBadRequest, "name the letter by destination, shop and customer")
	}
	for w, err := range x.desk().Show(x.req.Context(), f) {
		if err != nil {
			return nil, err
		}
		return &letterView{Whole: w}, nil
	}
	return nil, noLetter(&f)
}

func noLetter(f *ops.Filter) error {
	since := ""
	if f.UpTo > 0 {
		since = ", or a later one has come since: look at it first"
	}
	return refused(http.StatusNotFound, "no dead letter of customer %s of shop %s is open at %s: it was never there, or its customer has got through, or it was discarded%s",
		f.Customer, f.Shop, f.Destination, since)
}

func (v *letterView) mask() {
	v.Masked = true
	v.Event, v.Row = hideEvent(v.Event), hideRow(v.Row, v.Customer)
	if v.Edit != nil {
		edit := *v.Edit
		edit.Patch, edit.Customer = hideData(edit.Patch), hideData(edit.Customer)
		v.Edit = &edit
	}
}

// note reads why something is done.
func (x *exchange) note() (string, error) {
	var ask struct {
		Note string `json:"note"`
	}
	if err := x.body(&ask, false); err != nil {
		return "", err
	}
	return checkNote(ask.Note)
}

const maxNote = 1000 // bytes

func checkNote(note string) (string, error) {
	if len(note) > maxNote {
		return "", refused(http.StatusBadRequest, "the note is longer than %d bytes", maxNote)
	}
	return strings.TrimSpace(note), nil
}

// tick is how often progress is told.
const tick = 250 * time.Millisecond
