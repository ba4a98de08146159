// Package demo shows the worker at work, without any server, account or
// configuration: a NATS server, stand-ins of the providers over real HTTP, sample
// customers that change, the faults that every provider has, and the real worker
// with a real configuration file, all in this process.
//
// Promises: what is told at the end was checked, and what does not add up is an
// error; nothing is left behind when Run returns, unless something did not add
// up: then the folder stays to look into; demos run side by side.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/worker"
)

// Demo is one demonstration. The fields are set before Run; those without a
// default are required.
type Demo struct {
	Customers int  // 2,000
	Exit      bool // leave when all is settled, and not when told to

	Load   func(path string) (*config.Config, error) // reads and checks a configuration
	Make   worker.Maker
	Site   func(*config.Config, zerolog.Logger) worker.Site // nil: health and metrics only
	Logger func(c config.Log, w io.Writer) zerolog.Logger

	Out      io.Writer
	Terminal bool   // a person looks at Out, which is an *os.File
	Color    bool   // Out shows colors
	Program  string // how the worker is called, for the commands to try next; worker
}

// ErrUnsound says that something got lost, doubled or miscounted. What it was has
// been told.
var ErrUnsound = errors.New("the demo does not add up")

// usual is how many customers there are unless somebody says otherwise: enough
// for full batches, few enough to be watched to the end.
const usual = 2_000

// Run shows it all. It returns when ctx ends, or with Exit when all is settled.
func (d *Demo) Run(ctx context.Context) (err error) {
	if d.Customers <= 0 {
		d.Customers = usual
	}
	if d.Program == "" {
		d.Program = "worker"
	}
	folder, err := os.MkdirTemp("", "custsync-demo-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() {
		if errors.Is(err, ErrUnsound) {
			return
		}
		err = errors.Join(err, os.RemoveAll(folder))
	}()
	s := &stage{folder: folder, customers: d.Customers}
	if err = s.build(ctx, d); err == nil {
		err = d.play(ctx, s)
	}
	return errors.Join(err, s.close())
}

// play runs the worker and publishes, watches until all is settled, and tells
// how it ended.
func (d *Demo) play(ctx context.Context, s *stage) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.worker.Run(working) }()

	begun := time.Now()
	d.open(s)
	screen := d.screen(s)
	settled, err := d.watch(working, s, screen, ended)
	screen.close()
	var balances []*balance
	if err == nil && settled {
		balances, err = d.report(working, s, time.Since(begun))
	}
	if err == nil && settled && !d.Exit {
		d.suggest(s, balances)
		select {
		case <-working.Done():
		case err = <-ended:
			ended <- nil
		}
	}
	if working.Err() != nil {
		fmt.Fprintln(d.Out, "Stopping.")
		switch {
		case errors.Is(err, ErrUnsound):
		case d.Exit:
			err = errInterrupted
		default:
			err = nil // what failed failed since it was interrupted
		}
	}
	stop()
	return errors.Join(err, <-ended)
}

var errInterrupted = errors.New("interrupted before all was settled")

// open tells what is about to be seen.
func (d *Demo) open(s *stage) {
	fmt.Fprintf(d.Out, "custsync demo: %s customers of five shops, %d providers, one worker.\n", count(d.Customers), len(s.providers))
	for _, line := range [][2]string{
		{"configuration", s.file}, {"worker's log", s.logPath()}, {"NATS", s.server.URL()}, {"console", s.httpURL()},
	} {
		fmt.Fprintf(d.Out, "  %-14s %s\n", line[0], line[1])
	}
	fmt.Fprintln(d.Out)
}

// watch publishes, lets the providers fail, and shows how it goes, until all is
// settled. When ctx ends before that it returns false.
func (d *Demo) watch(ctx context.Context, s *stage, screen screen, ended chan error) (settled bool, err error) {
	publishing, cancel := context.WithCancel(ctx)
	published := make(chan error, 1)
	go func() { published <- s.shop.publish(publishing, screen.say) }()
	finished := false
	defer func() {
		cancel()
		if !finished {
			if err := <-published; err != nil && settled {
				settled = false // what ended the demo is told already
			}
		}
	}()
	tick := time.NewTicker(showEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-published:
			if finished = true; err != nil && ctx.Err() == nil {
				return false, err
			}
			published = nil
		case err := <-ended:
			ended <- nil
			return false, err
		case <-ctx.Done():
			return false, nil
		case now := <-tick.C:
			for _, p := range s.providers {
				p.direct(s.shop.share(), screen.say)
				p.look(s.worker.Snapshot(p.name), s.shop.stored.Load(), now)
			}
			screen.show(s.views())
			if !finished {
				continue
			}
			if settled, err := s.settled(ctx); settled || err != nil && ctx.Err() == nil {
				return settled, err
			}
		}
	}
}

const showEvery = 100 * time.Millisecond
