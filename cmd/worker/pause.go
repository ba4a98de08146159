package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ops"
)

func newPauseCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "pause -c FILE --destination D",
		Short: "Stops one destination across the fleet",
		Long: `Stops one destination at every worker, until it is resumed. Calls in flight are
finished; what comes meanwhile waits in the stream, and nothing is lost.`,
		Args: cli.Exactly(0),
	}
	file, destination, note := configFlag(c), destinationFlag(c), noteFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		name, err := destination()
		if err != nil {
			return err
		}
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			if err := d.Pause(ctx, name, *note); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is paused\n", name)
			return err
		})
	}
	return c
}

func newResumeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "resume -c FILE --destination D",
		Short: "Starts a destination that is paused, or has a blocked one try at once",
		Long: `Starts a destination that was paused. One that is not paused but blocked, or away,
tries at once. Where it was blocked because it refused everything, its refusals
are taken for its word on each customer from now on, and become dead letters.`,
		Args: cli.Exactly(0),
	}
	file, destination, note := configFlag(c), destinationFlag(c), noteFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		name, err := destination()
		if err != nil {
			return err
		}
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			was, err := d.Resume(ctx, name, *note)
			if err != nil {
				return err
			}
			words := map[ops.Resumed]string{
				ops.WasPaused: "%s goes on\n",
				ops.WasClosed: "%s tries at once\n",
				ops.WasOpen:   "%s was not paused\n",
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), words[was], name)
			return err
		})
	}
	return c
}
