package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// account is a destination, and what its provider is to hold after the chaos.
type account struct {
	provider string
	auth     string // as in the configuration
	more     string // a further line of it: mostly how rows carry their version
	deletes  bool   // it can delete customers
	once     bool   // it can't change them: the first version stays
	byEmail  bool   // customers are known there by their mail address
	refuses  bool   // it refuses customers of the kind refused
	allows   int    // calls in a second; 0: any number
}

var accounts = []account{
	{provider: "thulium", auth: "{username: api, password: secret}", more: "map: {custom_fields.version: customer.version}", deletes: true, refuses: true},
	{provider: "cartum", auth: "{login: api, password: secret}", more: "map: {note: string(customer.version)}", byEmail: true, allows: 20},
	{provider: "aplaut", auth: "{token: secret}", more: "map: {custom_attributes.version: customer.version}", deletes: true, allows: 60},
	{provider: "virtualpos", auth: "{apikey: secret}", more: `map: {custom_information: '"v" + string(customer.version)'}`},
	{provider: "ecomcharge", auth: "{shop_id: shop, secret_key: secret}", more: "options: {look_up: true}", byEmail: true, once: true},
}

// broken is a promise that was broken, which no time mends.
type broken struct{ provider, key, what string }

func (b *broken) Error() string { return fmt.Sprintf("%s: %s: %s", b.provider, b.key, b.what) }

// letter is a dead letter as it is listed.
type letter struct {
	Destination string `json:"destination"`
	Customer    string `json:"customer"`
	Version     int64  `json:"version"`
	Reason      string `json:"reason"`
}

// letters lists the open dead letters, by destination and customer.
func (c *cluster) letters(ctx context.Context) (map[[2]string]letter, error) {
	out, code, err := c.workers[0].output(ctx, "/worker", "deadletters", "list", "-c", "/worker.yaml", "-o", "json")
	if err != nil || code != 0 {
		return nil, errors.Join(err, fmt.Errorf("list the dead letters: exit %d: %s", code, out))
	}
	all := make(map[[2]string]letter)
	for line := range strings.Lines(out) {
		var l letter
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return nil, fmt.Errorf("list the dead letters: %w: %s", err, line)
		}
		all[[2]string{l.Destination, l.Customer}] = l
	}
	return all, nil
}

// check compares what a provider holds with what the shop has published last. A
// broken promise is a *broken; what only takes time is not.
func (a *account) check(ctx context.Context, p standin, newest []state, letters map[[2]string]letter) error {
	counters, err := p.counters(ctx)
	if err != nil {
		return err
	}
	held, err := p.held(ctx)
	if err != nil {
		return err
	}
	for key, h := range held {
		if len(h.Records) > 1 || !slices.IsSorted(h.Versions) {
			return &broken{a.provider, key, fmt.Sprintf("%d records after versions %v", len(h.Records), h.Versions)}
		}
	}
	if counters.Duplicates > 0 || counters.BackSteps > 0 {
		return &broken{a.provider, "", fmt.Sprintf("%d duplicates, %d steps back", counters.Duplicates, counters.BackSteps)}
	}
	var wrong []error
	for i, st := range newest {
		id := aCustomer(i, 0).ID
		key := id
		if a.byEmail {
			key = aCustomer(i, 0).Email.V
		}
		l, dead := letters[[2]string{a.provider, id}]
		if dead {
			delete(letters, [2]string{a.provider, id})
		}
		h := held[key]
		if err := a.judge(st, len(h.Records), h.Versions, l); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %s at version %d: %w", a.provider, id, st.version, err))
		}
	}
	if len(wrong) > 3 {
		wrong = append(wrong[:3], fmt.Errorf("and %d more", len(wrong)-3))
	}
	return errors.Join(wrong...)
}

// limitWithin is in which time calls are counted: a machine that stands still for a
// moment lets more of them arrive in the next one than were made in it.
const limitWithin = 10 * time.Second

// checkLimits tells which provider was called more often than it allows.
func (c *cluster) checkLimits(ctx context.Context) error {
	for i := range accounts {
		a := &accounts[i]
		if a.allows == 0 {
			continue
		}
		calls, err := c.calls(ctx, a.provider, "")
		if err != nil {
			return err
		}
		allowed := a.allows * int(limitWithin/time.Second)
		if n := most(calls, limitWithin); n > allowed+allowed/20 {
			return &broken{a.provider, "", fmt.Sprintf("%d calls within %v, allowed are %d", n, limitWithin, allowed)}
		}
	}
	return nil
}

// most is how many of the calls that the stand-ins wrote down began within any
// stretch of that length.
func most(calls string, within time.Duration) int {
	var began []time.Time
	for line := range strings.Lines(calls) {
		at, _, _ := strings.Cut(line, " ")
		if t, err := time.Parse("15:04:05.000", at); err == nil {
			began = append(began, t)
		}
	}
	slices.SortFunc(began, time.Time.Compare)
	highest, oldest := 0, 0
	for i, t := range began {
		for t.Sub(began[oldest]) >= within {
			oldest++
		}
		highest = max(highest, i-oldest+1)
	}
	return highest
}

// judge says what is wrong with a customer who is held so many times, after the
// versions given, and who has the letter given.
func (a *account) judge(st state, records int, versions []int64, l letter) error {
	reason := ""
	switch {
	case st.kind == invalid:
		reason = "invalid"
	case st.kind == refused && a.refuses:
		reason = "rejected"
	}
	if l.Reason != reason || reason != "" && l.Version != st.version {
		return fmt.Errorf("got letter %q of version %d, want %q", l.Reason, l.Version, reason)
	}
	switch {
	case reason != "" && records <= 1:
		return nil // what was there before stays
	case st.kind == deleted && a.deletes && records == 0:
		return nil
	case st.kind == deleted && !a.deletes && records <= 1:
		return nil
	case st.kind == deleted || reason != "" || records != 1:
		return fmt.Errorf("got %d records", records)
	case a.once:
		return nil
	case len(versions) == 0 || versions[len(versions)-1] != st.version:
		return fmt.Errorf("got versions %v", versions)
	}
	return nil
}
