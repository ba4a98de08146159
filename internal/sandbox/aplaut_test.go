package sandbox

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func aplautCaller(t *testing.T, p *Aplaut) *caller {
	c := serve(t, p)
	c.header = map[string]string{"Authorization": "Bearer t", "Content-Type": "application/vnd.api+json"}
	return c
}

const aplautSample = `{"data":{"type":"consumers","attributes":{"external_id":"347771386","name":"Анна примерова","email":"anna@example.com","phone":"+7 (555) 555-01-23",` +
	`"custom_attributes":{"orders_count":"12","ltv":"27456","version":"1"}}}}`

func TestAplautCreatesAndUpdates(t *testing.T) {
	p := &Aplaut{Token: "t"}
	c := aplautCaller(t, p)
	c.want("GET", "/consumers/347771386", "", 404, `~"title":"Document not found"`)
	c.want("POST", "/consumers", aplautSample, 201, `~"external_id":"347771386"`)
	c.want("POST", "/consumers", aplautSample, 422, `~"details":{"email":["is already taken"],"external_id":["is already taken"],"model":"Validation of Consumer failed."}`)
	c.want("GET", "/consumers/347771386", "", 200, `~"name":"Анна Примерова","phone":"75555550123"`)
	// The mail address and the phone are frozen; custom attributes are merged.
	c.want("PUT", "/consumers/347771386", `{"data":{"type":"consumers","attributes":{"external_id":"9","email":"new@example.com","phone":"1","unsubscribed":true,"custom_attributes":{"ltv":"37456","orders_count":null,"version":"2"}}}}`,
		200, `~"custom_attributes":{"ltv":"37456","version":"2"},"email":"anna@example.com","external_id":"347771386","first_name":"Анна","name":"Анна Примерова","phone":"75555550123","unsubscribed":true`)
	c.want("PUT", "/consumers/347771387", `{"data":{"type":"consumers","attributes":{}}}`, 201, `~"external_id":"347771387"`)
	c.want("PUT", "/consumers/347771387", `{"data":{"type":"consumers","attributes":{"name":null}}}`, 200, `~"external_id":"347771387"`)
	held, _ := p.Book().Held("347771386")
	if len(held.Records) != 1 || len(held.Versions) != 2 {
		t.Errorf("held: got %v, want one record with two versions", held)
	}
	c.want("GET", "/consumers/"+held.Records[0].ID, "", 200, `~"external_id":"347771386"`) // by the internal id
	c.want("DELETE", "/consumers/347771386", "", 204, "")
	c.want("DELETE", "/consumers/347771386", "", 404, `~Consumer`)
	c.want("PUT", "/consumers/347771388", strings.Replace(aplautSample, "347771386", "x", 1), 201, `~`) // the address is free again
}

func TestAplautRefuses(t *testing.T) {
	p := &Aplaut{Token: "t"}
	c := aplautCaller(t, p)
	for body, want := range map[string]string{
		`{`: "400", `{"data":{"type":"users","attributes":{}}}`: "400", `{"data":{"type":"consumers"}}`: "400",
		`{"data":{"type":"consumers","attributes":{"nick":"x"}}}`:                        "is unknown",
		`{"data":{"type":"consumers","attributes":{"unsubscribed":"yes"}}}`:              "is invalid",
		`{"data":{"type":"consumers","attributes":{"created_at":"yesterday"}}}`:          "is invalid",
		`{"data":{"type":"consumers","attributes":{"custom_attributes":{"a":{"b":1}}}}}`: "more than one level",
	} {
		if status, got := c.call("PUT", "/consumers/1", body); status != 400 && status != 422 || !strings.Contains(got, want) {
			t.Errorf("%s: got %d %s, want a refusal with %s", body, status, got, want)
		}
	}
	c.want("PUT", "/consumers/a%2Fb", `{"data":{"type":"consumers","attributes":{}}}`, 404, `~route`)
	c.want("PUT", "/consumers/a%2Eb", `{"data":{"type":"consumers","attributes":{}}}`, 201, `~"external_id":"a"`) // cut at the dot
	c.want("PUT", "/consumers/%D1%8F%20", `{"data":{"type":"consumers","attributes":{}}}`, 201, `~"external_id":"я "`)
	c.want("GET", "/consumers?per_page=30", "", 422, `~`)
	c.want("GET", "/consumers?per_page=5", "", 200, `~"data":[{`)
	p.Change(func() {
		p.Switches = AplautSwitches{SchemaErrors: true, RequireContact: true, RequireType: true, CheckMail: true}
	})
	c.want("PUT", "/consumers/7", `{"data":{"type":"consumers","attributes":{"email":"x"}}}`, 422, `~"errors":[{`)
	c.header["Content-Type"] = "application/json"
	c.want("PUT", "/consumers/7", `{}`, 415, `~`)

	c.header["Authorization"] = "Bearer wrong"
	resp, body, _ := c.try("GET", "/consumers", "")
	if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != 401 || body != "" || !strings.Contains(got, "invalid_token") {
		t.Errorf("a wrong token: got %d %q with %q, want 401 without a body", resp.StatusCode, body, got)
	}
	c.header["Authorization"] = "Basic dTpw"
	c.want("GET", "/consumers", "", 401, "HTTP Token: Access denied.\n")
	c.header["Authorization"] = "Token token=t"
	c.want("GET", "/consumers?per_page=5", "", 200, `~`)
}

func TestAplautThrottles(t *testing.T) {
	p := &Aplaut{}
	c := aplautCaller(t, p)
	for _, layout := range []string{"2006-01-02 15:04:05 -0700", time.RFC3339} {
		p.Change(func() { p.Switches.ResetWithT = layout == time.RFC3339 })
		p.Faults().Set(Fault{Kind: Status, Status: 429, RetryAfter: time.Minute})
		resp, body, err := c.try("GET", "/consumers", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := time.Parse(layout, resp.Header.Get("X-RateLimit-Reset")); err != nil || body != "Throttled\n" || resp.Header.Get("Retry-After") != "60" {
			t.Errorf("429: got %q, %v, want both headers", body, resp.Header)
		}
	}
	p.Faults().Clear()
	p.Change(func() { p.Switches.PerSecond = 50 })
	start := time.Now()
	for range 6 {
		c.want("GET", "/consumers", "", http.StatusOK, `~`)
	}
	if took := time.Since(start); took < 95*time.Millisecond {
		t.Errorf("six calls at 50 a second: got %v, want them delayed to 100 ms", took)
	}
}
