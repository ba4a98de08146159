package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ops"
)

func newBackfillCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "backfill -c FILE --destination D",
		Short: "Delivers every customer to one destination where the row differs",
		Long: `Queues every customer for one destination. Its workers make each row anew, and
send those that differ from what the destination was last given. Use it after
shops, when or map were widened.

What shops change meanwhile goes first: a backfill uses what is left of the
destination's limits, and with --rate no more than so many customers a second. It
takes as long as the sending; where it was cut short, run it again: those who were
sent are passed over.`,
		Args: cli.Exactly(0),
	}
	file, form, destination, bulk := configFlag(c), cli.OutputFlag(c), destinationFlag(c), bulkFlags(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		name, err := destination()
		if err != nil {
			return err
		}
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			var end func()
			bulk.Progress, end = progress(cmd.ErrOrStderr(), "queued")
			done, err := d.Backfill(ctx, name, *bulk)
			end()
			words := fmt.Sprintf("queued %s for %s", count(done.Queued, "customer", "customers"), name)
			if done.DryRun {
				words = fmt.Sprintf("would queue %s for %s", count(done.Customers, "customer", "customers"), name)
			}
			if _, unknown := errors.AsType[*ops.UnknownDestination](err); unknown {
				return err
			}
			return told(cmd, *form, done, words, err)
		})
	}
	return c
}
