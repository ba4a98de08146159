package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/config/suggest"
	"github.com/custsync/custsync/internal/ops"
	"github.com/custsync/custsync/pkg/deadletter"
)

func newDeadLettersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "deadletters",
		Short: "The dead letters as a work queue",
		Long: `The customers that a destination would not take, with the reason. A letter is
open until a newer version of the customer gets through, or a person discards it.`,
	}
	c.AddCommand(
		newLettersListCommand(),
		newLettersGroupsCommand(),
		newLettersShowCommand(),
		newLettersReplayCommand(),
		newLettersEditCommand(),
		newLettersDiscardCommand(),
		newLettersUndoCommand(),
	)
	cli.Group(c)
	return c
}

// filterFlags adds the flags that select dead letters.
func filterFlags(c *cobra.Command) *ops.Filter {
	f := new(ops.Filter)
	flags := c.Flags()
	flags.StringVar(&f.Destination, "destination", "", "only of this `destination`")
	flags.Var((*reasonFlag)(&f.Reason), "reason", "only with this `reason`: "+strings.Join(reasons(), ", "))
	flags.StringVar(&f.Shop, "shop", "", "only of this `shop`")
	flags.StringVar(&f.Customer, "customer", "", "only of this `customer`")
	flags.StringVar(&f.Fingerprint, "fingerprint", "", "only of this cause, a `fingerprint` as groups tells it")
	flags.Var((*ageFlag)(&f.OlderThan), "older-than", "only those last added to so long ago: a `time` such as 90m, 12h, 7d")
	return f
}

// lettersFlags adds the flags of verbs that act on many letters.
func lettersFlags(c *cobra.Command) (*ops.Filter, *ops.Bulk) {
	f := filterFlags(c)
	c.Flags().Uint64Var(&f.UpTo, "up-to", 0, "nothing that came after a dry run, by the `place` that it told")
	return f, bulkFlags(c)
}

// bulkFlags adds the flags of verbs that act on many customers.
func bulkFlags(c *cobra.Command) *ops.Bulk {
	b := new(ops.Bulk)
	c.Flags().BoolVar(&b.DryRun, "dry-run", false, "only say what would be done, letter by letter")
	c.Flags().Var((*rateFlag)(&b.Rate), "rate", "at most this `number` a second; absent: as fast as it goes")
	c.Flags().StringVar(&b.Note, "note", "", "`text` that says why, for the record; no customer data")
	return b
}

// visible is a text that others wrote, such as a customer's id, as a terminal may be
// given it: without what moves its cursor or turns the direction of writing.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// visibleJSON is a document as a terminal may be given it: the same document, with
// what visible would take out written as JSON's escapes.
func visibleJSON(document []byte) string {
	var b strings.Builder
	for _, r := range string(document) {
		switch {
		case unicode.IsPrint(r) || r == '\n':
			b.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func reasons() []string {
	var all []string
	for _, r := range ops.Reasons() {
		all = append(all, string(r))
	}
	return all
}

type reasonFlag deadletter.Reason

func (r *reasonFlag) String() string { return string(*r) }
func (r *reasonFlag) Type() string   { return "reason" }

func (r *reasonFlag) Set(s string) error {
	for _, known := range ops.Reasons() {
		if s == string(known) {
			*r = reasonFlag(known)
			return nil
		}
	}
	return fmt.Errorf("there is no such reason; %s", suggest.Hint(s, reasons()))
}

// ageFlag is a duration that may be in days.
type ageFlag time.Duration

func (a *ageFlag) Type() string { return "time" }

func (a *ageFlag) String() string {
	if *a == 0 {
		return ""
	}
	return time.Duration(*a).String()
}

func (a *ageFlag) Set(s string) error {
	d, err := ops.ParseAge(s)
	*a = ageFlag(d)
	return err
}

type rateFlag float64

func (r *rateFlag) Type() string { return "number" }

func (r *rateFlag) String() string {
	if *r == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*r), 'g', -1, 64)
}

func (r *rateFlag) Set(s string) error {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n > 0) || n > 1e6 {
		return fmt.Errorf("want a number above 0: how many a second")
	}
	*r = rateFlag(n)
	return nil
}
