package sinktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/sinks"
)

// isThere checks a verdict of delivered or unchanged against the provider: the
// customer is there at that version, under the id that the sink named, or is
// gone if it was to go.
func (b *bench) isThere(r *ride, o *sinks.Outcome) {
	b.t.Helper()
	held, _ := b.provider.Book().Held(b.Key(r.ev))
	switch {
	case r.row.Delete && len(held.Records) > 0:
		b.t.Errorf("%s is called %v, but the provider still holds it", r.ev.Customer.ID, o.Verdict)
	case r.row.Delete:
	case len(held.Records) == 0:
		b.t.Errorf("%s is called %v, but the provider does not hold it", r.ev.Customer.ID, o.Verdict)
	case b.Stamp != nil && !slices.Contains(held.Versions, r.ev.Version):
		b.t.Errorf("%s is called %v at version %d, but the provider was given %v", r.ev.Customer.ID, o.Verdict, r.ev.Version, held.Versions)
	case o.ProviderID != "" && !slices.ContainsFunc(held.Records, func(rec sandbox.Record) bool { return rec.ID == o.ProviderID }):
		b.t.Errorf("%s is called %v under id %s, which is another's", r.ev.Customer.ID, o.Verdict, o.ProviderID)
	}
}

// onceEach checks the end of a story: every row has an end, and the provider
// holds each customer once, having never gone back.
func (b *bench) onceEach(rides []*ride) {
	b.t.Helper()
	for _, r := range rides {
		held, _ := b.provider.Book().Held(b.Key(r.ev))
		switch {
		case r.end.Verdict == sinks.Rejected && r.end.InDoubt && b.NoLookUp && len(held.Records) <= 1:
		case r.end.Verdict != sinks.Delivered && r.end.Verdict != sinks.Unchanged:
			b.t.Errorf("%s ends %v (%s %v), want delivered", r.ev.Customer.ID, r.end.Verdict, r.end.Message, r.end.Errors)
		case len(held.Records) != 1:
			b.t.Errorf("%s is there %d times, want once", r.ev.Customer.ID, len(held.Records))
		case b.Stamp != nil && (len(held.Versions) == 0 || held.Versions[len(held.Versions)-1] != r.ev.Version):
			b.t.Errorf("%s has versions %v, want %d at the end", r.ev.Customer.ID, held.Versions, r.ev.Version)
		}
	}
	b.neverBack()
}

// neverBack checks that the provider saw no duplicate, no step back and no caller
// that follows redirects.
func (b *bench) neverBack() {
	b.t.Helper()
	c := b.provider.Book().Counters()
	if c.Duplicates != 0 || c.BackSteps != 0 || c.Followed != 0 {
		b.t.Errorf("the provider saw %d duplicates, %d steps back, %d followed redirects, want none", c.Duplicates, c.BackSteps, c.Followed)
	}
}

// remember keeps a record's texts, so that errors can be searched for them. Short
// and common words would be found by chance.
func (b *bench) remember(rec *sinks.Record) {
	for _, f := range rec.Fields() {
		switch {
		case !slices.ContainsFunc([]string{"mail", "phone", "name", "note", "street", "address", "title"}, func(part string) bool {
			return strings.Contains(strings.ToLower(f.Name+f.Group), part)
		}):
		case f.Kind == sinks.KindText:
			b.texts = append(b.texts, f.Text)
		case f.Kind == sinks.KindRaw:
			var list []string
			if json.Unmarshal(f.Raw, &list) == nil {
				b.texts = append(b.texts, list...)
			}
		}
	}
}

// keepsSecrets checks that no error of ours repeats a customer's data or a
// secret. The provider's own words are kept apart, in Message.
func (b *bench) keepsSecrets(outcomes []sinks.Outcome, err error) {
	b.t.Helper()
	var said []string
	if err != nil {
		said = append(said, err.Error(), fmt.Sprintf("%+v", err))
	}
	for _, o := range outcomes {
		said = append(said, o.Reason)
		for _, e := range o.Errors {
			said = append(said, e.Field)
		}
	}
	for _, s := range said {
		for _, secret := range b.Secrets {
			if strings.Contains(s, secret) {
				b.t.Errorf("an error holds a secret: %q", s)
			}
		}
		b.holdsNoData(s)
	}
}

func (b *bench) holdsNoData(s string) {
	b.t.Helper()
	for _, text := range b.texts {
		if len([]rune(text)) >= 5 && strings.Contains(s, text) {
			b.t.Errorf("an error holds a customer's data: %q", s)
		}
	}
}
