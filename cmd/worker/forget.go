package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ops"
)

func newForgetCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "forget -c FILE SHOP CUSTOMER",
		Short: "Resets a customer's versions, so that any may be delivered next",
		Long: `Resets the fence of one customer: for a shop that began to number its versions
anew, or published one that is far too high. What was published last counts as
the newest from now on and is delivered again to every destination, whatever its
version; older states are removed from the stream.

With --destination only that destination forgets the customer, and is given the
stream's newest state again in full: for a provider that lost it. The provider's
own id of the customer is kept.`,
		Args: cli.Exactly(2),
	}
	file, form, note := configFlag(c), cli.OutputFlag(c), noteFlag(c)
	destination := c.Flags().String("destination", "", "only at this `destination`")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return atDesk(cmd, *file, func(ctx context.Context, d *ops.Desk) error {
			forgotten, err := d.Forget(ctx, args[0], args[1], *destination, *note)
			if err != nil {
				return err
			}
			for _, f := range forgotten {
				if *form == cli.JSON {
					err = cli.WriteJSON(cmd.OutOrStdout(), f)
				} else {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: forgotten, and queued\n", f.Name)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return c
}
