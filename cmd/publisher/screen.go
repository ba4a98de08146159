package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// plainEvery is how often progress is told where there is no terminal.
const plainEvery = 5 * time.Second

// screen tells people how far it is: a bar on a terminal, lines elsewhere. It
// may be used by several goroutines.
type screen struct {
	mu   sync.Mutex
	out  io.Writer
	tty  bool
	bars *mpb.Progress // while a bar is shown
}

func newScreen(out io.Writer) *screen {
	f, ok := out.(*os.File)
	return &screen{out: out, tty: ok && isatty.IsTerminal(f.Fd())}
}

// say prints a line, above the bar if there is one.
func (s *screen) say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.out
	if s.bars != nil {
		out = s.bars
	}
	fmt.Fprintln(out, line)
}

// show is the progress of one input.
type show struct {
	screen *screen
	name   string
	size   int64        // bytes to read; 0: not known
	read   atomic.Int64 // of them
	done   func() int64 // records at their end
	start  time.Time
	before int64 // records of earlier runs
	from   int64 // bytes that were read when the first new record came to its end
}

func (s *screen) begin(name string, size int64) *show {
	return &show{screen: s, name: name, size: size, start: time.Now()}
}

func (w *show) say(line string) { w.screen.say(w.name + ": " + line) }

// follow shows progress until stop is called.
func (w *show) follow(done func() int64) (stop func(complete bool)) {
	w.done, w.before = done, -1
	if w.screen.tty {
		return w.bar()
	}
	ctx, cancel := context.WithCancel(context.Background())
	var told sync.WaitGroup
	told.Go(func() {
		ticker := time.NewTicker(plainEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				w.say(w.figures())
			}
		}
	})
	return func(bool) { cancel(); told.Wait() }
}

func (w *show) bar() func(bool) {
	s := w.screen
	bars := mpb.New(mpb.WithOutput(s.out), mpb.WithWidth(40), mpb.WithAutoRefresh())
	bar := bars.AddBar(max(w.size, 1), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(w.name+" ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + w.figures() })))
	s.mu.Lock()
	s.bars = bars
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var drawn sync.WaitGroup
	drawn.Go(func() {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				// The last byte is read before the last record is stored.
				bar.SetCurrent(min(w.read.Load(), max(w.size, 1)-1))
			}
		}
	})
	return func(complete bool) {
		cancel()
		drawn.Wait()
		bar.Abort(true)
		bars.Wait()
		s.mu.Lock()
		s.bars = nil
		s.mu.Unlock()
		w.say(w.figures())
	}
}

// figures are records, share, rate and time left. They are asked for by one
// goroutine at a time.
func (w *show) figures() string {
	done, read := w.done(), w.read.Load()
	if w.before < 0 {
		w.before, w.from, w.start = done, read, time.Now()
	}
	elapsed := time.Since(w.start).Seconds()
	text := fmt.Sprintf("%d lines", done)
	if w.size > 0 {
		text += fmt.Sprintf(", %d %%", min(read*100/w.size, 100))
	}
	if elapsed < 0.5 {
		return text
	}
	text += fmt.Sprintf(", %.0f lines/s", float64(done-w.before)/elapsed)
	if gained := read - w.from; w.size > 0 && gained > 0 && read < w.size {
		left := time.Duration(elapsed * float64(w.size-read) / float64(gained) * float64(time.Second))
		text += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	return text
}

// countingReader counts what is read.
type countingReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}
