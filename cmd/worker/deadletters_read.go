package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ops"
)

func newLettersListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list -c FILE",
		Short: "Lists the open dead letters",
		Long: `Lists the open dead letters, with ids and reasons and without the customers' own
data; with -o json one object a line.`,
		Args: cli.Exactly(0),
	}
	file, form, filter := configFlag(c), cli.OutputFlag(c), filterFlags(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			list := newLetterList(cmd.OutOrStdout(), *form, time.Now())
			var unread []error
			for l, err := range d.Letters(ctx, *filter) {
				if err == nil {
					err = list.write(&l)
				} else if len(unread) < maxTold {
					unread = append(unread, err)
					continue
				}
				if err != nil {
					return err
				}
			}
			return errors.Join(append(unread, list.end())...)
		})
	}
	return c
}

// maxTold is how many letters that can't be read are told of.
const maxTold = 5

// letterList writes letters as they come: a table whose columns fit what has
// been seen of a hundred letters, so that memory is bounded.
type letterList struct {
	w     io.Writer
	form  cli.Output
	now   time.Time
	table *tabwriter.Writer
	lines int
}

func newLetterList(w io.Writer, form cli.Output, now time.Time) *letterList {
	return &letterList{w: w, form: form, now: now, table: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
}

func (t *letterList) write(l *ops.Letter) error {
	if t.form == cli.JSON {
		return cli.WriteJSON(t.w, l)
	}
	if t.lines == 0 {
		fmt.Fprintln(t.table, "DESTINATION\tSHOP\tCUSTOMER\tVERSION\tREASON\tATTEMPTS\tAGO\tFINGERPRINT\tWHY")
	}
	fmt.Fprintf(t.table, "%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\t%s\n", l.Destination, visible(l.Shop), visible(l.Customer), l.Version, l.Reason,
		l.Attempts, age(l.LastAt, t.now), l.Fingerprint, visible(why(l)))
	if t.lines++; t.lines%100 == 0 {
		return t.table.Flush()
	}
	return nil
}

func (t *letterList) end() error {
	if t.form == cli.Text && t.lines == 0 {
		fmt.Fprintln(t.w, "no open dead letters")
	}
	return t.table.Flush()
}

// why is a letter's first error in a few words.
func why(l *ops.Letter) string {
	words := l.ProviderMessage
	if len(l.Errors) > 0 {
		words = l.Errors[0].Field + ": " + l.Errors[0].Message
		if more := len(l.Errors) - 1; more > 0 {
			words += fmt.Sprintf(" (and %d more)", more)
		}
	}
	if r := []rune(words); len(r) > 100 {
		words = string(r[:99]) + "…"
	}
	return dash(words)
}

func newLettersGroupsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "groups -c FILE",
		Short: "Counts the open dead letters by cause",
		Args:  cli.Exactly(0),
	}
	file, form, filter := configFlag(c), cli.OutputFlag(c), filterFlags(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			groups, err := d.Groups(ctx, *filter)
			if err != nil {
				return err
			}
			return writeGroups(cmd.OutOrStdout(), *form, groups, time.Now())
		})
	}
	return c
}

func writeGroups(w io.Writer, form cli.Output, groups []ops.Group, now time.Time) error {
	if form == cli.JSON {
		for _, g := range groups {
			if err := cli.WriteJSON(w, g); err != nil {
				return err
			}
		}
		return nil
	}
	if len(groups) == 0 {
		fmt.Fprintln(w, "no open dead letters")
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LETTERS\tDESTINATION\tREASON\tFINGERPRINT\tFIRST\tLAST\tEXAMPLE\tWHY")
	for _, g := range groups {
		words := g.Cause
		if g.Field != "" {
			words = g.Field + ": " + words
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s %s\t%s\n", g.Letters, g.Destination, g.Reason, g.Fingerprint,
			age(g.FirstAt, now), age(g.LastAt, now), visible(g.Example.Shop), visible(g.Example.Customer), visible(dash(words)))
	}
	return table.Flush()
}

func newLettersShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show -c FILE --shop S --customer C",
		Short: "Shows a dead letter with its event and request row",
		Long: `Shows the open dead letters of one customer with the event as published and the
row as it would be sent. This prints the customer's own data, names and
addresses among them: mind where it goes.`,
		Args: cli.Exactly(0),
	}
	file, form, filter := configFlag(c), cli.OutputFlag(c), filterFlags(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if filter.Customer == "" && filter.Fingerprint == "" {
			return cli.Usagef("name a customer with --shop and --customer, or a cause with --fingerprint")
		}
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			shown := 0
			for l, err := range d.Show(ctx, *filter) {
				if err != nil {
					return err
				}
				if err := showLetter(cmd.OutOrStdout(), *form, &l); err != nil {
					return err
				}
				shown++
			}
			if shown == 0 {
				return errors.New("no open dead letter is like that")
			}
			return nil
		})
	}
	return c
}

func showLetter(w io.Writer, form cli.Output, l *ops.Whole) error {
	if form == cli.JSON {
		return cli.WriteJSON(w, l)
	}
	fmt.Fprintf(w, "%s: customer %s of shop %s, version %d\n", l.Destination, visible(l.Customer), visible(l.Shop), l.Version)
	fmt.Fprintf(w, "  %s after %s, first %s, last %s\n", l.Reason, count(l.Attempts, "attempt", "attempts"),
		l.FirstAt.Format(time.RFC3339), l.LastAt.Format(time.RFC3339))
	for _, e := range l.Errors {
		from := ""
		if e.Path != "" && e.Path != e.Field {
			from = " (from " + e.Path + ")"
		}
		fmt.Fprintf(w, "  %s: %s%s\n", visible(dash(e.Field)), visible(e.Message), visible(from))
	}
	if l.ProviderMessage != "" {
		fmt.Fprintf(w, "  the provider: %s\n", visible(l.ProviderMessage))
	}
	fmt.Fprintf(w, "  fingerprint %s\nevent:\n", l.Fingerprint)
	if err := showJSON(w, l.Event); err != nil {
		return err
	}
	if e := l.Edit; e != nil {
		fmt.Fprintf(w, "edit of %s by %s%s:\n", e.At.Format(time.RFC3339), visible(dash(e.By)), visible(noted(e.Note)))
		if err := showJSON(w, e.Patch); err != nil {
			return err
		}
		fmt.Fprintln(w, "customer as edited:")
		if err := showJSON(w, e.Customer); err != nil {
			return err
		}
	}
	if l.Row == nil {
		return nil
	}
	fmt.Fprintln(w, "row:")
	return showJSON(w, l.Row)
}

func noted(note string) string {
	if note == "" {
		return ""
	}
	return " (" + note + ")"
}

func showJSON(w io.Writer, data json.RawMessage) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(data); err != nil {
		return err
	}
	_, err := io.WriteString(w, visibleJSON(b.Bytes()))
	return err
}
