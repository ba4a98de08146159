package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// suite is what the scenarios share.
type suite struct {
	Runs   int
	Short  bool   // small sizes, to see that everything runs
	Sync   string // of the broker
	Worker string // the program

	folder   string
	progress io.Writer
}

// within makes the suite's folder and, where none is given, the worker; does; and
// removes the folder.
func (s *suite) within(ctx context.Context, do func() error) (err error) {
	if s.folder, err = os.MkdirTemp("", "custsync-bench-"); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.folder)) }()
	if s.Worker == "" {
		if s.Worker, err = buildWorker(ctx, s.folder); err != nil {
			return err
		}
	}
	return do()
}

// size is the full one or the short one.
func (s *suite) size(full, short int) int {
	if s.Short {
		return short
	}
	return full
}

// repeat measures as often as asked.
func (s *suite) repeat(name string, run func(n int) ([]measure, error)) ([][]measure, error) {
	runs := make([][]measure, s.Runs)
	for i := range runs {
		var err error
		if runs[i], err = run(i + 1); err != nil {
			return nil, fmt.Errorf("run %d: %w", i+1, err)
		}
		fmt.Fprintf(s.progress, "%s: run %d of %d", name, i+1, s.Runs)
		for _, m := range runs[i] {
			if m.Want.kind != unbound {
				fmt.Fprintf(s.progress, "; %s %s", m.What, inUnit(m.Value, m.Unit))
			}
		}
		fmt.Fprintln(s.progress)
	}
	return runs, nil
}

// onSite repeats a trial at one site, which prepare has filled.
func (s *suite) onSite(ctx context.Context, name string, prepare func(*site) error,
	run func(context.Context, *trial, int) ([]measure, error)) (runs [][]measure, err error) {
	o, err := s.openSite(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	if err := prepare(o); err != nil {
		return nil, err
	}
	return s.repeat(name, func(n int) ([]measure, error) {
		return o.try(ctx, func(ctx context.Context, t *trial) ([]measure, error) { return run(ctx, t, n) })
	})
}

// onSites repeats a trial, each time at a site of its own.
func (s *suite) onSites(ctx context.Context, name string, run func(context.Context, *trial) ([]measure, error)) ([][]measure, error) {
	return s.repeat(name, func(int) (told []measure, err error) {
		o, err := s.openSite(ctx)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, o.close()) }()
		return o.try(ctx, run)
	})
}
