package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ops"
)

func newRemoveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "remove -c FILE --destination D",
		Short: "Clears what is kept for a destination that is gone",
		Long: `Deletes all that is kept for a destination that was taken out of the configuration:
what it was last given of each customer, its dead letters, its wake-ups, and what
the workers know of it. The provider keeps its customers. status lists such
destinations as "stopped, no longer in the configuration".

A destination that comes back under this name later begins from the beginning. For
one that is renamed write formerly: instead.`,
		Args: cli.Exactly(0),
	}
	file, form, destination, note := configFlag(c), cli.OutputFlag(c), destinationFlag(c), noteFlag(c)
	dryRun := c.Flags().Bool("dry-run", false, "only say what would be deleted")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		name, err := destination()
		if err != nil {
			return err
		}
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			done, err := d.Remove(ctx, name, *note, *dryRun)
			if err != nil {
				if nothing, ok := errors.AsType[*ops.NothingKept](err); ok && len(nothing.Left) > 0 {
					err = fmt.Errorf("%w; what is left over is of: %s", err, strings.Join(nothing.Left, ", "))
				}
				return err
			}
			verb := "removed"
			if done.DryRun {
				verb = "would remove"
			}
			words := fmt.Sprintf("%s %s: %s in the ledger, %s, %s", verb, name, count(int(done.Ledger), "customer", "customers"),
				count(int(done.Letters), "dead letter", "dead letters"), count(int(done.Wakeups), "wake-up", "wake-ups"))
			return told(cmd, *form, done, words, nil)
		})
	}
	return c
}
