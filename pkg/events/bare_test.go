package events_test

import (
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/events"
)

// A bare customer becomes the same event by either way.
func TestWrapCustomer(t *testing.T) {
	var p events.Publisher
	for _, data := range []string{
		full,
		`{"id":"a.b@c"}`,
		`{"id":"1","version":null,"note":null,"loyalty":{"level":[1]}}`,
		` {"version":7, "id":"1"} `,
	} {
		var c, again events.Customer
		got, err := events.WrapCustomer([]byte(data), "acme", now, &c)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if err := events.DecodeCustomer([]byte(data), &again); err != nil {
			t.Fatal(err)
		}
		want, err := p.Prepare(&events.Event{Shop: "acme", Time: now, Customer: again, Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
		if string(got.Data) != string(want.Data) || got.ID != want.ID || got.Shop != want.Shop || got.Customer != want.Customer {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestWrapCustomerRefuses(t *testing.T) {
	for _, tc := range []struct {
		data, shop string
		at         time.Time
		want       string
	}{
		{`{"email":"x"}`, "acme", now, "undecodable event: id: missing"},
		{`{"id":"1","version":-1}`, "acme", now, "undecodable event: version: want a whole number"},
		{`{"id":"1"}`, "", now, "encode event: source: empty"},
		{`{"id":"1"}`, "acme", time.Time{}, "encode event: time: missing"},
		{`{"id":"1","note":"` + strings.Repeat("x", events.MaxSize-64) + `"}`, "acme", now, "encode event: larger than 512 KiB"},
	} {
		var c events.Customer
		if _, err := events.WrapCustomer([]byte(tc.data), tc.shop, tc.at, &c); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%.40s: got %v, want %s", tc.data, err, tc.want)
		}
	}
}
