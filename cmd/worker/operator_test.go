package main

import (
	"errors"
	"testing"
)

// Who has no name on the machine is still told from others in the record.
func TestNameless(t *testing.T) {
	if got := nameless(10001, func() (string, error) { return "pod-7", nil }); got != "uid 10001 on pod-7" {
		t.Errorf("got %q", got)
	}
	if got := nameless(10001, func() (string, error) { return "", errors.New("none") }); got != "uid 10001 on an unknown host" {
		t.Errorf("got %q", got)
	}
}
