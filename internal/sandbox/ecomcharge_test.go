package sandbox

import (
	"regexp"
	"testing"
	"time"
)

const ecomSample = `{"first_name":"John","last_name":"Doe","address":"1st Street","country":"US","city":"Denver","zip":"92006","state":"CO","phone":"+1-555-555-5555","email":"customer@example.com","ip":"127.0.0.1"}`

func TestEComCharge(t *testing.T) {
	p := &EComCharge{ShopID: "u", SecretKey: "p"}
	c := serve(t, p)
	c.want("POST", "/customers", ecomSample, 401, `{"message":"Unauthorized"}`)
	c.header = map[string]string{"Authorization": "Basic dTpw"}
	c.want("GET", "/customers", "", 200, `[]`)
	status, body := c.call("POST", "/customers", ecomSample)
	id := regexp.MustCompile(`^\{"id":"(cst_[0-9a-f]{16})",`).FindStringSubmatch(body)
	if status != 201 || id == nil || body != `{"id":"`+id[1]+`",`+ecomSample[1:] {
		t.Fatalf("create: got %d %s, want the sample with an id", status, body)
	}
	c.want("GET", "/customers/"+id[1], "", 200, body)
	c.want("GET", "/customers", "", 200, "["+body+"]")
	c.want("GET", "/customers/cst_0", "", 404, `~message`)
	c.want("PUT", "/customers/"+id[1], ecomSample, 404, `~message`)
	c.want("DELETE", "/customers/"+id[1], "", 404, `~message`)
	c.want("POST", "/customers", ecomSample, 201, `~cst_`) // it always creates
	if got := p.Book().Counters().Duplicates; got != 1 {
		t.Errorf("duplicates: got %d, want 1", got)
	}
	p.Change(func() { p.Switches = EComChargeSwitches{UniqueEmail: true, Update: true, WrappedList: true} })
	c.want("POST", "/customers", ecomSample, 422, `{"errors":{"email":["has already been taken"]},"message":"Email has already been taken"}`)
	c.want("PUT", "/customers/"+id[1], `{"city":"Boulder"}`, 200, `~"city":"Boulder"`)
	c.want("GET", "/customers", "", 200, `~{"customers":[{`)
}

func TestEComChargeRefuses(t *testing.T) {
	c := serve(t, &EComCharge{})
	for body, want := range map[string]string{
		`{"city":"Denver","zip":"92006","state":"CO","email":"customer@example.com"}`: `{"errors":{"ip":["address is invalid","can't be blank"]},"message":"Ip address is invalid. Ip can't be blank"}`,
		`{"email":"a@example.com","ip":"300.1.1.1"}`:                                  `~"ip":["address is invalid"]`,
		`{"ip":"192.0.2.1"}`:             `~"email":["can't be blank"]`,
		`{"ip":"192.0.2.1","email":"a"}`: `~"email":["is invalid"]`,
		`{"ip":"192.0.2.1","email":"a@example.com","country":"US","zip":"1"}`:    `~"zip":["is invalid"]`,
		`{"ip":"192.0.2.1","email":"a@example.com","country":"PL","state":"MA"}`: `~"state":["is invalid"]`,
		`{"ip":"192.0.2.1","email":"a@example.com","country":"Poland"}`:          `~"country":["is invalid"]`,
		`{"ip":"192.0.2.1","email":"a@example.com","phone":5}`:                   `~"phone":["is invalid"]`,
	} {
		c.want("POST", "/customers", body, 422, want)
	}
	c.want("POST", "/customers", `{"ip":"192.0.2.1","email":"a@example.com","country":"PL","zip":"00-001","state":null}`, 201, `~"state":null`)
	c.want("POST", "/customers", `{`, 400, `~`)
}

func TestEComChargeThrottlesWithoutAWord(t *testing.T) {
	p := &EComCharge{}
	p.Faults().Add(Fault{Kind: Status, Status: 429, RetryAfter: time.Minute})
	resp, _, err := serve(t, p).try("POST", "/customers", ecomSample)
	if err != nil || resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "" {
		t.Errorf("429: got %v, %v, want no Retry-After", resp, err)
	}
}
