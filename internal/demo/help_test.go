package demo

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// create has a Thulium stand-in create a customer.
func create(t *testing.T, standIn http.Handler, row string) {
	t.Helper()
	w := httptest.NewRecorder()
	standIn.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/batch/customers", strings.NewReader(`{"customers":[`+row+`]}`)))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"http_status":201`) {
		t.Fatalf("create: got %d %s", w.Code, w.Body)
	}
}
