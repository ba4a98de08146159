package main

import (
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ops"
	"github.com/custsync/custsync/pkg/sinks"
)

// What shops and providers wrote moves no terminal's cursor and makes no lines.
func TestForeignTextsAreHarmlessOnATerminal(t *testing.T) {
	const bad = "a\x1b[2J\nb\tc\u202ed\u009b"
	wrong := []ops.FieldError{{FieldError: sinks.FieldError{Field: bad, Message: bad}, Path: bad}}
	letter := ops.Letter{Destination: "one", Shop: bad, Customer: bad, ProviderMessage: bad, Errors: wrong}
	for name, write := range map[string]func(w *strings.Builder) error{
		"list": func(w *strings.Builder) error {
			list := newLetterList(w, cli.Text, time.Now())
			return orEnd(list.write(&letter), list.end)
		},
		"groups": func(w *strings.Builder) error {
			return writeGroups(w, cli.Text, []ops.Group{{Cause: bad, Field: bad, Example: ops.Example{Shop: bad, Customer: bad}}}, time.Now())
		},
		"show": func(w *strings.Builder) error {
			return showLetter(w, cli.Text, &ops.Whole{Letter: letter, Event: []byte("{}"), Edit: &ops.Edit{By: bad, Note: bad, Patch: []byte("{}"), Customer: []byte("{}")}})
		},
		"rows": func(w *strings.Builder) error {
			return rowWriter(w, cli.Text)(&ops.Would{Shop: bad, Customer: bad, Message: bad, Errors: wrong})
		},
	} {
		var out strings.Builder
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); strings.ContainsAny(got, "\x1b\t\u202e\u009b") || strings.Contains(got, "\nb") || !strings.Contains(got, "d") {
			t.Errorf("%s wrote %q", name, got)
		}
	}
}

func orEnd(err error, end func() error) error {
	if err != nil {
		return err
	}
	return end()
}
