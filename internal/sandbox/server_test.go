package sandbox

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// start serves and returns a caller; the server ends before the test does.
func start(t *testing.T, s *Server) *caller {
	t.Helper()
	url, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	c := &caller{t: t, url: url, http: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: got %v, want nil at the end", err)
		}
		c.http.CloseIdleConnections()
	})
	return c
}

func TestServerServesEachBelowItsName(t *testing.T) {
	thulium, cartum := &Thulium{}, &Cartum{}
	c := start(t, &Server{Providers: map[string]Provider{"thulium": thulium, "cartum": cartum, "": &Thulium{Username: "u"}}})
	c.want("POST", "/thulium/api/batch/customers", oneCustomer, 200, `~201`)
	c.want("POST", "/cartum/api/auth/", `{}`, 200, `~"status":"OK"`)
	c.want("GET", "/api/customers", "", 401, `~Unauthorized`)
	if thulium.Book().Len() != 1 || cartum.Book().Counters().Requests["POST auth"] != 1 {
		t.Error("calls did not reach their stand-ins")
	}
}

// TestSandboxPaths walks through what a test of real binaries does.
func TestSandboxPaths(t *testing.T) {
	c := start(t, &Server{Providers: map[string]Provider{"thulium": &Thulium{}, "cartum": &Cartum{}}})
	box := "/thulium/_sandbox/"
	c.want("POST", box+"faults", `{"kind":"status","status":500,"times":1}`, 200, `~[{"kind":"status"`)
	c.want("PUT", box+"faults", `[{"kind":"status","status":502,"times":1,"delay":"1ms"}]`, 200, `~"delay":"1ms"`)
	c.want("POST", box+"faults", `{"kind":"sttaus"}`, 400, `~no kind`)
	c.want("GET", "/thulium/api/customers", "", 502, `~`)
	c.want("GET", "/thulium/api/customers", "", 200, `[]`)
	c.want("POST", box+"faults", `{"kind":"redirect","location":"/thulium/_followed"}`, 200, `~`)
	c.want("GET", "/thulium/api/customers", "", 404, `~`) // this caller follows
	c.want("DELETE", box+"faults", "", 204, "")
	c.want("POST", "/thulium/api/batch/customers", oneCustomer, 200, `~201`)
	c.want("GET", box+"counters", "", 200, `~"followed":1`)
	c.want("GET", box+"state?key=c1", "", 200, `{"key":"c1","records":[{"id":"1","fields":{"identifier":"c1","surname":"A"}}],"versions":[],"writes":1,"deletes":0}`+"\n")
	c.want("GET", box+"state?key=c2", "", 404, `~`)
	c.want("PUT", box+"switches", `{"number_ids":true}`, 200, `{"number_ids":true}`)
	c.want("POST", "/thulium/api/batch/customers", oneCustomer, 200, `{"0":{"http_status":201,"customer_id":2}}`)
	if _, state := c.call("GET", box+"state", ""); strings.Count(state, "\n") != 1 || strings.Count(state, `"id"`) != 2 {
		t.Errorf("state: got %s, want one line with two records", state)
	}
	c.want("DELETE", box+"counters", "", 204, "")
	c.want("GET", box+"counters", "", 200, `~"calls":0`)
	c.want("DELETE", box+"state", "", 204, "")
	c.want("GET", box+"state", "", 200, "")
	c.want("POST", "/cartum/_sandbox/clock", `{"advance":"10m"}`, 204, "")
	c.want("POST", "/cartum/_sandbox/clock", `{}`, 400, `~advance`)
	c.want("GET", box+"nothing", "", 404, `~`)
}
