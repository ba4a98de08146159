package ops

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	for name, test := range map[string]struct {
		rate   float64
		window int           // of at most 500
		took   time.Duration // for 100, but for the last window's own time
	}{
		"as fast as it goes": {0, 500, 0},
		"ten a second":       {10, 2, 98 * 100 * time.Millisecond},
		"one in ten seconds": {0.1, 1, 99 * 10 * time.Second},
		"very many":          {1e6, 500, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pace{rate: test.rate}
				window := p.window(500)
				if window != test.window {
					t.Errorf("got a window of %d, want %d", window, test.window)
				}
				from := time.Now()
				for done := 0; done < 100; done += window {
					if err := p.wait(t.Context(), window); err != nil {
						t.Fatal(err)
					}
				}
				if got := time.Since(from).Round(time.Millisecond); got != test.took {
					t.Errorf("got %v, want %v", got, test.took)
				}
			})
		})
	}
}

func TestPaceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p := pace{rate: 0.01}
		if err := p.wait(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if err := p.wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
		}
	})
}
