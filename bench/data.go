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

// eventOf returns the i-th customer's event, eventSize bytes long.
func eventOf(i int) []byte {
	const body = `{"specversion":"1.0","id":"e-%08d","source":"/shops/` + shop + `","type":"customer.changed.v1",` +
		`"subject":"c%08d","time":"2026-11-22T10:00:00.123Z","datacontenttype":"application/json",` +
		`"data":{"id":"c%08d","version":1,"email":"c%08d@example.org","phone":"+4822%07d",` +
		`"first_name":"Given","last_name":"Family","consents":{"email":true,"sms":false},` +
		`"address":{"street":"Long Street","building":"1","postcode":"00-001","city":"Town","country":"PL"},` +
		`"total_spent":12.5,"note":"%s"}}`
	plain := fmt.Sprintf(body, i, i, i, i, i%10_000_000, "")
	return fmt.Appendf(nil, body, i, i, i, i, i%10_000_000, strings.Repeat("n", eventSize-len(plain)))
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
