package sinks_test

import (
	"strings"
	"testing"

	"github.com/custsync/custsync/pkg/sinks"
)

func TestSchema(t *testing.T) {
	s := sinks.Schema{
		Fields: []string{"name", "email", "address.city"}, Lists: []string{"email", "tags.*"},
		Objects: []string{"cards"}, Open: []string{"custom", "tags"},
	}
	for name, want := range map[string]sinks.Form{
		"name": sinks.Value, "email": sinks.Values, "address.city": sinks.Value, "address": sinks.Object,
		"cards": sinks.Objects, "custom": sinks.Object, "custom.a": sinks.Value, "custom.a.b": sinks.Value, "tags.x": sinks.Values,
		"": sinks.NoField, "nam": sinks.NoField, "addr": sinks.NoField, "address.street": sinks.NoField, "name.x": sinks.NoField, "cards.0": sinks.NoField,
	} {
		if got := s.Form(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
	if got, want := strings.Join(s.Names(), " "), "name email address.city cards custom.* tags.*"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
