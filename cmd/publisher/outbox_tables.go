package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/outbox"
)

func newMigrateCommand() *cobra.Command {
	var d database
	var show bool
	c := &cobra.Command{
		Use:   "migrate --dsn DSN",
		Short: "Prepares a database: tables and a trigger of the outbox",
		Args:  cli.Exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if show {
				_, err := io.WriteString(cmd.OutOrStdout(), outbox.Migration)
				return err
			}
			config, err := d.config()
			if err != nil {
				return err
			}
			if err := outbox.Migrate(cmd.Context(), config); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "prepared")
			return err
		},
	}
	d.add(c)
	c.Flags().BoolVar(&show, "print", false, "print the SQL and do nothing")
	return c
}

func newRefusedCommand() *cobra.Command {
	var d database
	var retry, discard bool
	c := &cobra.Command{
		Use:   "refused --dsn DSN [--retry|--discard] [ROW...]",
		Short: "Lists the rows that were set aside, puts them back, or deletes them",
		Long: `Lists the rows that were set aside, each with the reason. With --retry they are
put back into the outbox, with the versions that they had, and with --discard they
are deleted: the rows named, or all of them.`,
		Args: cobra.ArbitraryArgs,
	}
	d.add(c)
	form := cli.OutputFlag(c)
	c.Flags().BoolVar(&retry, "retry", false, "put them back into the outbox")
	c.Flags().BoolVar(&discard, "discard", false, "delete them")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		ids, err := rowIDs(args)
		switch {
		case err != nil:
			return err
		case retry && discard:
			return cli.Usagef("give either --retry or --discard, not both")
		case len(ids) > 0 && !retry && !discard:
			return cli.Usagef("say with --retry or --discard what to do with the rows")
		}
		config, err := d.config()
		if err != nil {
			return err
		}
		ctx, out := cmd.Context(), cmd.OutOrStdout()
		switch {
		case retry:
			return tellChanged(out, *form, "put back", func() (int64, error) { return outbox.Retry(ctx, config, ids) })
		case discard:
			return tellChanged(out, *form, "discarded", func() (int64, error) { return outbox.Discard(ctx, config, ids) })
		}
		return listRefused(ctx, out, *form, config)
	}
	return c
}

func rowIDs(args []string) ([]int64, error) {
	var ids []int64
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || id < 1 {
			return nil, cli.Usagef("want the numbers of rows, got %q", arg)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func tellChanged(out io.Writer, form cli.Output, what string, change func() (int64, error)) error {
	n, err := change()
	var told error
	if form == cli.JSON {
		told = cli.WriteJSON(out, map[string]int64{strings.ReplaceAll(what, " ", "_"): n})
	} else {
		_, told = fmt.Fprintf(out, "%s %d\n", what, n)
	}
	return errors.Join(err, told)
}

func listRefused(ctx context.Context, out io.Writer, form cli.Output, config *pgx.ConnConfig) error {
	if form == cli.JSON {
		return outbox.ListRefused(ctx, config, func(r outbox.Refused) error { return cli.WriteJSON(out, r) })
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\tshop\tcustomer\tsince\treason")
	err := outbox.ListRefused(ctx, config, func(r outbox.Refused) error {
		_, err := fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", r.ID, r.Shop, r.Customer, r.RefusedAt.Format(time.RFC3339), r.Reason)
		return err
	})
	return errors.Join(err, w.Flush())
}
