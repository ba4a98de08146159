// Command bench measures custsync, and beside it, in the same run, the raw
// limits that it is held against: what JetStream itself gives on this machine.
//
// Promises: the broker is a nats-server in a process of its own, so that its
// processor time is told apart from the client's; nothing outside a temporary
// folder and 127.0.0.1 is touched; every figure is a median of several runs,
// printed with its spread and with the share of the machine that others used
// meanwhile, because a figure without these can't be compared with another.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "bench",
		Short:         "Measure custsync and the raw limits it is held against",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newAllCommand(), newDrainCommand(), newFleetCommand(), newRawCommand(), newPublishCommand(), newServeCommand(), newBrokerCommand(), newStandInCommand())
	return root
}
