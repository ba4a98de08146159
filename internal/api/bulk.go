package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/custsync/custsync/internal/ops"
)

// wouldView is what would become of a letter, masked or not.
type wouldView struct {
	ops.Would
	Masked bool `json:"masked"`
}

// bulkAnswer writes what is done with many letters, a line for each thing told.
// The first line begins the answer: until then the request can still be refused.
type bulkAnswer struct {
	x      *exchange
	filter ops.Filter
	rows   int // row lines at most
	told   int
	would  map[string]int
	last   ops.Would // that was told of
	next   time.Time // when progress is told again
}

func (x *exchange) bulk() (*bulkAnswer, *ops.Bulk, error) {
	f, err := x.filter()
	if err != nil {
		return nil, nil, err
	}
	a := &bulkAnswer{x: x, filter: f, would: map[string]int{}}
	if a.rows, err = x.whole("rows", 1<<30, 0, 1<<30); err != nil {
		return nil, nil, err
	}
	upTo, err := x.whole("up_to", 0, 1, 1<<53)
	if err != nil {
		return nil, nil, err
	}
	a.filter.UpTo = uint64(upTo)
	b := &ops.Bulk{Row: a.row, Progress: a.progress, Began: a.began}
	if b.DryRun, err = x.yes("dry_run"); err != nil {
		return nil, nil, err
	}
	if rate, there := x.given["rate"]; there {
		if b.Rate, err = strconv.ParseFloat(rate, 64); err != nil || !(b.Rate > 0) || b.Rate > 1e6 {
			return nil, nil, refused(http.StatusBadRequest, "parameter %q: want a number above 0, how many a second", "rate")
		}
	}
	return a, b, nil
}

// line writes one line and sends it on its way.
func (a *bulkAnswer) line(v any, flush bool) {
	x := a.x
	if x.status == 0 {
		x.w.Header().Set("Content-Type", "application/x-ndjson")
		x.begin(http.StatusOK)
	}
	x.write(v)
	if flush || time.Now().After(a.next) {
		a.next = time.Now().Add(tick)
		_ = http.NewResponseController(x.w).Flush() // whoever asked may be gone
	}
}

func (a *bulkAnswer) row(w *ops.Would) error {
	a.would[w.Would]++
	a.last = *w
	if a.told >= a.rows || a.single() {
		return nil
	}
	a.told++
	a.tell(w)
	return nil
}

// single reports whether an edit of one letter is refused by the answer's status
// rather than by a line.
func (a *bulkAnswer) single() bool {
	return a.filter.One() && a.x.given["dry_run"] != "true"
}

func (a *bulkAnswer) tell(w *ops.Would) {
	view := wouldView{Would: *w, Masked: !a.x.granted(w.Shop, w.Customer)}
	if view.Masked {
		view.Row, view.Data = hideRow(w.Row, w.Customer), hideData(w.Data)
	}
	a.line(struct {
		Row *wouldView `json:"row"`
	}{&view}, false)
}

// began says what to go on by before anything is done, so that also who loses the
// answer knows it.
func (a *bulkAnswer) began(as ops.Began) {
	if !a.filter.One() {
		a.line(map[string]any{"began": as}, true)
	}
}

func (a *bulkAnswer) progress(done int) {
	if time.Now().Before(a.next) || a.single() {
		return
	}
	a.line(map[string]any{"progress": map[string]int{"done": done}}, true)
}

// done writes the end: what became of it all, and why where not all went well.
// What failed before the first line is the answer's own problem.
func (a *bulkAnswer) done(result any, selected int, dry bool, err error) error {
	if err == nil && selected == 0 && a.filter.One() {
		return noLetter(&a.filter)
	}
	if a.x.status == 0 && err != nil && selected == 0 {
		return err
	}
	doc, encoded := withWould(result, a.would, dry)
	if encoded != nil {
		return encoded
	}
	a.line(map[string]any{"done": doc}, true)
	if err == nil {
		return nil
	}
	if a.x.req.Context().Err() == nil {
		a.x.server.Log.Error().Err(err).Str("path", a.x.req.Pattern).Msg("not all was done")
	}
	a.line(map[string]any{"problem": problemOf(err)}, true)
	return nil
}

// withWould is a result with how many would become what, where nothing was done.
func withWould(result any, would map[string]int, dry bool) (map[string]any, error) {
	data, err := json.Marshal(result)
	if err != nil {
		return nil, err
	}
	doc := map[string]any{}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if dry {
		doc["would"] = would
	}
	return doc, nil
}

func (s *Server) replay(x *exchange) error {
	a, b, err := x.bulk()
	if err != nil {
		return err
	}
	if b.Note, err = x.note(); err != nil {
		return err
	}
	var done ops.ReplayResult
	if run, resumed := x.given["resume"]; resumed {
		if a.filter != (ops.Filter{}) {
			return refused(http.StatusBadRequest, "resume goes on with the letters that its replay selected: leave the selecting parameters out")
		}
		done, err = x.desk().ResumeReplay(x.req.Context(), run, *b)
	} else {
		done, err = x.desk().Replay(x.req.Context(), a.filter, *b)
	}
	return a.done(done, done.Selected, done.DryRun, err)
}

func (s *Server) edit(x *exchange) error {
	a, b, err := x.bulk()
	if err != nil {
		return err
	}
	var ask struct {
		Patch json.RawMessage `json:"patch"`
		Note  string          `json:"note"`
	}
	if err := x.body(&ask, true); err != nil {
		return err
	}
	if ask.Patch == nil {
		return refused(http.StatusBadRequest, `say what to change with "patch", a JSON merge patch of the customer's data such as {"phone":"+48123456789"}; null takes an edit back`)
	}
	if b.Note, err = checkNote(ask.Note); err != nil {
		return err
	}
	b.Paths = a.filter.One()
	done, err := x.desk().Edit(x.req.Context(), a.filter, ask.Patch, *b)
	if err == nil && done.Refused > 0 && a.single() {
		p := &problem{Title: "The row would not be valid", Status: http.StatusUnprocessableEntity, Errors: a.last.Errors, Detail: a.last.Message}
		if p.Detail == "" {
			p.Detail = "with this patch the destination's rules would still refuse the customer: mend the fields named"
		}
		return p
	}
	return a.done(done, done.Selected, done.DryRun, err)
}

func (s *Server) discard(x *exchange) error {
	a, b, err := x.bulk()
	if err != nil {
		return err
	}
	if b.Note, err = x.note(); err != nil {
		return err
	}
	done, err := x.desk().Discard(x.req.Context(), a.filter, *b)
	return a.done(done, done.Selected, done.DryRun, err)
}

func (s *Server) undo(x *exchange) error {
	a, b, err := x.bulk()
	if err != nil {
		return err
	}
	if b.Note, err = x.note(); err != nil {
		return err
	}
	a.filter.Run = x.given["run"]
	done, err := x.desk().Undo(x.req.Context(), a.filter, *b)
	found := done.Restored + done.Gone
	if err == nil && found == 0 && a.filter.One() {
		return refused(http.StatusNotFound, "no discarded letter of customer %s of shop %s is known at %s: it was not discarded, was restored already, or a newer version has ended since",
			a.filter.Customer, a.filter.Shop, a.filter.Destination)
	}
	return a.done(done, found, done.DryRun, err)
}
