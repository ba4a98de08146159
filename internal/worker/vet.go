package worker

import (
	"context"
	"errors"
	"time"

	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/stream"
)

// vet looks once in a membership whether the streams are those that the
// destination was worked on with. While they are not nothing is done for it, and it
// shows as blocked, until a person accepts them. The worker has got as far as it
// can get then, so that it is ready, and its console at hand.
func (r *runner) vet(ctx context.Context, told stream.Gate) bool {
	if r.vetted.Load() {
		return true
	}
	err := r.streams.Vet(ctx, r.config.Name)
	var foreign *stream.Foreign
	accepted := told.Member == "" && told.Reason == stream.Accepted
	if errors.As(err, &foreign) && accepted {
		if _, err = r.streams.Accept(ctx, r.config.Name); err == nil {
			r.log.Warn().Str(logReason, foreign.Reason).Msg("accepted by a person")
			err = r.streams.Vet(ctx, r.config.Name)
		}
	}
	r.foreign = foreign != nil && err != nil
	switch {
	case err == nil:
		r.vetted.Store(true)
		r.loop.SetUnfit("")
		if accepted { // which goes for what was found wrong then, and for nothing later
			r.announce(pipeline.Gate{State: pipeline.Running, Since: time.Now()})
		}
	case errors.As(err, &foreign):
		r.loop.SetUnfit(foreign.Reason + "; put it back, or go on with what is there: worker resume -c FILE --destination " + r.config.Name + " --accept")
	case errors.Is(err, stream.ErrConflict): // another worker does it
	case ctx.Err() == nil:
		r.log.Warn().Err(err).Msg("vet the streams")
	}
	return r.vetted.Load()
}
