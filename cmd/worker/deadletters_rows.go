package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ops"
)

// rowWriter tells what would become of each letter: a line each, for people or as
// JSON.
func rowWriter(w io.Writer, form cli.Output) func(*ops.Would) error {
	return func(row *ops.Would) error {
		if form == cli.JSON {
			return cli.WriteJSON(w, row)
		}
		fmt.Fprintf(w, "%s: %s/%s version %d: %s", row.Destination, visible(row.Shop), visible(row.Customer), row.Version, wouldWords(row))
		if row.Message != "" {
			fmt.Fprintf(w, ": %s", visible(row.Message))
		}
		fmt.Fprintln(w)
		for _, e := range row.Errors {
			fmt.Fprintf(w, "  %s: %s\n", visible(dash(e.Field)), visible(e.Message))
		}
		if row.Row != nil && row.Would == ops.WouldSend {
			fmt.Fprintf(w, "  %s\n", visibleJSON(row.Row))
		}
		return nil
	}
}

func wouldWords(row *ops.Would) string {
	switch row.Would {
	case ops.WouldSend:
		return "would be sent as"
	case ops.WouldDelete:
		return "would be deleted at the provider"
	case ops.WouldNotChange:
		return "would change nothing, the provider has just this"
	case ops.WouldFilter:
		return "would be filtered"
	case ops.WouldRefuse:
		if row.Reason != "" {
			return "would be refused, " + string(row.Reason)
		}
		return "would be refused"
	case ops.WouldSupersede:
		return "is superseded"
	case ops.WouldFind:
		return "has nothing to send"
	case ops.WouldDiscard:
		return "would be discarded"
	case ops.WouldRestore:
		return "would be restored"
	case ops.WouldBeGone:
		return "can't be restored, its event is not kept any more"
	}
	return row.Would
}

// follow says what to go on by with a verb on many letters, and on a terminal how far
// it is with those of a filter. The function returned ends the bar.
func follow(ctx context.Context, cmd *cobra.Command, d *ops.Desk, f ops.Filter, b *ops.Bulk, what string) (end func()) {
	w := cmd.ErrOrStderr()
	b.Began = func(as ops.Began) {
		if as.Run != "" && !f.One() {
			fmt.Fprintln(w, "run", as.Run)
		}
	}
	if b.DryRun || !isTerminal(w) {
		return func() {}
	}
	total := int64(0)
	for _, err := range d.Letters(ctx, f) {
		if total++; err != nil && ctx.Err() != nil {
			break
		}
	}
	bars := mpb.NewWithContext(ctx, mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithAutoRefresh())
	bar := bars.AddBar(max(total, 1), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(what+" ")),
		mpb.AppendDecorators(decor.CountersNoUnit(" %d of %d"), decor.AverageETA(decor.ET_STYLE_GO, decor.WC{W: 8})))
	began := b.Began
	b.Began = func(as ops.Began) {
		w = bars // it stays above the bar
		began(as)
	}
	b.Progress = func(done int) { bar.SetCurrent(min(int64(done), max(total, 1)-1)) }
	return func() {
		bar.Abort(true)
		bars.Wait()
	}
}
