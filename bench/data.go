package main

import (
	"fmt"
	"strings"
)

const (
	shop       = "acme"
	eventSize  = 600 // bytes, a customer with the usual fields
	entrySize  = 300 // bytes, a ledger entry
	partitions = 32
)

// change is an event: a customer at a version. The version and the stamp are in
// the note too, which providers are given.
type change struct {
	Customer int
	Version  int
	Stamp    int64 // nanoseconds since 1970 at which it is due to be published; 0: nobody asks
}

// event returns the change as it is published, eventSize bytes long.
func (c change) event() []byte {
	const body = `{"specversion":"1.0","id":"e-%08[1]d-%[2]d","source":"/shops/` + shop + `","type":"customer.changed.v1",` +
		`"subject":"c%08[1]d","time":"2026-11-22T10:00:00.123Z","datacontenttype":"application/json",` +
		`"data":{"id":"c%08[1]d","version":%[2]d,"email":"c%08[1]d@example.org","phone":"+4822%07[3]d",` +
		`"first_name":"Given","last_name":"Family","consents":{"email":true,"sms":false},` +
		`"address":{"street":"Long Street","building":"1","postcode":"00-001","city":"Town","country":"PL"},` +
		`"total_spent":12.5,"note":"%[2]d %[4]d %[5]s"}}`
	phone := c.Customer % 10_000_000
	plain := fmt.Sprintf(body, c.Customer, c.Version, phone, c.Stamp, "")
	return fmt.Appendf(nil, body, c.Customer, c.Version, phone, c.Stamp, strings.Repeat("n", eventSize-len(plain)))
}

// firstEvents returns the first event of each of n customers.
func firstEvents(n int) []change {
	changes := make([]change, n)
	for i := range changes {
		changes[i] = change{Customer: i, Version: 1}
	}
	return changes
}

// customerSubject is where the i-th customer's event is published.
func customerSubject(i int) string { return fmt.Sprintf("customers.%s.c%08d", shop, i) }

// entryOf returns a ledger entry, entrySize bytes long.
func entryOf() []byte {
	const body = `{"held":{"version":1,"seq":1,"hash":"0123456789abcdef","provider_id":"%s","at":"2026-11-22T10:00:00Z"},` +
		`"settled":{"version":1,"seq":1,"outcome":"delivered","at":"2026-11-22T10:00:00Z"}}`
	plain := fmt.Sprintf(body, "")
	return fmt.Appendf(nil, body, strings.Repeat("p", entrySize-len(plain)))
}

// entrySubjects names the keys first to first+n-1 of a ledger kept under prefix.
func entrySubjects(prefix string, first, n int) []string {
	subjects := make([]string, n)
	for i := range subjects {
		key := first + i
		subjects[i] = fmt.Sprintf("%s.d1.%d.%s.c%08d", prefix, key%partitions, shop, key)
	}
	return subjects
}
