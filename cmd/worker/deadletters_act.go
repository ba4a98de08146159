package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ops"
)

func newLettersReplayCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "replay -c FILE",
		Short: "Delivers dead letters' customers again, each to its destination only",
		Long: `Queues the customers of the open dead letters that the flags select; without
flags, of all. What is delivered is the customer's newest state, never an old
copy, as it was edited where it was, and only to the letter's destination. A letter
closes when its customer gets through. A replay of a letter "in_doubt" says that
you have looked, and that the provider does not have the customer.

It says its run when it begins: --resume goes on with one that was cut short.
--dry-run prints what would be sent, which is the customers' own data: mind where it
goes. --up-to keeps to the letters that it told of.

The exit code is 1 if any selected letter was not queued.`,
		Args: cli.Exactly(0),
	}
	file, form := configFlag(c), cli.OutputFlag(c)
	filter, bulk := lettersFlags(c)
	resume := c.Flags().String("resume", "", "go on with the replay of this `run`, with its own letters")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		resumed := cmd.Flags().Changed("resume")
		if resumed && *filter != (ops.Filter{}) {
			return cli.Usagef("--resume goes on with the letters that its replay selected: leave the other selecting flags out")
		}
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			bulk.Row = rowWriter(cmd.OutOrStdout(), *form)
			end := follow(ctx, cmd, d, *filter, bulk, "queued")
			var done ops.ReplayResult
			var err error
			if resumed {
				done, err = d.ResumeReplay(ctx, *resume, *bulk)
			} else {
				done, err = d.Replay(ctx, *filter, *bulk)
			}
			end()
			words := "queued " + partOf(done.Queued, done.Selected, done.Run != "")
			if done.DryRun {
				words = "would queue " + count(done.Selected, "dead letter", "dead letters") + bounded(true, done.UpTo)
			}
			if done.QueuedBefore > 0 {
				words += fmt.Sprintf("; %d before it was cut short", done.QueuedBefore)
			}
			if done.Run != "" {
				words += "; go on with --resume " + done.Run
			}
			return told(cmd, *form, done, words, err)
		})
	}
	return c
}

func newLettersDiscardCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "discard -c FILE",
		Short: "Closes dead letters for good; undo opens them again",
		Long: `Closes the open dead letters that the flags select; without flags, all. Their
customers stay at the destination as they are until a newer version comes. It says
its run: undo --run opens just these again. --up-to keeps to the letters that a dry
run told of; with it, one that was cut short is done for the rest.`,
		Args: cli.Exactly(0),
	}
	file, form := configFlag(c), cli.OutputFlag(c)
	filter, bulk := lettersFlags(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			bulk.Row = rowWriter(cmd.OutOrStdout(), *form)
			end := follow(ctx, cmd, d, *filter, bulk, "discarded")
			done, err := d.Discard(ctx, *filter, *bulk)
			end()
			words := "discarded " + partOf(done.Discarded, done.Selected, err != nil)
			if done.DryRun {
				words = "would discard " + count(done.Selected, "dead letter", "dead letters") + bounded(true, done.UpTo)
			}
			if done.Moved > 0 {
				words += fmt.Sprintf("; %d had moved on in the meantime", done.Moved)
			}
			if done.Discarded > 0 {
				words += "; undo --run " + done.Run + " opens them again"
			}
			if err != nil && done.Run != "" {
				words += fmt.Sprintf("; for the rest, do it again with --up-to %d", done.UpTo)
			}
			return told(cmd, *form, done, words, err)
		})
	}
	return c
}

func newLettersUndoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "undo -c FILE",
		Short: "Opens discarded dead letters again",
		Long: `Opens the discarded letters that the flags select again; without flags, all of
the last 90 days, and with --run those of one discard. Customers that a newer
version has reached since stay as they are. --older-than counts from when the letter
was written.`,
		Args: cli.Exactly(0),
	}
	file, form := configFlag(c), cli.OutputFlag(c)
	filter, bulk := lettersFlags(c)
	c.Flags().StringVar(&filter.Run, "run", "", "only what this `run` of discard closed")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			var end func()
			bulk.Row = rowWriter(cmd.OutOrStdout(), *form)
			bulk.Progress, end = progress(cmd.ErrOrStderr(), "restored")
			done, err := d.Undo(ctx, *filter, *bulk)
			end()
			words := "restored " + count(done.Restored, "dead letter", "dead letters")
			if done.DryRun {
				words = "would restore " + count(done.Restored, "dead letter", "dead letters") + bounded(true, done.UpTo)
			}
			if done.Gone > 0 {
				words += fmt.Sprintf("; %d can't be restored, their events are not kept any more", done.Gone)
			}
			return told(cmd, *form, done, words, err)
		})
	}
	return c
}

// partOf says how many of the selected letters were done. Of an act that was cut
// short nobody knows how many there were.
func partOf(done, selected int, cut bool) string {
	if cut {
		return count(done, "dead letter", "dead letters") + " until it was cut short"
	}
	return fmt.Sprintf("%d of %s", done, count(selected, "dead letter", "dead letters"))
}

// bounded says how to do it to the letters of a dry run alone.
func bounded(dry bool, upTo uint64) string {
	if !dry || upTo == 0 {
		return ""
	}
	return fmt.Sprintf("; these alone with --up-to %d", upTo)
}

// told writes what was done, also where not all of it was. Of what was asked for
// wrongly there is nothing to tell: it never began.
func told(cmd *cobra.Command, form cli.Output, what any, words string, err error) error {
	_, misused := errors.AsType[*ops.Misuse](err)
	if _, unknown := errors.AsType[*ops.UnknownDestination](err); misused || unknown {
		return err
	}
	wrong := error(nil)
	if form == cli.JSON {
		wrong = cli.WriteJSON(cmd.OutOrStdout(), what)
	} else {
		_, wrong = fmt.Fprintln(cmd.OutOrStdout(), words)
	}
	if err != nil {
		return err
	}
	return wrong
}
