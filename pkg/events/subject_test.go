package events_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/custsync/custsync/pkg/events"
)

func TestTokens(t *testing.T) {
	for _, tc := range []struct{ plain, token string }{
		{"347771386", "347771386"},
		{"Aa_-9", "Aa_-9"},
		{"a.b@c", "a=2Eb=40c"},
		{"=", "=3D"},
		{"a b*>", "a=20b=2A=3E"},
		{"ż", "=C5=BC"},
		{"\x00\xff", "=00=FF"},
		{"+380631234567", "=2B380631234567"},
	} {
		t.Run(tc.token, func(t *testing.T) {
			if got := events.EscapeToken(tc.plain); got != tc.token {
				t.Errorf("escape %q: got %q, want %q", tc.plain, got, tc.token)
			}
			if got, err := events.UnescapeToken(tc.token); got != tc.plain || err != nil {
				t.Errorf("unescape %q: got %q and %v, want %q", tc.token, got, err, tc.plain)
			}
		})
	}
}

func TestUnescapeTokenRefuses(t *testing.T) {
	for _, tc := range []struct{ token, want string }{
		{"", "subject token is empty"},
		{"a.b", "subject token: byte 1 needs an escape"},
		{"ż", "subject token: byte 0 needs an escape"},
		{"a=2eb", "subject token: escape at byte 1 is not upper-case hex"},
		{"=G0", "subject token: escape at byte 0 is not upper-case hex"},
		{"=41", "subject token: escape at byte 0 is needless"},
		{"=2D", "subject token: escape at byte 0 is needless"},
		{"a=2", "subject token: escape at byte 1 is cut off"},
		{"a=", "subject token: escape at byte 1 is cut off"},
	} {
		t.Run(tc.token, func(t *testing.T) {
			if got, err := events.UnescapeToken(tc.token); fmt.Sprint(err) != tc.want || got != "" {
				t.Errorf("got %q and %v, want %s", got, err, tc.want)
			}
		})
	}
}

func FuzzToken(f *testing.F) {
	for _, seed := range []string{"347771386", "a.b@c", "a=2Eb=40c", "=41", "=2e", "=", "ż\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s != "" {
			if got, err := events.UnescapeToken(events.EscapeToken(s)); got != s || err != nil {
				t.Errorf("%q: got %q and %v", s, got, err)
			}
		}
		if plain, err := events.UnescapeToken(s); err == nil && events.EscapeToken(plain) != s {
			t.Errorf("%q is a second token of %q", s, plain)
		}
	})
}

// partitions are pinned: a stored stream relies on them for ever.
var partitions = []struct {
	shop, customer  string
	of8, of32, of97 int
}{
	{"acme", "347771386", 1, 9, 16},
	{"acme", "1", 2, 26, 38},
	{"acme", "2", 7, 7, 24},
	{"acm", "e1", 2, 26, 38},
	{"shop.example", "a.b@c", 4, 20, 21},
	{"sklep", "żółw", 3, 27, 55},
	{"SHOP-2", "user_17", 6, 6, 35},
	{"x", "00000000-0000-0000-0000-000000000000", 3, 19, 47},
}

func TestPartition(t *testing.T) {
	for _, tc := range partitions {
		shop, customer := events.EscapeToken(tc.shop), events.EscapeToken(tc.customer)
		for n, want := range map[int]int{1: 0, 8: tc.of8, 32: tc.of32, 97: tc.of97} {
			if got := events.Partition(shop, customer, n); got != want {
				t.Errorf("%s/%s of %d: got %d, want %d", tc.shop, tc.customer, n, got, want)
			}
		}
	}
}

// The partition and the stored subject are computed on both sides. This compares
// them with the server's own code for thousands of keys; TestPublisherStores
// does so through a running server.
func TestPartitionIsTheServers(t *testing.T) {
	for _, n := range []int{1, 2, 8, 32, 97, 1024} {
		transform, err := server.NewSubjectTransform("customers.*.*", fmt.Sprintf("customers.{{partition(%d,1,2)}}.{{wildcard(1)}}.{{wildcard(2)}}", n))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			shop, customer := fmt.Sprintf("shop.%d", i%7), fmt.Sprintf("customer %d żółw", i*i)
			shopToken, customerToken := events.EscapeToken(shop), events.EscapeToken(customer)
			got := events.StoredSubject(events.Partition(shopToken, customerToken, n), shopToken, customerToken)
			if want := transform.TransformSubject(events.IngestSubject(shop, customer)); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
	}
}
