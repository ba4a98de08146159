// Worker brings every provider up to date with the shops' customers. Each verb
// is in a file of its own; wire.go is the only place that names providers.
//
// A verb's exit code is 0 when it is done, 1 when it failed, and 2 when it was
// used wrongly or its configuration is unfit.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks; a second one ends the process, as if nobody listened.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out a command line and returns its exit code. It is the only place
// that prints errors.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return cli.Execute(ctx, root)
}

func newRootCommand() *cobra.Command {
	return cli.Root(&cobra.Command{Use: "worker", Short: "Brings every provider up to date with the shops' customers"},
		newCheckCommand(),
		newDemoCommand(),
		newRunCommand(),
		newStatusCommand(),
		newDeadLettersCommand(),
		newPauseCommand(),
		newResumeCommand(),
		newAuditCommand(),
		newBackfillCommand(),
		newForgetCommand(),
		newRemoveCommand(),
	)
}
