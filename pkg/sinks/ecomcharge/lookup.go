package ecomcharge

import (
	"context"
	"slices"
	"strings"

	"github.com/custsync/custsync/pkg/sinks"
)

// lookUp looks for the row's customer in the list and creates it where it
// certainly isn't there.
func (s *Sink) lookUp(ctx context.Context, row *sinks.Row, all *list) (sinks.Outcome, error) {
	sent, err := sinks.ReadRecord(row.Body)
	if err != nil || valueIn(&sent, "email") == "" && valueIn(&sent, "external_id") == "" {
		return undecided("no_key", "an earlier call may have created the customer, who can't be found without mail address and external id"), nil
	}
	found, alike := all.find(&sent)
	if s.options.OnChange == changeRecreate {
		// Earlier versions of the customer are there too: only one that holds all
		// that is sent can be this one.
		found = slices.DeleteFunc(found, func(c customer) bool { return c.id == row.ProviderID || differences(&sent, &c) != "" })
		alike = alike && row.ProviderID == "" && len(found) == 0
	}
	switch {
	case len(found) == 1:
		outcome := sinks.Outcome{Verdict: sinks.Delivered, ProviderID: found[0].id}
		if names := differences(&sent, &found[0]); names != "" {
			outcome.Reason = "kept " + names
		}
		return outcome, nil
	case len(found) > 1:
		return undecided("several", "several customers may be the one that an earlier call created"), nil
	case alike:
		return undecided("same_email", "a customer with this mail address and other names is there, who may be the one that an earlier call created"), nil
	case all.partial:
		return undecided("partial_list", "the list of customers is not whole, so who is not in it may be there"), nil
	}
	return s.create(ctx, row)
}

// find returns the customers who are the one that is sent, and whether there is
// one with the same mail address only.
func (l *list) find(sent *sinks.Record) (found []customer, alike bool) {
	id, email := valueIn(sent, "external_id"), valueIn(sent, "email")
	for _, c := range l.customers {
		switch {
		case id != "" && c.field("external_id") != "":
			if c.field("external_id") == id {
				found = append(found, c)
			}
		case email == "" || !strings.EqualFold(c.field("email"), email):
		case c.field("first_name") == valueIn(sent, "first_name") && c.field("last_name") == valueIn(sent, "last_name"):
			found = append(found, c)
		default:
			alike = true
		}
	}
	return found, alike
}

// differences names the fields that were sent and that the customer holds
// otherwise. An external id that the list doesn't tell is no difference.
func differences(sent *sinks.Record, c *customer) string {
	var differ []string
	for i, name := range names {
		value := valueIn(sent, name)
		if value == "" || value == c.fields[i] || name == "email" || name == "external_id" && c.fields[i] == "" {
			continue
		}
		differ = append(differ, name)
	}
	return strings.Join(differ, ", ")
}
