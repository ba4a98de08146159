package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/config"
)

// configFlag adds -c, with which every verb but demo names its configuration.
func configFlag(c *cobra.Command) *string {
	return c.Flags().StringP("config", "c", "", "the configuration `file`")
}

// load reads and checks the file that -c names.
func load(path string) (*config.Config, error) {
	if path == "" {
		return nil, usagef("name the configuration file with -c FILE")
	}
	c, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// output is how a verb writes what it lists.
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
