package demo

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/custsync/custsync/pkg/pipeline"
)

// bars is one moving line for each destination, below what happens.
type bars struct {
	progress *mpb.Progress
	bars     []*mpb.Bar
	paint    painter
	views    atomic.Pointer[[]view]
}

func newBars(out io.Writer, p painter, views []view) *bars {
	b := &bars{progress: mpb.New(mpb.WithOutput(out), mpb.WithRefreshRate(showEvery)), paint: p}
	b.views.Store(&views)
	b.add(func(width int) string { return p.faint(heading(width)) })
	for i := range views {
		b.add(func(width int) string { return (*b.views.Load())[i].line(width, p, time.Now()) })
	}
	return b
}

// add puts a line below the others. Its width is one less than the terminal's,
// since some break a line that is full.
func (b *bars) add(line func(width int) string) {
	fill := func(w io.Writer, s decor.Statistics) error {
		_, err := io.WriteString(w, line(s.AvailableWidth-1))
		return err
	}
	b.bars = append(b.bars, b.progress.MustAdd(0, mpb.BarFillerFunc(fill), mpb.BarFillerTrim()))
}

func (b *bars) show(views []view) { b.views.Store(&views) }

func (b *bars) say(what string) {
	// It fails only once the lines have come to rest, and then nothing happens.
	_, _ = fmt.Fprintln(b.progress, b.paint.notable(time.Now().Format(time.TimeOnly)+" "+what))
}

// close lets the lines come to rest where they are.
func (b *bars) close() {
	for _, bar := range b.bars {
		bar.SetTotal(-1, true)
	}
	b.progress.Wait()
}

// A line's columns, each with the space before it; what is left of the width is
// the bar's and the gate's.
const (
	nameWidth      = 11
	deliveredWidth = 10
	waitingWidth   = 8
	retryWidth     = 7
	deadWidth      = 5
	perCallWidth   = 10
	speedWidth     = 7
	figuresWidth   = deliveredWidth + waitingWidth + retryWidth + deadWidth + perCallWidth + speedWidth
)

// split shares the rest of a line out to bar and gate.
func split(width int) (bar, gate int) {
	rest := width - nameWidth - figuresWidth - 2
	bar = min(max(rest/4, 0), 24)
	return bar, max(rest-bar, 0)
}

func heading(width int) string {
	bar, gate := split(width)
	return clip(fmt.Sprintf("%-*s%*s%*s%*s%*s%*s%*s  %s", nameWidth+bar, "destination", deliveredWidth, "delivered",
		waitingWidth, "waiting", retryWidth, "retry", deadWidth, "dead", perCallWidth, "rows/call", speedWidth, "rows/s", clip("gate", gate)), width)
}

// line is the view as one line of that width.
func (v *view) line(width int, p painter, now time.Time) string {
	bar, gate := split(width)
	figures := fmt.Sprintf("%*s%*s%*d%*s%*.1f%*.0f", deliveredWidth, count(v.delivered), waitingWidth, count(v.waiting),
		retryWidth, v.retrying, deadWidth, count(v.dead), perCallWidth, v.rowsPerCall, speedWidth, v.rowsPerSecond)
	name := fmt.Sprintf("%-*s", nameWidth, v.name)
	if width < nameWidth+figuresWidth+2 {
		return clip(name+figures, width)
	}
	full := 0
	if v.published > 0 {
		full = int(uint64(bar) * min(v.settled, v.published) / v.published)
	}
	state := v.state(now)
	if utf8.RuneCountInString(state) > gate {
		state = clip(v.brief(now), gate)
	}
	switch v.gate.State {
	case pipeline.Running:
		state = p.good(state)
	case pipeline.Refusing:
		state = p.bad(state)
	case pipeline.Throttled, pipeline.Outage, pipeline.Paused:
		state = p.notable(state)
	}
	return name + p.good(strings.Repeat("━", full)) + p.faint(strings.Repeat("─", bar-full)) + figures + "  " + state
}

// clip shortens a text to a width.
func clip(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	if width <= 0 {
		return ""
	}
	return string([]rune(text)[:width-1]) + "…"
}
