package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// screen shows how it goes. say may be called from several goroutines at once.
type screen interface {
	show(views []view)
	say(what string) // something happens
	close()
}

// screen is lines that move for a person, and lines that follow each other for
// everything else.
func (d *Demo) screen(s *stage) screen {
	p := painter(d.Color)
	if d.Terminal {
		return newBars(d.Out, p, s.views())
	}
	return &lines{out: d.Out, paint: p, begun: time.Now()}
}

// lines writes what there is to see every other second.
type lines struct {
	out   io.Writer
	paint painter
	begun time.Time

	mu   sync.Mutex
	last time.Time
	seen []view
}

const lineEvery = 2 * time.Second

func (l *lines) show(views []view) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = views
	if now := time.Now(); now.Sub(l.last) >= lineEvery {
		l.last = now
		l.write()
	}
}

func (l *lines) write() {
	for i := range l.seen {
		v := &l.seen[i]
		fmt.Fprintf(l.out, "%s  %-11s delivered %s, waiting %s, retrying %d, dead %s; %.1f rows a call, %.0f rows/s; %s\n",
			l.clock(), v.name, count(v.delivered), count(v.waiting), v.retrying, count(v.dead), v.rowsPerCall, v.rowsPerSecond, v.state(time.Now()))
	}
}

func (l *lines) say(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "%s  %s\n", l.clock(), l.paint.notable(what))
}

func (l *lines) clock() string { return fmt.Sprintf("%5.1fs", time.Since(l.begun).Seconds()) }

// close writes the last state, so that nobody has to guess it.
func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.last) > showEvery {
		l.write()
	}
}

// state is the gate in words.
func (v *view) state(now time.Time) string {
	words := v.brief(now)
	if r := v.gate.Reason; r != "" {
		words += ": " + r
	}
	return words
}

// brief is the gate without the reason: its state, and how long until the next
// probe.
func (v *view) brief(now time.Time) string {
	g := v.gate
	if g.State == "" {
		return "starting"
	}
	if left := g.Until.Sub(now); g.Until.IsZero() || left <= 0 {
		return string(g.State)
	} else {
		return fmt.Sprintf("%s %.1fs", g.State, left.Seconds())
	}
}

// painter colors text where that is wanted.
type painter bool

func (p painter) with(code, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p painter) good(text string) string    { return p.with("32", text) }
func (p painter) bad(text string) string     { return p.with("31", text) }
func (p painter) notable(text string) string { return p.with("33", text) }
func (p painter) faint(text string) string   { return p.with("2", text) }
func (p painter) strong(text string) string  { return p.with("1", text) }

// count writes a number with commas between its thousands.
func count[T int | int64 | uint64](n T) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && c != '-' && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}
