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
are taken for its word on each customer from now on, and become dead letters.

A destination is blocked, too, where the streams are not those that it was worked
on with: the ledger was emptied, or the customers are in a stream that was made
anew. Put them back if you can. With --accept it goes on with what is there: all
customers are read anew and held against the ledger, and those that the ledger
does not know are created at the provider, once more where it has them.`,
		Args: cli.Exactly(0),
	}
	file, destination, note := configFlag(c), destinationFlag(c), noteFlag(c)
	accept := c.Flags().Bool("accept", false, "go on although the streams are not those of before")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		name, err := destination()
		if err != nil {
			return err
		}
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			if *accept {
				return acceptStreams(ctx, cmd, d, name, *note)
			}
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

func acceptStreams(ctx context.Context, cmd *cobra.Command, d *ops.Desk, name, note string) error {
	accepted, err := d.Accept(ctx, name, note)
	switch {
	case err != nil:
		return err
	case accepted == "":
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: its streams are those of before; there is nothing to accept\n", name)
	default:
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s goes on, and reads all customers anew, although %s\n", name, accepted)
	}
	return err
}
