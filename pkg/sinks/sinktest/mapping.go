package sinktest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
)

// accepts: what Check admits of the sample the provider admits too, but for rules
// of its own that it names, and what Check says holds nothing of the customer.
func (c Case) accepts(t *testing.T) {
	b := c.open(t)
	var rides []*ride
	refused := 0
	for i := range 600 {
		ev := event(i)
		row, broken := b.row(ev)
		for _, e := range broken {
			b.holdsNoData(e.Message)
			if e.Message == "" {
				t.Errorf("%s: Check finds fault with %q and does not say which", ev.Customer.ID, e.Field)
			}
		}
		b.texts = nil
		if len(broken) > 0 {
			refused++
			continue
		}
		rides = append(rides, &ride{ev: ev, row: row})
	}
	if refused == 0 || refused > 200 {
		t.Errorf("Check refuses %d of 600 sample customers, want some and not most", refused)
	}
	b.drive(t.Context(), rides)
	var there []*ride
	for _, r := range rides {
		if r.end.Verdict == sinks.Rejected && (r.end.Message != "" || len(r.end.Errors) > 0) {
			continue
		}
		there = append(there, r)
	}
	if rejected := len(rides) - len(there); rejected > len(rides)/50 {
		t.Errorf("the provider rejects %d of %d sample customers that Check admits", rejected, len(rides))
	}
	b.onceEach(there)
}

// clears: a version in which everything that may be null is null is taken, and
// nothing of the address is left.
func (c Case) clears(t *testing.T) {
	if c.CreateOnly {
		return
	}
	b := c.open(t)
	full := func(ev *events.Event) bool { return ev.Customer.Address.Has() && ev.Customer.Phone.Has() }
	var rides []*ride
	for _, ev := range b.customers(60) {
		if full(ev) {
			rides = append(rides, b.rides(ev)...)
		}
	}
	b.drive(t.Context(), rides)
	arrived := make([]string, len(rides))
	empty := make([]*ride, len(rides))
	for i, r := range rides {
		arrived[i] = b.fields(r.ev)
		ev := wrap(r.ev.Shop, cleared(r.ev.Customer, 2))
		row, broken := b.row(ev)
		if len(broken) > 0 {
			t.Errorf("%s with everything cleared: Check finds %v", ev.Customer.ID, broken)
		}
		row.ProviderID, row.Held = r.row.ProviderID, r.row.Held
		empty[i] = &ride{ev: ev, row: row}
	}
	b.drive(t.Context(), empty)
	b.onceEach(empty)
	for i, r := range rides {
		left := b.fields(r.ev)
		for _, text := range []string{r.ev.Customer.Address.V.City.V, r.ev.Customer.Address.V.Street.V} {
			if strings.Contains(arrived[i], text) && strings.Contains(left, text) {
				t.Errorf("%s: %q is still there after it was cleared", r.ev.Customer.ID, text)
			}
		}
	}
}

// fields is all that the provider holds of the event's customer, as JSON.
func (b *bench) fields(ev *events.Event) string {
	b.t.Helper()
	held, _ := b.provider.Book().Held(b.Key(ev))
	data, err := json.Marshal(held.Records)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

// cleared is the customer at a later version with names and mail address left,
// an IP address, and everything else null.
func cleared(c events.Customer, version int64) events.Customer {
	return events.Customer{
		ID: c.ID, Version: events.Some(version), Email: c.Email, IP: c.IP,
		FirstName: c.FirstName, LastName: c.LastName, FullName: c.FullName, MiddleName: events.Clear[string](),
		Emails: events.Clear[[]string](), Phone: events.Clear[string](), Phones: events.Clear[[]string](),
		Gender: events.Clear[string](), BirthDate: events.Clear[string](), Company: events.Clear[string](), JobTitle: events.Clear[string](),
		Website: events.Clear[string](), TaxID: events.Clear[string](), NationalID: events.Clear[string](), Note: events.Clear[string](),
		Group: events.Clear[string](), Type: events.Clear[string](), AccountManager: events.Clear[string](), VIP: events.Clear[bool](),
		Address: events.Clear[events.Address](), InvoiceAddress: events.Clear[events.Address](), MailingAddress: events.Clear[events.Address](),
		Consents: events.Clear[events.Consents](), Discount: events.Clear[events.Discount](), Balance: events.Clear[events.Balance](),
		Cards: events.Clear[[]events.Card](), Bonuses: events.Clear[[]events.Bonus](), TotalSpent: events.Clear[float64](),
	}
}

// twins: customers whom the provider holds under one key never share a call.
func (c Case) twins(t *testing.T) {
	if c.CreateOnly {
		return
	}
	b := c.open(t)
	list := b.customers(2)
	list[1].Customer.Email = events.Some(strings.ToUpper(list[0].Customer.Email.V))
	if c.Key(list[0]) != c.Key(list[1]) {
		return // it holds them apart
	}
	rides := b.rides(list...)
	if got := len(b.cut(rides)); got != 2 {
		t.Errorf("batches: got %d, want one for each", got)
	}
	b.drive(t.Context(), rides)
	for _, r := range rides {
		if r.end.Verdict != sinks.Delivered && r.end.Verdict != sinks.Unchanged {
			t.Errorf("%s: got %v, want delivered", r.ev.Customer.ID, r.end.Verdict)
		}
	}
}
