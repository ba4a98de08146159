package sandbox

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

func TestThuliumBatch(t *testing.T) {
	for _, test := range []struct{ name, method, body, want string }{
		{"published sample", "POST", `{"customers":[{"surname":"Kowalski"},{"phone_number":"333 444","surname":"Nowak"}]}`,
			`{"0":{"http_status":201,"customer_id":"2"},"1":{"http_status":400,"message":"Phone number must be numeric."}}`},
		{"surname", "POST", `{"customers":[{"phone_number":"333444555"},{"surname":" "},{"surname":null}]}`,
			`{"0":{"http_status":400,"message":"Surname is required."},"1":{"http_status":400,"message":"Surname is required."},"2":{"http_status":400,"message":"Surname is required."}}`},
		{"phones and mails", "POST", `{"customers":[{"surname":"A","phone_number":["1","2a"]},{"surname":"A","email":["a@example.com","b"]}]}`,
			`{"0":{"http_status":400,"message":"Phone number must be numeric."},"1":{"http_status":400,"message":"Wrong format of e-mail address."}}`},
		{"cleared", "POST", `{"customers":[{"surname":"A","phone_number":null,"email":"","birthdate":null,"address":null}]}`,
			`{"0":{"http_status":201,"customer_id":"2"}}`},
		{"types", "POST", `{"customers":[{"surname":"A","vip":"yes"},{"surname":"A","custom_fields":[]},{"surname":"A","address":{"zip":"1"}},{"surname":"A","birthdate":"1.2.2003"}]}`,
			`{"0":{"http_status":400,"message":"Field vip must be a flag."},"1":{"http_status":400,"message":"Field custom_fields must be an object."},` +
				`"2":{"http_status":400,"message":"Field address.zip is unknown."},"3":{"http_status":400,"message":"Wrong format of birthdate."}}`},
		{"update", "PUT", `{"customers":[{"customer_id":"1","name":"Jan"},{"customer_id":1},{"name":"Jan"},{"customer_id":"99"},{"customer_id":"1","surname":""}]}`,
			`{"0":{"http_status":200,"customer_id":"1"},"1":{"http_status":200,"customer_id":"1"},"2":{"http_status":400,"message":"Customer id is required."},` +
				`"3":{"http_status":404,"message":"Customer not found."},"4":{"http_status":400,"message":"Surname is required."}}`},
		{"nobody", "POST", `{"customers":[]}`, `{}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := serve(t, &Thulium{})
			c.want("POST", "/api/batch/customers", `{"customers":[{"surname":"First","identifier":"c1"}]}`, 200, `{"0":{"http_status":201,"customer_id":"1"}}`)
			c.want(test.method, "/api/batch/customers", test.body, 200, test.want)
		})
	}
}

func TestThuliumRefusesWholeCalls(t *testing.T) {
	p := &Thulium{Username: "u", Password: "p"}
	c := serve(t, p)
	c.want("GET", "/api/customers", "", 401, `~"message":"Unauthorized."`)
	c.header = map[string]string{"Authorization": "Basic dTpw"}
	c.want("POST", "/api/batch/customers", `{"customers":[{"surname":"A"}`, 400, `~"message":"Request body is not valid JSON."`)
	c.want("POST", "/api/batch/customers", "{\"customers\":[{\"surname\":\"\x01\"}]}", 400, `~not valid JSON`)
	c.want("POST", "/api/batch/customers", "{\"customers\":[{\"surname\":\"\xff\"}]}", 400, `~not valid JSON`)
	c.want("POST", "/api/batch/customers", `{"customer":[]}`, 400, `~"message":"Parameter customers is required."`)
	c.want("POST", "/batch/customers", `{"customers":[]}`, 404, `~"request_id"`)
	c.want("PATCH", "/api/batch/customers", ``, 405, `~"errors"`)
	c.want("GET", "/api/customers?limit=1001", "", 400, `~Limit`)
	if got := p.Book().Counters().Unauthorized; got != 1 {
		t.Errorf("unauthorized calls: got %d, want 1", got)
	}
}

func TestThuliumLookUp(t *testing.T) {
	p := &Thulium{}
	c := serve(t, p)
	c.want("GET", "/api/customers?identifier=c1", "", 200, `[]`)
	c.call("POST", "/api/batch/customers", `{"customers":[{"surname":"A","identifier":"c1","phone_number":["1","2"]},{"surname":"B"},{"surname":"C","identifier":"c3","email":"c@example.com"}]}`)
	c.want("GET", "/api/customers?identifier=c1", "", 200,
		`[{"account_manager":"","company_id":"","customer_id":1,"email":"","group":"","identifier":"c1","name":"","phone_number":"1","phone_numbers":["1","2"],"surname":"A","type":""}]`)
	c.want("GET", "/api/customers?phone_number=2", "", 200, `~"customer_id":1,`)
	c.want("GET", "/api/customers?email=c@example.com", "", 200, `~"customer_id":3,`)
	c.want("GET", "/api/customers/3", "", 200, `~"identifier":"c3"`)
	c.want("GET", "/api/customers/9", "", 404, `~not found`)
	_, none := c.call("GET", "/api/customers?identifier=", "") // the trap: those without
	if strings.Count(none, "customer_id") != 1 || !strings.Contains(none, `"customer_id":2`) {
		t.Errorf("an empty identifier selects those without one: got %s", none)
	}
	c.want("DELETE", "/api/customers/1", "", 204, "")
	c.want("DELETE", "/api/customers/1", "", 404, `~not found`)
	c.want("GET", "/api/customers?identifier=c1", "", 200, `[]`)
}

func TestThuliumFoldsUpdates(t *testing.T) {
	p := &Thulium{}
	c := serve(t, p)
	c.call("POST", "/api/batch/customers", `{"customers":[{"surname":"A","name":"X","identifier":"c1","custom_fields":{"a":"1","b":"2","version":"1"},"address":{"city":"Y","street":"Z"}}]}`)
	for v := 2; v < 60; v++ { // enough to be folded on the way
		c.call("PUT", "/api/batch/customers", fmt.Sprintf(`{"customers":[{"customer_id":"1","name":null,"custom_fields":{"a":"","version":%d},"address":{"street":null}}]}`, v))
	}
	c.call("PUT", "/api/batch/customers", `{"customers":[{"customer_id":"1","custom_fields":{"version":7}},{"customer_id":"1","custom_fields":{"version":"7"}}]}`)
	p.Change(func() {
		if kept := len(p.book.under("c1")[0].rows); kept > 40 {
			t.Errorf("rows kept of one customer: got %d, want them folded now and then", kept)
		}
	})
	held, _ := p.Book().Held("c1")
	got := fmt.Sprint(len(held.Records), " ", held.Writes, " ", len(held.Versions))
	for _, name := range []string{"surname", "name", "custom_fields", "address"} {
		got += " " + string(held.Records[0].Fields[name])
	}
	if want := `1 61 61 "A"  {"b":"2","version":"7"} {"city":"Y"}`; got != want {
		t.Errorf("held: got %s, want %s", got, want)
	}
	counters := p.Book().Counters()
	if got, want := []int{counters.BackSteps, counters.Repeats, counters.Duplicates}, []int{1, 1, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("steps back, repeats, duplicates: got %v, want %v", got, want)
	}
}

func TestThuliumMovesToANewIdentifier(t *testing.T) {
	p := &Thulium{}
	c := serve(t, p)
	c.call("POST", "/api/batch/customers", oneCustomer)
	c.call("PUT", "/api/batch/customers", `{"customers":[{"customer_id":"1","identifier":"c2"}]}`)
	c.want("GET", "/api/customers?identifier=c1", "", 200, `[]`)
	c.want("GET", "/api/customers?identifier=c2", "", 200, `~"customer_id":1`)
	if held, _ := p.Book().Held("c1"); len(held.Records) != 0 || held.Writes != 1 {
		t.Errorf("under the old identifier: got %v, want no record and one write", held)
	}
}

func TestThuliumShowsDuplicates(t *testing.T) {
	p := &Thulium{}
	c := serve(t, p)
	row := `{"customers":[{"surname":"A","identifier":"c1"}]}`
	c.call("POST", "/api/batch/customers", row)
	c.call("POST", "/api/batch/customers", row)
	held, _ := p.Book().Held("c1")
	if got := p.Book().Counters().Duplicates; got != 1 || len(held.Records) != 2 {
		t.Errorf("duplicates: got %d in %d records, want 1 in 2", got, len(held.Records))
	}
	p.Change(func() { p.Switches.UniqueIdentifier = true })
	c.want("POST", "/api/batch/customers", row, 200, `{"0":{"http_status":400,"message":"Customer with this identifier already exists."}}`)
}

func BenchmarkThulium(b *testing.B) {
	var rows strings.Builder
	for i := range 100 {
		if i > 0 {
			rows.WriteByte(',')
		}
		fmt.Fprintf(&rows, `{"identifier":"customer-%d","name":"Jan","surname":"Kowalski","email":"jan.kowalski@example.com","phone_number":"48555010099","birthdate":"1990-02-03",`+
			`"note":"%s","vip":false,"address":{"street":"Prosta","building":"7","flat":"3","postcode":"00-001","city":"Warszawa","country":"PL"},"custom_fields":{"version":"12","ltv":"345.50"}}`,
			i, strings.Repeat("x", 250))
	}
	body := `{"customers":[` + rows.String() + `]}`
	p := &Thulium{Front: Front{book: Book{Lean: true}}}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		w := &recorder{}
		p.Book().Forget()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/batch/customers", strings.NewReader(body)))
		if w.status != 200 {
			b.Fatal(w.status)
		}
	}
}
