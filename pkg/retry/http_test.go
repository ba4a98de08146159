package retry

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestFromResponse(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	const date = "Sun, 22 Nov 2026 09:00:00 GMT" // the provider's clock is an hour behind ours
	type want struct {
		class  Class
		wait   time.Duration
		unsent bool
		code   string
	}
	tests := []struct {
		name   string
		status int
		header map[string]string
		want   want
	}{
		{"payload", 400, nil, want{Permanent, 0, true, "http_400"}},
		{"too large", 413, nil, want{Permanent, 0, true, "http_413"}},
		{"unprocessable", 422, nil, want{Permanent, 0, true, "http_422"}},
		{"credentials", 401, nil, want{Blocked, 0, true, "http_401"}},
		{"forbidden", 403, nil, want{Blocked, 0, true, "http_403"}},
		{"address", 404, nil, want{Blocked, 0, true, "http_404"}},
		{"method", 405, nil, want{Blocked, 0, true, "http_405"}},
		{"gone", 410, nil, want{Blocked, 0, true, "http_410"}},
		{"moved", 301, nil, want{Blocked, 0, true, "redirect"}},
		{"found, perhaps after taking it", 302, nil, want{Blocked, 0, false, "redirect"}},
		{"see other, after taking it", 303, nil, want{Blocked, 0, false, "redirect"}},
		{"temporary redirect", 307, nil, want{Blocked, 0, true, "redirect"}},
		{"permanent redirect", 308, nil, want{Blocked, 0, true, "redirect"}},
		{"request timeout", 408, nil, want{Transient, 0, false, "http_408"}},
		{"too early", 425, nil, want{Transient, 0, true, "http_425"}},
		{"error", 500, nil, want{Transient, 0, false, "http_500"}},
		{"bad gateway", 502, nil, want{Transient, 0, false, "http_502"}},
		{"gateway timeout", 504, nil, want{Transient, 0, false, "http_504"}},
		{"unknown 4xx", 409, nil, want{Transient, 0, true, "http_409"}},
		{"unknown 5xx", 599, nil, want{Transient, 0, false, "http_599"}},
		{"no status at all", 0, nil, want{Transient, 0, false, "http_0"}},

		{"unavailable", 503, nil, want{Transient, 0, true, "http_503"}},
		{"unavailable for a while", 503, map[string]string{"Retry-After": "30"}, want{After, 30 * time.Second, true, "http_503"}},
		{"unavailable for a word", 503, map[string]string{"Retry-After": "soon"}, want{Transient, 0, true, "http_503"}},
		{"throttled", 429, nil, want{After, 0, true, "http_429"}},
		{"seconds", 429, map[string]string{"Retry-After": " 7 "}, want{After, 7 * time.Second, true, "http_429"}},
		{"zero", 429, map[string]string{"Retry-After": "0"}, want{After, 0, true, "http_429"}},
		{"negative", 429, map[string]string{"Retry-After": "-5"}, want{After, 0, true, "http_429"}},
		{"fraction", 429, map[string]string{"Retry-After": "1.5"}, want{After, 0, true, "http_429"}},
		{"absurd", 429, map[string]string{"Retry-After": "86400"}, want{After, time.Hour, true, "http_429"}},
		{"beyond numbers", 429, map[string]string{"Retry-After": "99999999999999999999999"}, want{After, time.Hour, true, "http_429"}},
		{"date against our clock", 429, map[string]string{"Retry-After": "Sun, 22 Nov 2026 10:00:20 GMT"}, want{After, 20 * time.Second, true, "http_429"}},
		{"date against its own clock", 429, map[string]string{"Retry-After": "Sun, 22 Nov 2026 09:00:20 GMT", "Date": date}, want{After, 20 * time.Second, true, "http_429"}},
		{"date gone by", 429, map[string]string{"Retry-After": "Sun, 22 Nov 2026 08:00:00 GMT"}, want{After, 0, true, "http_429"}},
		{"date absurd", 429, map[string]string{"Retry-After": "Sun, 22 Nov 2099 08:00:00 GMT"}, want{After, time.Hour, true, "http_429"}},
		{"reset as documented", 429, map[string]string{"X-RateLimit-Reset": "2026-11-22T09:00:40+00:00", "Date": date}, want{After, 40 * time.Second, true, "http_429"}},
		{"reset as observed", 429, map[string]string{"X-RateLimit-Reset": "2026-11-22 12:00:40 +0300", "Date": date}, want{After, 40 * time.Second, true, "http_429"}},
		{"the later of both", 429, map[string]string{"X-RateLimit-Reset": "2026-11-22 09:00:40 +0000", "Retry-After": "90", "Date": date}, want{After, 90 * time.Second, true, "http_429"}},
		{"reset unreadable", 429, map[string]string{"X-RateLimit-Reset": "later"}, want{After, 0, true, "http_429"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{}
			for k, v := range tt.header {
				header.Set(k, v)
			}
			e := FromResponse(tt.status, header, now)
			if e == nil {
				t.Fatal("got nil, want an error")
			}
			if over := tt.want.unsent || tt.status == 500; e.Over != over {
				t.Errorf("got over %v, want %v", e.Over, over)
			}
			if got := (want{e.Class, e.Wait, e.Unsent, e.Code}); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestFromResponseSuccess(t *testing.T) {
	for _, status := range []int{200, 201, 202, 204, 207} {
		if got := FromResponse(status, nil, time.Now()); got != nil {
			t.Errorf("%d: got %v, want nil", status, got)
		}
	}
}

// A header as a real server writes it, read by a real client.
func TestFromResponseOverHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(30*time.Minute).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	e := FromResponse(resp.StatusCode, resp.Header, time.Time{})
	if e.Class != After || e.Wait < 29*time.Minute || e.Wait > 31*time.Minute {
		t.Errorf("got %v after %v, want after about 30m", e.Class, e.Wait)
	}
}
