package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// bin is the folder of the binaries that all tests share. They are built once
// and never changed, without cgo so that they run in an image that has nothing
// else.
var bin string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "custsync-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	// The reaper would be an image from a registry; these tests remove what they
	// made by themselves. Only this very word switches it off.
	os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	for _, b := range []struct{ module, pkg string }{
		{"..", "./cmd/worker"},
		{"..", "./cmd/publisher"},
		{".", "./cmd/standin"},
	} {
		if err := build(b.module, b.pkg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// build makes the binary of a package of the module in a folder.
func build(module, pkg string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin+string(filepath.Separator), pkg)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// patience is how long a condition may take that takes a second or two on a
// quiet machine; the longest, a cluster that elects anew some times, takes thirty.
const patience = 3 * time.Minute

// eventually asks until there is no error, and returns the last one when the
// patience has ended. Nothing else in these tests waits for what may happen.
func eventually(ctx context.Context, ask func(context.Context) error) error {
	return eventuallyWithin(ctx, patience, ask)
}

func eventuallyWithin(ctx context.Context, patience time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	var last error
	for {
		err := ask(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() == nil || last == nil:
			last = err // one that the end of the patience made says less than the one before
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %w", patience, last)
		}
	}
}
