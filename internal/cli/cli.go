// Package cli is what the commands share: exit codes, wrong usage, and the form
// of what a verb writes.
//
// Promise: a verb's exit code is 0 when it is done, 1 when it failed, and 2 when
// it was used wrongly; what went wrong is printed once.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// UsageError is a command line, or a file that it names, that can't be carried out.
type UsageError struct {
	Err   error
	Plain bool // it names its place in a file, and the program's name before it would be in the way
}

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{Err: fmt.Errorf(format, args...)} }

// ErrTold is a failure that the verb's own output has told.
var ErrTold = errors.New("failed")

// Execute carries out a command line, prints what went wrong and returns the
// exit code.
func Execute(ctx context.Context, root *cobra.Command) int {
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	usage, misused := errors.AsType[*UsageError](err)
	switch {
	case errors.Is(err, ErrTold):
	case misused && usage.Plain:
		fmt.Fprintln(root.ErrOrStderr(), err)
	default:
		fmt.Fprintf(root.ErrOrStderr(), "%s: %v\n", root.Name(), err)
	}
	if misused {
		return 2
	}
	return 1
}

// Root makes a command the root of the verbs given.
func Root(root *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.AddCommand(verbs...)
	root.CompletionOptions.HiddenDefaultCmd = true
	Group(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &UsageError{Err: err} })
	return root
}

// Group has a command that only holds others say which there are.
func Group(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return Usagef("%s needs a command; try %s --help", c.CommandPath(), c.CommandPath())
		}
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			return Usagef("%s has no command %q; did you mean %s?", c.CommandPath(), args[0], strings.Join(near, ", "))
		}
		return Usagef("%s has no command %q; try %s --help", c.CommandPath(), args[0], c.CommandPath())
	}
	c.SuggestionsMinimumDistance = 2
}

// Exactly makes the wrong number of arguments wrong usage.
func Exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(c, args); err != nil {
			return &UsageError{Err: err}
		}
		return nil
	}
}

// Output is the form in which a verb writes what it tells.
type Output string

// The forms of Output.
const (
	Text Output = "text"
	JSON Output = "json"
)

// OutputFlag adds -o.
func OutputFlag(c *cobra.Command) *Output {
	o := Text
	c.Flags().VarP(&o, "output", "o", "`form` of the output: text or json")
	return &o
}

func (o *Output) String() string { return string(*o) }

// Type names the flag's values in the help.
func (o *Output) Type() string { return "form" }

// Set is called for the flag.
func (o *Output) Set(s string) error {
	if s != string(Text) && s != string(JSON) {
		return Usagef("want text or json")
	}
	*o = Output(s)
	return nil
}

// WriteJSON writes one document on a line of its own.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
