package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ops"
	"github.com/custsync/custsync/pkg/deadletter"
)

func newLettersEditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "edit -c FILE --patch JSON",
		Short: "Corrects dead letters' customers, each for its destination only",
		Long: `Corrects the customers of the open dead letters that the flags select; without
flags, of all. The patch is a JSON merge patch (RFC 7396) of the event's data, on
top of an earlier edit:

  --patch '{"phone":"+48123456789","address":{"flat":null}}'

What is null is left out, and the provider keeps what it has there. --patch null
takes the edits back. --patch - reads the patch from the standard input, where it
gets into no history.

An edit is of the letter's version, for its destination: replay sends it, and a
newer version supersedes it. A letter whose row would still be invalid stays as it
is; such letters are listed, and the exit code is 1. --dry-run prints what would
be sent, which is the customers' own data: mind where it goes.`,
		Args: cli.Exactly(0),
	}
	file, form := configFlag(c), cli.OutputFlag(c)
	filter, bulk := lettersFlags(c)
	patch := c.Flags().String("patch", "", "the `JSON` merge patch; - is the standard input")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed("patch") {
			return cli.Usagef("say what to change with --patch, such as --patch '{\"phone\":\"+48123456789\"}'")
		}
		data := []byte(*patch)
		if *patch == "-" {
			var err error
			if data, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), deadletter.MaxPatch+1)); err != nil {
				return fmt.Errorf("read the patch: %w", err)
			}
		}
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			bulk.Row = rowWriter(cmd.OutOrStdout(), *form)
			end := follow(ctx, cmd, d, *filter, bulk, "edited")
			done, err := d.Edit(ctx, *filter, data, *bulk)
			end()
			words := editWords(&done, err != nil)
			if err != nil && done.UpTo > 0 {
				words += fmt.Sprintf("; for the rest, do it again with --up-to %d", done.UpTo)
			}
			err = told(cmd, *form, done, words, err)
			if err == nil && done.Refused > 0 && !done.DryRun {
				err = cli.ErrTold
			}
			return err
		})
	}
	return c
}

func editWords(done *ops.EditResult, cut bool) string {
	words := "edited " + partOf(done.Edited, done.Selected, cut)
	if done.DryRun {
		words = fmt.Sprintf("would edit %d of %s", done.Edited, count(done.Selected, "dead letter", "dead letters"))
	}
	for _, more := range []struct {
		n     int
		words string
	}{
		{done.Refused, "; %d refused"},
		{done.Unchanged, "; the patch changes nothing of %d"},
		{done.Moved, "; %d had moved on in the meantime"},
	} {
		if more.n > 0 {
			words += fmt.Sprintf(more.words, more.n)
		}
	}
	if !done.DryRun && done.Edited > 0 {
		words += "; replay sends them"
	}
	return words + bounded(done.DryRun, done.UpTo)
}
