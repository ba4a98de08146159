package pipeline

import (
	"context"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/sinks"
)

// manyCalls is a sink whose deliveries make several calls, one after another.
type manyCalls struct {
	*script
	calls int
}

func (s manyCalls) Lane(*sinks.Row) sinks.Lane { return sinks.Lane{Calls: s.calls} }

func (s manyCalls) Deliver(ctx context.Context, rows []sinks.Row) ([]sinks.Outcome, error) {
	for range s.calls {
		if sleep(ctx, 8*time.Second); ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return s.script.Deliver(ctx, rows)
}

// A timeout is that of a call: a delivery that makes several has it for each.
func TestDeliveryOfManyCalls(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.d.Timeout = 10 * time.Second
		r.d.Sink = manyCalls{r.sink, 5}
		r.start()
		r.changed("a", 1, "")
		r.wait(45 * time.Second)
		r.wantSent("a:1")
	})
}
