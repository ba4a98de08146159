package events_test

import (
	"slices"
	"testing"

	"github.com/custsync/custsync/pkg/events"
)

func TestDisplayName(t *testing.T) {
	some := events.Some[string]
	for _, tc := range []struct {
		name string
		c    events.Customer
		want string
	}{
		{"nothing", events.Customer{}, ""},
		{"full name", events.Customer{FullName: some(" Jan Kowalski "), FirstName: some("J")}, "Jan Kowalski"},
		{"parts", events.Customer{FirstName: some("Olga"), MiddleName: some("P."), LastName: some("Boiko ")}, "Olga P. Boiko"},
		{"last name only", events.Customer{LastName: some("Boiko"), FirstName: events.Clear[string]()}, "Boiko"},
		{"full name blank", events.Customer{FullName: some(" "), LastName: some("Boiko")}, "Boiko"},
		{"full name to be cleared", events.Customer{FullName: events.Clear[string](), LastName: some("Boiko")}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.c.DisplayName(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAllEmailsAndPhones(t *testing.T) {
	c := events.Customer{
		Email: events.Some("a@example.com"), Emails: events.Some([]string{"", "A@example.com", "b@example.com", "b@example.com"}),
		Phones: events.Some([]string{"+48 222 333 444", "48222333444", "n/a", "n/a", " ", "112"}),
	}
	if got, want := c.AllEmails(), []string{"a@example.com", "b@example.com"}; !slices.Equal(got, want) {
		t.Errorf("emails: got %q, want %q", got, want)
	}
	if got, want := c.AllPhones(), []string{"+48 222 333 444", "n/a", "112"}; !slices.Equal(got, want) {
		t.Errorf("phones: got %q, want %q", got, want)
	}
	if got := (&events.Customer{Email: events.Clear[string]()}).AllEmails(); got != nil {
		t.Errorf("cleared: got %q, want none", got)
	}
}
