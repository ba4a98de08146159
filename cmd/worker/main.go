// Worker brings every provider up to date with the shops' customers. Each verb
// is in a file of its own; wire.go is the only place that names providers.
//
// A verb's exit code is 0 when it is done, 1 when it failed, and 2 when it was
// used wrongly or its configuration is unfit.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/config"
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
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	_, mistaken := errors.AsType[*config.Mistakes](err)
	_, misused := errors.AsType[*usageError](err)
	switch {
	case errors.Is(err, errTold):
	case mistaken:
		fmt.Fprintln(stderr, err)
	default:
		fmt.Fprintf(stderr, "worker: %v\n", err)
	}
	if mistaken || misused {
		return 2
	}
	return 1
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "worker",
		Short:         "Brings every provider up to date with the shops' customers",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
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
	)
	root.CompletionOptions.HiddenDefaultCmd = true
	asGroup(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	return root
}

// asGroup has a command that only holds others say which there are.
func asGroup(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s needs a command; try %s --help", c.CommandPath(), c.CommandPath())
		}
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			return usagef("%s has no command %q; did you mean %s?", c.CommandPath(), args[0], strings.Join(near, ", "))
		}
		return usagef("%s has no command %q; try %s --help", c.CommandPath(), args[0], c.CommandPath())
	}
	c.SuggestionsMinimumDistance = 2
}

// usageError is a command line that can't be carried out.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// errTold is a failure that the verb's own output has told.
var errTold = errors.New("failed")

// exactly makes the wrong number of arguments wrong usage.
func exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(c, args); err != nil {
			return &usageError{err}
		}
		return nil
	}
}
