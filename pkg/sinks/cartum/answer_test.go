package cartum

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/custsync/custsync/pkg/sinks"
)

// Whatever a shop answers: what is read is JSON, there are as many outcomes as
// rows or none, none is delivered unless the log or a bare OK says so, and an
// answer without a verdict is an error.
func FuzzReadReply(f *testing.F) {
	for _, seed := range []string{
		`{"status":"OK","response":{"log":[{"info":[{"code":0}]},{"code":2,"message":"x"}]}}`,
		`{"status":"WARNING","response":{"log":[{"info":{"code":"3"}},{"info":[{}]}]}}`,
		`{"status":"UNDEFINED_FUNCTION","response":[]}`, `{"response":{"token":"t"},"status":"OK"}`,
		`{"status":"HTTP_ERROR","response":{"code":400,"message":"m"}}`, `<html>`, `[]`, `{`, `{"status":"OK"}`,
	} {
		f.Add([]byte(seed), uint8(2))
	}
	f.Fuzz(func(t *testing.T, body []byte, n uint8) {
		rows := int(n % 8)
		r, err := readReply(body, rows)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatal("read what is not JSON")
		}
		if r.rows != nil && len(r.rows) != rows {
			t.Fatalf("got %d outcomes, want %d or none", len(r.rows), rows)
		}
		delivered := 0
		for _, o := range r.rows {
			if o.Verdict == sinks.Delivered {
				delivered++
			}
		}
		if delivered > 0 && r.status != statusOK && r.status != statusWarning && r.status != statusError {
			t.Errorf("status %q delivers", r.status)
		}
		if delivered > 0 && r.logged >= 0 && r.logged != rows {
			t.Errorf("a log of %d entries delivers %d rows", r.logged, rows)
		}
		if err := r.err("x"); rows > 0 && (err == nil) != r.heard() {
			t.Errorf("heard %v, error %v", r.heard(), err)
		}
	})
}

func BenchmarkReadReply(b *testing.B) {
	const rows = 100
	body := []byte(`{"status":"OK","response":{"log":[`)
	for i := range rows {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, `{"info":[{"code":0,"message":"User user`+strconv.Itoa(i)+`@example.com update completed successfully!"}]}`...)
	}
	body = append(body, `]}}`...)
	b.ReportAllocs()
	for b.Loop() {
		if r, err := readReply(body, rows); err != nil || r.rows[rows-1].Verdict != sinks.Delivered {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
