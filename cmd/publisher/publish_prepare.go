package main

import (
	"os"
	"time"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/intake"
)

// prepare turns flags into what they mean; a mistake is wrong usage.
func (p *publish) prepare() (err error) {
	o := &p.options
	if !o.dryRun || o.nats.URL != "" {
		if _, err := o.nats.options(); err != nil {
			return err
		}
	}
	switch o.format {
	case "auto":
	case string(intake.NDJSON), string(intake.CSV):
		p.intake.Format = intake.Format(o.format)
	default:
		return cli.Usagef("--format: want auto, ndjson or csv")
	}
	if p.intake.Encoding, err = intake.ParseEncoding(o.encoding); err != nil {
		return cli.Usagef("--encoding: %w", err)
	}
	if o.columns != "" {
		data, err := os.ReadFile(o.columns)
		if err != nil {
			return cli.Usagef("--columns: %w", err)
		}
		if p.intake.Columns, err = intake.ParseColumns(data); err != nil {
			return cli.Usagef("--columns: %s: %w", o.columns, err)
		}
	}
	if o.timezone != "" {
		if p.intake.Zone, err = time.LoadLocation(o.timezone); err != nil {
			return cli.Usagef("--timezone: %w", err)
		}
	}
	if o.asOf != "" {
		if p.asOf, err = time.Parse(time.RFC3339Nano, o.asOf); err != nil {
			return cli.Usagef("--as-of: want a time such as 2026-11-22T10:00:00Z")
		}
		if p.asOf.After(time.Now()) {
			return cli.Usagef("--as-of: lies in the future")
		}
	}
	if o.pending < 1 {
		return cli.Usagef("--pending: want 1 or more")
	}
	p.intake.Null = o.null
	if err := p.checkFiles(); err != nil {
		return err
	}
	return p.checkSides()
}

// checkFiles sees that the files can be read before anything is published.
func (p *publish) checkFiles() error {
	seen := make(map[string]bool)
	for _, name := range p.files {
		if seen[name] {
			return cli.Usagef("%s is named twice", name)
		}
		seen[name] = true
		if name == "-" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return &cli.UsageError{Err: err}
		}
		if info.IsDir() {
			return cli.Usagef("%s is a folder", name)
		}
	}
	return nil
}
