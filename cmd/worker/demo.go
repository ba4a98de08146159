package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/demo"
)

func newDemoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "demo",
		Short: "Shows it all in one process: NATS, stand-ins of the providers, customers, faults",
		Long: `Shows it all in one process, without configuration, server or account: a NATS
server, stand-ins of the providers over real HTTP, sample customers of five shops
who change while it runs, the usual faults, and the worker with its console. At
the end it checks that every event has one end and every provider the newest of
every customer.`,
		Args: cli.Exactly(0),
	}
	customers := c.Flags().Int("customers", 2000, "`number` of customers")
	exit := c.Flags().Bool("exit", false, "leave when all is settled; 1 if something got lost")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if *customers < 1 {
			return cli.Usagef("--customers is at least 1")
		}
		out := cmd.OutOrStdout()
		seen := isTerminal(out) && os.Getenv("TERM") != "dumb"
		d := &demo.Demo{
			Customers: *customers, Exit: *exit,
			Load: readConfig, Make: makeDestination, Site: newSite, Logger: newLogger,
			Out: out, Terminal: seen, Color: seen && os.Getenv("NO_COLOR") == "",
			Program: program(),
		}
		return d.Run(cmd.Context())
	}
	return c
}

// program is how this program is called again: by its path, or with go run where
// that made it.
func program() string {
	path, err := os.Executable()
	if err != nil || strings.Contains(path, string(filepath.Separator)+"go-build") {
		return "go run ./cmd/worker"
	}
	if path == "" || len(os.Args[0]) < len(path) {
		return os.Args[0]
	}
	return path
}
