package main

import (
	"fmt"
	"os"

	"github.com/custsync/custsync/internal/bulk"
	"github.com/custsync/custsync/internal/cli"
)

func (p *publish) sidePath(name string) string {
	switch {
	case p.options.refused != "":
		return p.options.refused
	case name == "-":
		return "stdin.refused.ndjson"
	}
	return name + ".refused.ndjson"
}

// side is the file for the refused lines of an input.
func (p *publish) side(name string) *bulk.Refusals {
	path := p.sidePath(name)
	if p.sides[path] == nil {
		p.sides[path] = &bulk.Refusals{Path: path, Keep: p.options.refused != "" && len(p.files) > 1 && p.anyProgress()}
	}
	return p.sides[path]
}

func (p *publish) tellRefusal(show *show, r bulk.Refusal) {
	switch p.told++; {
	case p.told <= toldRefusals:
		show.say(fmt.Sprintf("line %d refused: %s", r.Line, r.Reason))
	case p.told == toldRefusals+1:
		show.say("more lines are refused; they are not told one by one")
	}
}

// checkSides sees that no file of refused lines would replace an input.
func (p *publish) checkSides() error {
	for _, name := range p.files {
		side, err := os.Stat(p.sidePath(name))
		if err != nil {
			continue
		}
		for _, input := range p.files {
			if info, err := os.Stat(input); err == nil && os.SameFile(info, side) {
				return cli.Usagef("%s would be overwritten with refused lines: name another file with --refused", input)
			}
		}
	}
	return nil
}
