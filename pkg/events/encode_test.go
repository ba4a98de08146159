package events_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/events"
)

func TestEncode(t *testing.T) {
	ev := &events.Event{ID: "e1", Type: events.Changed, Shop: "my shop", Time: now, Customer: events.Customer{
		ID: "a.b@c", Version: events.Some[int64](3), Email: events.Clear[string](), FirstName: events.Some("<Jan>"),
		Address: events.Some(events.Address{City: events.Some("Kyiv")}), Attributes: events.Some([]events.Attribute{{"z", []byte("1")}, {"a", []byte(`"x"`)}}),
	}}
	const want = `{"specversion":"1.0","id":"e1","source":"/shops/my shop","type":"customer.changed.v1","subject":"a.b@c","time":"2026-11-22T10:00:00Z",` +
		`"datacontenttype":"application/json","data":{"id":"a.b@c","version":3,"email":null,"first_name":"<Jan>","address":{"city":"Kyiv"},"attributes":{"z":1,"a":"x"}}}`
	got, err := events.Encode(ev)
	if string(got) != want || err != nil {
		t.Errorf("got %s and %v, want %s", got, err, want)
	}
	if appended, err := events.AppendEvent([]byte("x"), ev); string(appended) != "x"+want || err != nil {
		t.Errorf("got %s and %v", appended, err)
	}
	ev.Type = events.Deleted
	got, err = events.Encode(ev)
	if err != nil || !strings.HasSuffix(string(got), `"data":{"id":"a.b@c","version":3}}`) {
		t.Errorf("got %s and %v, want id and version only", got, err)
	}
}

