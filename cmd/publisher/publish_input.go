package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gofrs/flock"

	"github.com/custsync/custsync/internal/bulk"
)

// heldFile is a file that no other run publishes meanwhile: two would have one file
// of progress and one of refused lines between them.
type heldFile struct {
	*os.File
	lock *flock.Flock
}

var errHeld = errors.New("another run is publishing it")

func hold(name string) (*heldFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	h := &heldFile{f, flock.New(name, flock.SetFlag(os.O_RDONLY))}
	// A file system that knows no locks is no reason to publish nothing.
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		if got, err := h.lock.TryLock(); err == nil && !got {
			return nil, errors.Join(errHeld, f.Close())
		}
	}
	return h, nil
}

func (h *heldFile) Close() error { return errors.Join(h.lock.Unlock(), h.File.Close()) }

// open opens an input, and what keeps its progress if it is a file.
func (p *publish) open(ctx context.Context, name string) (io.ReadCloser, int64, *bulk.Progress, error) {
	if name == "-" {
		return newPatientReader(ctx, p.stdin), 0, nil, nil
	}
	f, err := hold(name)
	if err != nil {
		return nil, 0, nil, err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || p.options.dryRun {
		size := int64(0)
		if err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		return f, size, nil, err
	}
	print, err := bulk.TakeFingerprint(f.File)
	if err != nil {
		return nil, 0, nil, errors.Join(fmt.Errorf("look at %s: %w", name, err), f.Close())
	}
	progress := &bulk.Progress{Path: name + bulk.Suffix, Input: print, Settings: p.settings()}
	line, why, err := progress.Resumes()
	switch {
	case err != nil:
		return nil, 0, nil, errors.Join(err, f.Close())
	case line > 0:
		p.screen.say(fmt.Sprintf("%s: going on at line %d", name, line))
	case why != "":
		p.screen.say(fmt.Sprintf("%s: starting anew: %s", name, why))
	}
	return f, print.Size, progress, nil
}

// settings stand for all that decides what lines become and where they go.
func (p *publish) settings() string {
	o := &p.options
	zone := ""
	if p.intake.Zone != nil {
		zone = p.intake.Zone.String()
	}
	data, err := json.Marshal([]any{o.nats.servers(), o.shop, o.format, o.encoding, o.null, zone, o.asOf, p.intake.Columns})
	if err != nil {
		return "" // texts only: there is nothing to fail
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

func (p *publish) anyProgress() bool {
	for _, name := range p.files {
		if _, err := os.Stat(name + bulk.Suffix); err == nil {
			return true
		}
	}
	return false
}
