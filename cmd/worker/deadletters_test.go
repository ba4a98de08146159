package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ops"
	"github.com/custsync/custsync/pkg/ledger"
	"github.com/custsync/custsync/pkg/sinks"
)

// What shops and providers wrote moves no terminal's cursor and makes no lines.
func TestForeignTextsAreHarmlessOnATerminal(t *testing.T) {
	const bad = "a\x1b[2J\nb\tc\u202ed\u009b"
	wrong := []ops.FieldError{{FieldError: sinks.FieldError{Field: bad, Message: bad}, Path: bad}}
	// What JSON lets stand in a text as it is.
	document := json.RawMessage("{\"a\":\"c\u202ed\u009b[2J\U000e0001\"}")
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
		"a row as it would be sent": func(w *strings.Builder) error {
			return rowWriter(w, cli.Text)(&ops.Would{Would: ops.WouldSend, Row: document})
		},
		"an event": func(w *strings.Builder) error {
			return showLetter(w, cli.Text, &ops.Whole{Event: document})
		},
		"status": func(w *strings.Builder) error {
			return writeStatus(w, cli.Text, &ops.Status{Destinations: []ops.DestinationStatus{{Name: "one", Reason: bad}}}, time.Now())
		},
		"status of a customer": func(w *strings.Builder) error {
			return writeCustomer(w, cli.Text, &ops.CustomerStatus{Shop: bad, Customer: bad, Destinations: []ops.CustomerAt{{Name: "one", Ledger: ledger.Entry{
				Held: &ledger.Held{ProviderID: bad}, Settled: &ledger.Settled{Reason: bad}, Pending: &ledger.Pending{Seq: 1, Error: bad},
			}}}}, time.Now())
		},
		"audit": func(w *strings.Builder) error {
			return writeAudit(w, cli.Text, &ops.Audit{LostCustomers: []ops.LostCustomer{{Destination: "one", Shop: bad, Customer: bad}}})
		},
	} {
		var out strings.Builder
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); strings.ContainsAny(got, "\x1b\t\u202e\u009b\U000e0001") || strings.Contains(got, "\nb") || !strings.Contains(got, "d") {
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

// What was done until an act was cut short is not told as a part of what it saw.
func TestWordsOfWhatWasCutShort(t *testing.T) {
	for want, got := range map[string]string{
		"10 of 20 dead letters":                                            partOf(10, 20, false),
		"1 dead letter until it was cut short":                             partOf(1, 20, true),
		"edited 10 dead letters until it was cut short; replay sends them": editWords(&ops.EditResult{Selected: 20, Edited: 10}, true),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// An escaped document is the same document.
func TestEscapedDocumentSaysTheSame(t *testing.T) {
	const text = "d\u202e\u009b\U000e0001ł"
	document, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := json.Unmarshal([]byte(visibleJSON(document)), &got); err != nil || got != text {
		t.Errorf("got %q, %v", got, err)
	}
}
