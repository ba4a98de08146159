package thulium

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/custsync/custsync/pkg/sinks"
)

// Whatever Thulium answers: what is read is JSON, and there is one item per row.
func FuzzReadItems(f *testing.F) {
	for _, seed := range []string{
		`{"0":{"http_status":201,"customer_id":"13"},"1":{"http_status":400,"message":"Phone number must be numeric."}}`,
		`[{"http_status":"200","customer_id":13}]`, `{"0":{"http_status":200},"0":{"http_status":404}}`, `{"00":{"http_status":200}}`,
		`{"1":{"errors":[{"message":"a","code":1}]}}`, `{"request_id":"x","errors":[]}`, `<html>`, `{`, `{"9":1}`,
	} {
		f.Add([]byte(seed), uint8(2))
	}
	f.Fuzz(func(t *testing.T, body []byte, n uint8) {
		rows := int(n % 8)
		items, err := readItems(body, rows)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatal("read what is not JSON")
		}
		if len(items) != rows {
			t.Fatalf("got %d items, want %d", len(items), rows)
		}
		var keyed map[string]json.RawMessage
		if json.Unmarshal(body, &keyed) != nil {
			return // a list
		}
		for i := range items {
			if _, named := keyed[strconv.Itoa(i)]; !named && items[i].status != 0 {
				t.Errorf("row %d has a status that the answer doesn't give it", i)
			}
		}
	})
}

// Whatever a search answers, an id that is found is in the answer, and is not
// empty.
func FuzzReadFound(f *testing.F) {
	for _, seed := range []string{
		`[]`, `{}`, `[{"customer_id":13,"identifier":"a"}]`, `{"customers":[{"customer_id":"13"}],"total":1}`,
		`{"0":{"customer_id":1},"1":{"customer_id":2}}`, `{"customer_id":5}`, `{"errors":[]}`, `[{}]`, `[1]`, `null`, `[] []`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ids, ok := readFound(body, "a")
		if !ok && len(ids) > 0 {
			t.Errorf("got %q beside a list that can't be read", ids)
		}
		if ok && !json.Valid(body) {
			t.Error("read what is not JSON")
		}
		for _, id := range ids {
			if id == "" {
				t.Error("got an empty id")
			}
		}
	})
}

func TestReadFound(t *testing.T) {
	for _, tt := range []struct {
		body string
		want []string
		ok   bool
	}{
		{`[]`, nil, true},
		{`{"customers":[]}`, nil, true},
		{`{"data":[{"customer_id":1}],"total":1}`, []string{"1"}, true},
		{`{"customer_id":1,"identifier":"a"}`, []string{"1"}, true},
		{`[{"customer_id":1,"identifier":"a"},{"customer_id":2,"identifier":"ab"}]`, []string{"1"}, true},
		{`[{"customer_id":1,"identifier":""}]`, nil, true},
		{`{}`, nil, false},
		{`null`, nil, false},
		{`[{"id":1}]`, nil, false},
		{`[[]]`, nil, false},
		{`{"a":[],"b":[]}`, nil, false},
		{`{"request_id":"x","errors":[]}`, nil, false},
		{`[] x`, nil, false},
		{`[]}`, nil, false},
	} {
		got, ok := readFound([]byte(tt.body), "a")
		if ok != tt.ok || len(got) != len(tt.want) || len(got) > 0 && got[0] != tt.want[0] {
			t.Errorf("%s: got %q, %v, want %q, %v", tt.body, got, ok, tt.want, tt.ok)
		}
	}
}

func BenchmarkReadItems(b *testing.B) {
	const rows = 100
	body := []byte{'{'}
	for i := range rows {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, `"`+strconv.Itoa(i)+`":{"http_status":201,"customer_id":"`+strconv.Itoa(100000+i)+`"}`...)
	}
	body = append(body, '}')
	b.ReportAllocs()
	for b.Loop() {
		items, err := readItems(body, rows)
		if err != nil || items[rows-1].outcome(true).Verdict != sinks.Delivered {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
