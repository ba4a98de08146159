package cartum

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// opener counts logins, each of which takes a second.
type opener struct {
	logins atomic.Int32
	fail   error
}

func (o *opener) open(ctx context.Context) (string, error) {
	n := o.logins.Add(1)
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(time.Second):
	}
	return "token" + strconv.Itoa(int(n)), o.fail
}

func TestSessionIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o opener
		s := session{open: o.open}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got, err := s.get(t.Context(), ""); got != "token1" || err != nil {
					t.Errorf("got %q, %v, want token1", got, err)
				}
			})
		}
		all.Wait()
		for range 20 {
			all.Go(func() {
				if got, err := s.get(t.Context(), "token1"); got != "token2" || err != nil {
					t.Errorf("renewed: got %q, %v, want token2", got, err)
				}
			})
		}
		all.Wait()
		if got, err := s.get(t.Context(), "token1"); got != "token2" || err != nil {
			t.Errorf("refused late: got %q, %v, want token2, which came since", got, err)
		}
	})
}

func TestSessionIsRenewedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o opener
		s := session{open: o.open}
		for _, step := range []struct {
			after time.Duration
			want  string
		}{
			{0, "token1"},
			{568 * time.Second, "token1"}, // the login itself took a second
			{2 * time.Second, "token2"},
			{time.Hour, "token3"},
		} {
			<-time.After(step.after)
			if got, err := s.get(t.Context(), ""); got != step.want || err != nil {
				t.Errorf("after %v: got %q, %v, want %q", step.after, got, err, step.want)
			}
		}
	})
}

// A login that fails fails for all who waited for it, and is tried again by the next.
func TestSessionFailsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := errors.New("refused")
		o := opener{fail: want}
		s := session{open: o.open}
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, err := s.get(t.Context(), ""); !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			})
		}
		all.Wait()
		if got := o.logins.Load(); got != 1 {
			t.Errorf("got %d logins, want 1", got)
		}
		o.fail = nil
		if got, err := s.get(t.Context(), ""); got != "token2" || err != nil {
			t.Errorf("got %q, %v, want token2", got, err)
		}
	})
}

// Whoever logs in may be called off: then one of those who wait goes on with it,
// and one who is called off himself waits no longer.
func TestSessionOutlivesItsOpener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o opener
		s := session{open: o.open}
		first, stopFirst := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stopFirst()
		third, stopThird := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer stopThird()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := s.get(first, ""); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("opener: got %v, want its own end", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if got, err := s.get(t.Context(), ""); got != "token2" || err != nil {
				t.Errorf("waiter: got %q, %v, want token2", got, err)
			}
		})
		all.Go(func() {
			start := time.Now()
			if _, err := s.get(third, ""); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("impatient waiter: got %v, want its own end", err)
			}
			if waited := time.Since(start); waited != 50*time.Millisecond {
				t.Errorf("impatient waiter: got %v, want 50ms", waited)
			}
		})
		all.Wait()
	})
}
