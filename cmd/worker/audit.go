package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ops"
)

func newAuditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit -c FILE",
		Short: "Accounts for every customer at every destination",
		Long: `Walks through all customers of the stream and tells what became of the newest
state of each at every destination of the configuration: in step, waiting, dead,
discarded, filtered, skipped (the provider has no such operation), not owed
(published before a destination with "start: new" began), regressed (the
destination was given a newer version than the stream has), or lost. It may run
while workers do.

The exit code is 1 if anything is lost.`,
		Args: cli.Exactly(0),
	}
	file, form := configFlag(c), cli.OutputFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			tell, end := progress(cmd.ErrOrStderr(), "customers")
			audit, err := d.Audit(ctx, tell)
			end()
			if err != nil {
				return err
			}
			if err := writeAudit(cmd.OutOrStdout(), *form, audit); err != nil {
				return err
			}
			if audit.Lost > 0 {
				return fmt.Errorf("lost: %d", audit.Lost)
			}
			return nil
		})
	}
	return c
}

func writeAudit(w io.Writer, form cli.Output, a *ops.Audit) error {
	if form == cli.JSON {
		return cli.WriteJSON(w, a)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DESTINATION\tIN STEP\tWAITING\tDEAD\tDISCARDED\tFILTERED\tSKIPPED\tNOT OWED\tREGRESSED\tLOST")
	line := func(name string, c ops.Counts) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", name, c.InStep, c.Waiting, c.Dead, c.Discarded,
			c.Filtered, c.Skipped, c.NotOwed, c.Regressed, c.Lost)
	}
	for _, d := range a.Destinations {
		line(d.Name, d.Counts)
	}
	line("all", a.Counts)
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, count(a.Customers, "customer", "customers"))
	for _, l := range a.LostCustomers {
		fmt.Fprintf(w, "lost: customer %s of shop %s at %s, version %d\n", visible(l.Customer), visible(l.Shop), l.Destination, l.Version)
	}
	if more := a.Lost - len(a.LostCustomers); more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
	return nil
}
