package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ops"
)

func newStatusCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "status -c FILE [SHOP CUSTOMER]",
		Short: "Tells how the destinations are, or where one customer is",
		Long: `Tells how every destination is: its state and since when, what waits, what is
dead, how fast it goes. With a shop and a customer: which version of the
customer each destination has, and what is under way.

WAITING counts events that came and are not settled, rows that wait in a
worker's memory among them; RETRYING counts customers who wait for a later time.
A destination that is "stopped" has no worker.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return cli.Usagef("status takes no arguments, or a shop and a customer")
			}
			return nil
		},
	}
	file, form := configFlag(c), cli.OutputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			if len(args) == 2 {
				customer, err := d.Customer(ctx, args[0], args[1])
				if err != nil {
					return err
				}
				return writeCustomer(cmd.OutOrStdout(), *form, customer, time.Now())
			}
			status, err := d.Status(ctx)
			if err != nil {
				return err
			}
			return writeStatus(cmd.OutOrStdout(), *form, status, time.Now())
		})
	}
	return c
}

func writeStatus(w io.Writer, form cli.Output, status *ops.Status, now time.Time) error {
	if form == cli.JSON {
		return cli.WriteJSON(w, status)
	}
	if len(status.Destinations) == 0 {
		fmt.Fprintln(w, "the configuration has no destinations")
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tPROVIDER\tSTATE\tFOR\tWAITING\tRETRYING\tDEAD\tOLDEST\tROWS/S\tCALLS/S\tSHARDS\tREASON")
	for _, d := range status.Destinations {
		owned := 0
		for _, s := range d.Shards {
			if s.Owner != "" {
				owned++
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%.1f\t%.1f\t%d/%d\t%s\n", d.Name, dash(d.Provider), d.State,
			ageOf(d.Since, now), d.Waiting, d.Retrying, d.Dead, ageOf(d.OldestWaitingAt, now),
			d.RowsPerSecond, d.CallsPerSecond, owned, len(d.Shards), visible(dash(d.Reason)))
	}
	return table.Flush()
}

func writeCustomer(w io.Writer, form cli.Output, c *ops.CustomerStatus, now time.Time) error {
	if form == cli.JSON {
		return cli.WriteJSON(w, c)
	}
	newest := "no version that can be read"
	if c.Newest != nil {
		newest = fmt.Sprintf("newest version %d", *c.Newest)
	}
	if c.Deleted {
		newest += ", deleted"
	}
	fmt.Fprintf(w, "customer %s of shop %s: %s\n", visible(c.Customer), visible(c.Shop), newest)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(c.Destinations) > 0 {
		fmt.Fprintln(table, "DESTINATION\tSTATE\tHOLDS\tPROVIDER ID\tLAST END\tAGO\tNEXT")
	}
	for i := range c.Destinations {
		writeAt(table, &c.Destinations[i], now)
	}
	return table.Flush()
}

// writeAt writes a customer's line for one destination.
func writeAt(w io.Writer, at *ops.CustomerAt, now time.Time) {
	holds, id, end, ago, next := "nothing", "-", "-", "-", "-"
	if h := at.Ledger.Held; h != nil {
		holds, id = fmt.Sprintf("version %d", h.Version), dash(h.ProviderID)
	}
	if s := at.Ledger.Settled; s != nil {
		end, ago = fmt.Sprintf("%s at version %d", s.Outcome, s.Version), age(s.At, now)
		if s.Reason != "" {
			end += " (" + s.Reason + ")"
		}
	}
	if p := at.Ledger.Pending; at.Ledger.Waits() {
		next = fmt.Sprintf("version %d after %s", p.Version, count(p.Attempts, "attempt", "attempts"))
		if p.Next.After(now) {
			next += ", in " + age(now, p.Next)
		}
		if p.Error != "" {
			next += ": " + p.Error
		}
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", at.Name, at.State.Words(), holds, visible(id), visible(end), ago, visible(next))
}
