package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/config"
)

// Tokens can be guessed only so fast, by signing in as by the header; who is signed
// in, and who asks from elsewhere, does not feel it.
func TestGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Config: &config.Config{HTTP: config.HTTP{Token: "top-secret"}}, Log: zerolog.Nop()}
		handler := s.Handler()
		ask := func(from, method, path, body, header, value string) *httptest.ResponseRecorder {
			req := httptest.NewRequest(method, base+path, strings.NewReader(body))
			req.RemoteAddr = from + ":1234"
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set(header, value)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, req)
			return w
		}
		login := func(from, token string) *httptest.ResponseRecorder {
			return ask(from, http.MethodPost, "/session", `{"token":"`+token+`"}`, "X", "")
		}
		// An address of another place than the guesser's.
		elsewhere := "192.0.2.2"
		first := login("192.0.2.1", "top-secret")
		session, _, _ := strings.Cut(first.Header().Get("Set-Cookie"), ";")
		for i := range guessesAtOnce {
			guess := func() *httptest.ResponseRecorder { return login("192.0.2.1", "wrong") }
			if i%2 == 1 {
				guess = func() *httptest.ResponseRecorder {
					return ask("192.0.2.1", http.MethodGet, "/workers", "", "Authorization", "bearer wrong")
				}
			}
			if w := guess(); w.Code != http.StatusUnauthorized {
				t.Fatalf("guess %d: got %d %s", i, w.Code, w.Body)
			}
		}
		for _, w := range []*httptest.ResponseRecorder{
			login("192.0.2.1", "top-secret"),
			ask("192.0.2.1", http.MethodGet, "/workers", "", "Authorization", "Bearer top-secret"),
		} {
			if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
				t.Errorf("the right one after too many: got %d %s", w.Code, w.Body)
			}
		}
		if w := ask("192.0.2.1", http.MethodGet, "/destinations/history", "", "Cookie", session); w.Code != http.StatusOK {
			t.Errorf("who is signed in got %d %s", w.Code, w.Body)
		}
		for s.guesses.place(elsewhere) == s.guesses.place("192.0.2.1") {
			elsewhere += "0"
		}
		if w := login(elsewhere, "top-secret"); w.Code != http.StatusOK {
			t.Errorf("from elsewhere: got %d %s", w.Code, w.Body)
		}
		time.Sleep(guessEvery) // of the test's own time
		if w := login("192.0.2.1", "top-secret"); w.Code != http.StatusOK {
			t.Errorf("a moment later: got %d %s", w.Code, w.Body)
		}
	})
}