func TestEncodeVersions(t *testing.T) {
	for _, tc := range []struct {
		name string
		ev   events.Event
		want string
	}{
		{"of the event", events.Event{Version: 5}, `"data":{"id":"1","version":5}}`},
		{"of both", events.Event{Version: 5, Customer: events.Customer{Version: events.Some[int64](5)}}, `"data":{"id":"1","version":5}}`},
		{"zero", events.Event{Customer: events.Customer{Version: events.Some[int64](0)}}, `"data":{"id":"1","version":0}}`},
		{"of time", events.Event{Version: 5, TimeVersion: true, Time: now}, `"time":"2026-11-22T10:00:00Z","datacontenttype":"application/json","data":{"id":"1"}}`},
		{"null", events.Event{Time: now, Customer: events.Customer{Version: events.Clear[int64]()}}, `"data":{"id":"1","version":null}}`},
		{"contradiction", events.Event{Version: 6, Customer: events.Customer{Version: events.Some[int64](5)}}, "version: differs from the customer's version"},
		{"none", events.Event{}, "time: missing, and there is no version"},
		{"before 1970", events.Event{Time: time.Unix(-1, 0)}, "time: lies before 1970 and has to serve as the version"},
		{"too large", events.Event{Version: events.MaxVersion + 1}, "version: want a whole number from 0 to 2^53-1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.ev.ID, tc.ev.Shop, tc.ev.Type, tc.ev.Customer.ID = "e", "acme", events.Changed, "1"
			got, err := events.Encode(&tc.ev)
			if err != nil {
				got = []byte(err.Error())
			}
			if !strings.HasSuffix(string(got), tc.want) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, tc := range []struct {
		want   string
		change func(*events.Event)
	}{
		{"id: empty", func(ev *events.Event) { ev.ID = "" }},
		{"source: empty", func(ev *events.Event) { ev.Shop = "" }},
		{"subject: empty", func(ev *events.Event) { ev.Customer.ID = "" }},
		{"type: want customer.changed.v1 or customer.deleted.v1", func(ev *events.Event) { ev.Type = "x" }},
		{"time: RFC 3339 has no such year", func(ev *events.Event) { ev.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"data.email: invalid UTF-8", func(ev *events.Event) { ev.Customer.Email = events.Some("secret\xff") }},
		{"data.address.city: invalid UTF-8", func(ev *events.Event) {
			ev.Customer.Address = events.Some(events.Address{City: events.Some("secret\xff")})
		}},
		{"data.total_spent: is no number that JSON has", func(ev *events.Event) { ev.Customer.TotalSpent = events.Some(math.NaN()) }},
		{"data.attributes: one is given twice", func(ev *events.Event) {
			ev.Customer.Attributes = events.Some([]events.Attribute{{"a", []byte("1")}, {"a", []byte("2")}})
		}},
		{"data.attributes: want string, number, bool or null in JSON", func(ev *events.Event) {
			ev.Customer.Attributes = events.Some([]events.Attribute{{"a", []byte(`1,"b":2`)}})
		}},
		{"larger than 512 KiB", func(ev *events.Event) { ev.Customer.Note = events.Some(strings.Repeat("x", events.MaxSize)) }},
		{"data.email: want string, got number", func(ev *events.Event) { ev.Data = []byte(`{"id":"1","version":1,"email":5}`) }},
		{"data differs from the customer: set it to nil to publish the customer", func(ev *events.Event) { ev.Data = []byte(`{"id":"1","version":1,"email":"x"}`) }},
	} {
		t.Run(tc.want, func(t *testing.T) {
			ev := &events.Event{ID: "e", Shop: "acme", Type: events.Changed, Time: now, Customer: events.Customer{ID: "1", Version: events.Some[int64](1)}}
			tc.change(ev)
			got, err := events.Encode(ev)
			if want := "encode event: " + tc.want; fmt.Sprint(err) != want || got != nil {
				t.Errorf("got %s and %v, want %s", got, err, want)
			}
		})
	}
}

// A Customer goes through encoding/json as it goes through Encode.
func TestCustomerStandardJSON(t *testing.T) {
	ev, err := decode(document(full))
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(ev.Customer)
	if err != nil {
		t.Fatal(err)
	}
	var got, want events.Customer
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if err := events.DecodeCustomer([]byte(full), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	if out, _ := json.Marshal(events.Customer{ID: "1", Email: events.Clear[string](), Attributes: events.Some([]events.Attribute{{"b", []byte("1")}, {"a", []byte("null")}})}); string(out) != `{"id":"1","email":null,"attributes":{"b":1,"a":null}}` {
		t.Errorf("got %s", out)
	}
	for _, bad := range []string{`{"email":5}`, `{"attributes":{"a":[]}}`, `{"attributes":[]}`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(document(full)), "acme", "347771386")
	f.Add([]byte(document(`{"id":"347771386","version":1.0,"attributes":{"a":1}}`, `type="customer.deleted.v1"`)), "acme", "347771386")
	f.Add([]byte(`{"data":{"id":"a.b@c"},"subject":"a.b@c"}`), "acme", "a=2Eb=40c")
	var used events.Event
	f.Fuzz(func(t *testing.T, data []byte, shop, customer string) {
		var fresh events.Event
		err := events.Decode(data, shop, customer, now, &fresh)
		again := events.Decode(data, shop, customer, now, &used)
		if fmt.Sprint(err) != fmt.Sprint(again) {
			t.Fatalf("a used event says %v, a fresh one %v", again, err)
		}
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatal("took an invalid document")
		}
		if events.EscapeToken(fresh.Shop) != shop || events.EscapeToken(fresh.Customer.ID) != customer || fresh.Version < 0 {
			t.Fatalf("decoded as %s/%s at %d", fresh.Shop, fresh.Customer.ID, fresh.Version)
		}
		if a, _ := events.Encode(&fresh); true {
			if b, _ := events.Encode(&used); string(a) != string(b) {
				t.Fatalf("a used event is written %s, a fresh one %s", b, a)
			}
		}
	})
}

// FuzzRoundTrip: whatever decodes is encoded as an event that decodes equal, from
// its raw data as well as from its Customer.
func FuzzRoundTrip(f *testing.F) {
	f.Add(full)
	f.Add(`{"id":"347771386"}`)
	f.Add(`{"id":"347771386","version":1e2,"total_spent":-0,"note":"\ud83d\ude00\u0000","attributes":{"":0.10}}`)
	f.Fuzz(func(t *testing.T, data string) {
		ev, err := decode(document(data))
		if err != nil {
			return
		}
		for range 2 {
			out, err := events.Encode(ev)
			if err != nil {
				if strings.Contains(err.Error(), "larger than") {
					return
				}
				t.Fatal(err)
			}
			again, err := decode(string(out))
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if ev.Data == nil {
				again.Data = nil
			}
			if !reflect.DeepEqual(again, ev) {
				t.Fatalf("got\n%+v, want\n%+v", again, ev)
			}
			ev.Data = nil
		}
	})
}

// sample is about 600 bytes, as events of shops are.
const sample = `{"specversion":"1.0","id":"01JDABCDEF0123456789ABCDEF","source":"/shops/acme","type":"customer.changed.v1","subject":"347771386",` +
	`"time":"2026-11-22T10:00:00.123Z","datacontenttype":"application/json","data":{"id":"347771386","version":1732269600123456,"email":"jan.kowalski@example.com",` +
	`"emails":["jan@example.org"],"phone":"+48222333444","first_name":"Jan","last_name":"Kowalski","birth_date":"1990-02-28","vip":true,"total_spent":1234.5,` +
	`"address":{"street":"Długa","building":"12","flat":"3","postcode":"00-238","city":"Warszawa","country":"PL"},"consents":{"email":true,"sms":false},"attributes":{"size":"XL"}}}`

func TestDecodeAllocates(t *testing.T) {
	var ev events.Event
	data := []byte(sample)
	got := testing.AllocsPerRun(100, func() {
		if err := events.Decode(data, "acme", "347771386", now, &ev); err != nil {
			t.Error(err)
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations, want none for a used event without escapes", got)
	}
}

func BenchmarkDecode(b *testing.B) {
	var ev events.Event
	data := []byte(sample)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := events.Decode(data, "acme", "347771386", now, &ev); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	var ev events.Event
	if err := events.Decode([]byte(sample), "acme", "347771386", now, &ev); err != nil {
		b.Fatal(err)
	}
	ev.Data = nil
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = events.AppendEvent(buf[:0], &ev); err != nil {
			b.Fatal(err)
		}
	}
}
