package main

import (
	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/config"
)

// configFlag adds -c, with which every verb but demo names its configuration.
func configFlag(c *cobra.Command) *string {
	return c.Flags().StringP("config", "c", "", "the configuration `file`")
}

// load reads and checks the file that -c names. A file whose last destination was
// taken out still serves the verbs that clean up after it.
func load(path string) (*config.Config, error) { return loadFor(path, false) }

// loadToDeliver is load for what has no use for a file without destinations.
func loadToDeliver(path string) (*config.Config, error) { return loadFor(path, true) }

func loadFor(path string, delivers bool) (*config.Config, error) {
	if path == "" {
		return nil, cli.Usagef("name the configuration file with -c FILE")
	}
	return readFor(path, delivers)
}
