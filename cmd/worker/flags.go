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

// load reads and checks the file that -c names.
func load(path string) (*config.Config, error) {
	if path == "" {
		return nil, cli.Usagef("name the configuration file with -c FILE")
	}
	c, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	return c, nil
}
