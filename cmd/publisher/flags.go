package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"
)

// output is how a verb writes what it tells.
type output string

const (
	text   output = "text"
	asJSON output = "json"
)

// outputFlag adds -o.
func outputFlag(c *cobra.Command) *output {
	o := text
	c.Flags().VarP(&o, "output", "o", "`form` of the output: text or json")
	return &o
}

func (o *output) String() string { return string(*o) }
func (o *output) Type() string   { return "form" }

// Set is called for the flag.
func (o *output) Set(s string) error {
	if s != string(text) && s != string(asJSON) {
		return usagef("want text or json")
	}
	*o = output(s)
	return nil
}

// writeJSON writes one document on a line of its own.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
