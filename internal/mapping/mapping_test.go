package mapping

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
)

// provider is a small default mapping: a text, a number, and an object.
type provider struct{}

func (provider) Map(ev *events.Event, rec *sinks.Record) {
	c := &ev.Customer
	rec.Text("identifier", c.ID)
	rec.Apart("email")
	if c.Email.Has() {
		rec.Text("email", c.Email.V)
	}
	if c.Group.Has() {
		rec.Text("group", c.Group.V)
	}
	for _, a := range c.Attributes.V {
		rec.Set(sinks.Field{Group: "custom_fields", Name: a.Name, Kind: sinks.KindRaw, Raw: a.Value})
	}
}

func (provider) Check(rec *sinks.Record) []sinks.FieldError {
	if rec.Get("", "email") == nil {
		return []sinks.FieldError{{Field: "email", Message: "is required"}}
	}
	return nil
}

// event decodes an event of customer 7 of the shop acme with more data.
func event(t testing.TB, more string) *events.Event {
	t.Helper()
	if more != "" {
		more = "," + more
	}
	doc := `{"specversion":"1.0","id":"e1","source":"/shops/acme","type":"customer.changed.v1","subject":"7",` +
		`"time":"2026-11-22T10:00:00Z","data":{"id":"7","version":3` + more + `}}`
	ev := &events.Event{}
	if err := events.Decode([]byte(doc), "acme", "7", time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC), ev); err != nil {
		t.Fatal(err)
	}
	return ev
}

// full has every field of the contract.
const full = `"email":"ann@example.org","emails":["b@example.org","c@example.org"],"phone":"+380631234567","phones":["1"],` +
	`"first_name":"Ann","last_name":"Lee","middle_name":"M","gender":"female","birth_date":"1990-02-03",` +
	`"company":"Acme","job_title":"CEO","website":"https://x","tax_id":"t","national_id":"n","note":"hello","group":"gold",` +
	`"type":"b2b","account_manager":"am","locale":"uk","ip":"127.0.0.1","vip":true,"registered_at":"2020-01-02T03:04:05Z","total_spent":37456.5,` +
	`"address":{"street":"Main","building":"1","city":"Kyiv","country":"UA"},"consents":{"email":true,"sms":false},` +
	`"discount":{"percent":5,"active":true},"balance":{"amount":10.25,"currency":"UAH"},` +
	`"cards":[{"id":"c1","number":"111","status":"BLOCKED"},{"id":"c2","number":"222","status":"ACTIVE"}],"bonuses":[{"program_id":"1","amount":5}],` +
	`"attributes":{"ltv":27456,"size":"M","score":1.5,"flag":true,"none":null},"loyalty_tier":"silver","big":9007199254740993,"tags":["a","b"],"deep":{"x":[1]}`

// mapped returns what an expression makes of the field x.
func mapped(t *testing.T, ev *events.Event, expression string) string {
	t.Helper()
	r, problems := Compile(provider{}, Rules{Map: map[string]string{"x": expression}})
	if len(problems) > 0 {
		t.Fatalf("%s: %v", expression, problems)
	}
	out, err := r.Render(ev)
	if err != nil {
		return err.Error()
	}
	var row map[string]json.RawMessage
	if err := json.Unmarshal(out.Body, &row); err != nil {
		t.Fatalf("%s: %s: %v", expression, out.Body, err)
	}
	if x, ok := row["x"]; ok {
		return string(x)
	}
	return "left alone"
}

func TestValues(t *testing.T) {
	for _, test := range []struct{ expression, full, bare string }{
		{`customer.email`, `"ann@example.org"`, `left alone`},
		{`customer.id + "@" + shop`, `"7@acme"`, `"7@acme"`},
		{`customer.version`, `3`, `3`},
		{`customer.total_spent`, `37456.5`, `left alone`},
		{`customer.total_spent * 2 + 1`, `74914`, `left alone`},
		{`-customer.total_spent`, `-37456.5`, `left alone`},
		{`customer.vip ? "VIP" : "retail"`, `"VIP"`, `"retail"`},
		{`customer.vip and customer.total_spent > 100 ? 1 : 0`, `1`, `0`},
		{`not customer.vip`, `false`, `true`},
		{`customer.email == nil`, `false`, `true`},
		{`customer.email ?? "none"`, `"ann@example.org"`, `"none"`},
		{`customer.full_name`, `"Ann M Lee"`, `left alone`},
		{`customer.first_name + " " + customer.last_name`, `"Ann Lee"`, `left alone`},
		{`upper(customer.first_name)`, `"ANN"`, `left alone`},
		{`customer.first_name | lower()`, `"ann"`, `left alone`},
		{`customer.address.city`, `"Kyiv"`, `left alone`},
		{`customer.address.flat`, `left alone`, `left alone`},
		{`customer?.address?.city`, `"Kyiv"`, `left alone`},
		{`customer["address"]["city"]`, `"Kyiv"`, `left alone`},
		{`customer.consents.email == true`, `true`, `false`},
		{`customer.consents.push ?? false`, `false`, `false`},
		{`customer.consents != nil`, `true`, `false`},
		{`customer.balance.amount >= 10.25`, `true`, `left alone`},
		{`customer.cards[1].number`, `"222"`, `left alone`},
		{`customer.cards[9].number`, `left alone`, `left alone`},
		{`len(customer.cards)`, `2`, `left alone`},
		{`filter(customer.cards, .status == "ACTIVE")[0].number`, `"222"`, `left alone`},
		{`find(customer.cards, .status startsWith "AC").id`, `"c2"`, `left alone`},
		{`map(customer.cards, .number)`, `["111","222"]`, `left alone`},
		{`any(customer.cards, .status == "BLOCKED") ? 1 : 2`, `1`, `2`},
		{`customer.emails[1:]`, `["c@example.org"]`, `left alone`},
		{`"b@example.org" in customer.emails`, `true`, `false`},
		{`customer.email matches "^ann@"`, `true`, `left alone`},
		{`customer.registered_at`, `"2020-01-02T03:04:05Z"`, `left alone`},
		{`customer.registered_at.Year()`, `2020`, `left alone`},
		{`customer.registered_at < date("2021-01-01T00:00:00Z")`, `true`, `left alone`},
		{`customer.attributes.ltv`, `27456`, `left alone`},
		{`customer.attributes.ltv % 2`, `0`, `left alone`},
		{`customer.attributes["size"] + "!"`, `"M!"`, `left alone`},
		{`customer.attributes.flag ? "y" : "n"`, `"y"`, `"n"`},
		{`customer.attributes.none`, `left alone`, `left alone`},
		{`len(customer.attributes)`, `5`, `0`},
		{`customer.extra.loyalty_tier`, `"silver"`, `left alone`},
		{`customer["loyalty_tier"]`, `"silver"`, `left alone`},
		{`customer.extra.big`, `9007199254740993`, `left alone`},
		{`customer.extra.deep.x[0]`, `1`, `left alone`},
		{`customer["tags"] ?? []`, `["a","b"]`, `[]`},
		{`customer["e" + "mail"]`, `"ann@example.org"`, `left alone`},
		{`{"a": customer.vip, "b": clear()}`, `{"a":true,"b":null}`, `{"a":null,"b":null}`},
		{`clear()`, `null`, `null`},
		{`customer.note ?? clear()`, `"hello"`, `null`},
		{`nil`, `left alone`, `left alone`},
		{`let n = customer.total_spent ?? 0; n > 1000 ? "big" : "small"`, `"big"`, `"small"`},
		{`if customer.vip { 1 } else { 2 }`, `1`, `2`},
		{`customer.total_spent / 0`, `map.x: the value is no JSON at character 1 of customer.total_spent / 0`, `left alone`},
		{`int(customer.note)`, `map.x: the expression failed on this customer at character 1 of int(customer.note)`, `left alone`},
		{`1 + customer.attributes.size`, `map.x: the expression failed on this customer at character 3 of 1 + customer.attributes.size`, `left alone`},
		{`customer.attributes.size ? 1 : 2`, `map.x: a condition is neither true nor false at character 21 of customer.attributes.size ? 1 : 2`, `2`},
	} {
		t.Run(test.expression, func(t *testing.T) {
			if got := mapped(t, event(t, full), test.expression); got != test.full {
				t.Errorf("full customer: got %s, want %s", got, test.full)
			}
			if got := mapped(t, event(t, ""), test.expression); got != test.bare {
				t.Errorf("bare customer: got %s, want %s", got, test.bare)
			}
		})
	}
}

func TestWhen(t *testing.T) {
	for _, test := range []struct {
		when       string
		full, bare bool
	}{
		{"", true, true},
		{"customer.consents.email == true", true, false},
		{"customer.consents.email", true, false},
		{"customer.total_spent > 100", true, false},
		{"not (customer.total_spent > 100)", false, true},
		{"customer.attributes.flag", true, false},
		{`customer.address.country in ["UA", "PL"]`, true, false},
		{`shop == "acme"`, true, true},
		{`customer.email contains "@" and customer.vip`, true, false},
	} {
		r, problems := Compile(provider{}, Rules{When: test.when})
		if len(problems) > 0 {
			t.Errorf("%s: %v", test.when, problems)
			continue
		}
		for more, want := range map[string]bool{full: test.full, "": test.bare} {
			got, err := r.Render(event(t, more))
			if err != nil || got.Admitted != want {
				t.Errorf("%s on %q: got %v, %v, want %v", test.when, more, got.Admitted, err, want)
			}
		}
	}
}

func TestProblems(t *testing.T) {
	for _, test := range []struct{ expression, want string }{
		{`customer.totl_spent`, `9: customer has no field totl_spent; did you mean "total_spent"?`},
		{`"é" + customer.zzz`, `15: customer has no field zzz; write customer.attributes.zzz for one of the shop's own fields, customer["zzz"] for one beside the contract`},
		{`customer.address.citi`, `17: customer.address has no field citi; did you mean "city"?`},
		{`customer?.address?.citi`, `19: customer.address has no field citi; did you mean "city"?`},
		{`customer.emial + customer.fone`, `9: customer has no field emial; did you mean "email"?
26: customer has no field fone; did you mean "phone"?`},
		{`VIP`, `0: is no expression: unknown name VIP; write customer. before a field's name, and a text in quotes`},
		{`customer.email > 5`, `15: is no expression: invalid operation: > (mismatched types string and int)`},
		{`customer.vip +`, `13: is no expression: unexpected token EOF`},
		{`customer.cards[0].nummer`, `18: is no expression: unknown field nummer`},
		{`$env`, `0: $env has no use here; write customer or shop`},
		{`customer.email ? 1 : 2`, `9: is no expression: non-bool expression (type string) used as condition`},
	} {
		_, problems := Compile(provider{}, Rules{Map: map[string]string{"a.b": test.expression}})
		if got := lines(problems); got != test.want {
			t.Errorf("%s:\ngot:\n%s\nwant:\n%s", test.expression, got, test.want)
		}
		for _, p := range problems {
			if want := []string{"map", "a.b"}; !reflect.DeepEqual(p.Keys, want) {
				t.Errorf("%s: got keys %v, want %v", test.expression, p.Keys, want)
			}
		}
	}
	_, problems := Compile(provider{}, Rules{When: "customer.email", Map: map[string]string{"x": "y"}})
	want := `0: is no condition: expected bool, but got string; write a condition, such as customer.vip == true
0: is no expression: unknown name y; write customer. before a field's name, and a text in quotes`
	if got := lines(problems); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func lines(problems []Problem) string {
	var out []string
	for _, p := range problems {
		line := fmt.Sprintf("%d: %s", p.Offset, p.Message)
		if p.AtKey {
			line = "key: " + p.Message
		}
		if p.Hint != "" {
			line += "; " + p.Hint
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func TestRender(t *testing.T) {
	more := `"email":"Ann@example.org","group":"gold","attributes":{"ltv":1,"size":"M"}`
	for _, test := range []struct {
		name  string
		rules Rules
		more  string
		want  string
	}{
		{"as it is", Rules{}, more, `{"identifier":"7","email":"Ann@example.org","group":"gold","custom_fields":{"ltv":1,"size":"M"}}`},
		{"replaced in place", Rules{Map: map[string]string{"email": `"x"`}}, more, `{"identifier":"7","email":"x","group":"gold","custom_fields":{"ltv":1,"size":"M"}}`},
		{"into an object", Rules{Map: map[string]string{"custom_fields.ltv": "2", "custom_fields.a.b": "true"}}, more,
			`{"identifier":"7","email":"Ann@example.org","group":"gold","custom_fields":{"ltv":2,"size":"M","a.b":true}}`},
		{"a new object", Rules{Map: map[string]string{"address.city": `"Kyiv"`}}, more,
			`{"identifier":"7","email":"Ann@example.org","group":"gold","custom_fields":{"ltv":1,"size":"M"},"address":{"city":"Kyiv"}}`},
		{"left alone", Rules{Map: map[string]string{"group": "nil", "custom_fields.size": "customer.note", "nothing": "nil"}}, more,
			`{"identifier":"7","email":"Ann@example.org","custom_fields":{"ltv":1}}`},
		{"an object left alone", Rules{Map: map[string]string{"custom_fields": "nil"}}, more, `{"identifier":"7","email":"Ann@example.org","group":"gold"}`},
		{"an object cleared", Rules{Map: map[string]string{"custom_fields": "clear()"}}, more,
			`{"identifier":"7","email":"Ann@example.org","group":"gold","custom_fields":null}`},
		{"an object replaced", Rules{Map: map[string]string{"custom_fields": `{"a": "<b>"}`}}, more,
			`{"identifier":"7","email":"Ann@example.org","group":"gold","custom_fields":{"a":"<b>"}}`},
		{"shop let through", Rules{Shops: []string{"other", "acme"}}, `"email":"e"`, `{"identifier":"7","email":"e"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, problems := Compile(provider{}, test.rules)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			for range 2 { // the second time with what the pool kept
				got, err := r.Render(event(t, test.more))
				if err != nil || string(got.Body) != test.want {
					t.Errorf("got  %s, %v\nwant %s", got.Body, err, test.want)
				}
				if !got.Admitted || got.Errors != nil || got.Hash != sinks.Hash([]byte(test.want)) {
					t.Errorf("got %+v, want it admitted, sound, with the body's hash", got)
				}
			}
		})
	}
}

func TestRenderEnds(t *testing.T) {
	compile := func(rules Rules) *Renderer {
		t.Helper()
		r, problems := Compile(provider{}, rules)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return r
	}
	got, err := compile(Rules{Shops: []string{"other"}, When: "1 / 0 > 0"}).Render(event(t, ""))
	if err != nil || got.Admitted {
		t.Errorf("another shop: got %+v, %v, want it not admitted", got, err)
	}
	got, err = compile(Rules{}).Render(event(t, ""))
	if want := []sinks.FieldError{{Field: "email", Message: "is required"}}; err != nil || !reflect.DeepEqual(got.Errors, want) {
		t.Errorf("invalid: got %v, %v, want %v", got.Errors, err, want)
	}
	got, err = compile(Rules{Map: map[string]string{"email": `"x"`}}).Render(event(t, ""))
	if err != nil || got.Errors != nil {
		t.Errorf("checked after mapping: got %v, %v, want no errors", got.Errors, err)
	}
	got, err = compile(Rules{Map: map[string]string{"group": "nil"}}).Render(event(t, full))
	if err != nil || got.Apart != "ann@example.org" {
		t.Errorf("apart: got %q, %v, want the mail address", got.Apart, err)
	}
	// Two customers who are mapped to one mail address are one at the provider.
	got, err = compile(Rules{Map: map[string]string{"email": `" Team@example.org"`}}).Render(event(t, full))
	if err != nil || got.Apart != "team@example.org" {
		t.Errorf("apart after mapping: got %q, %v, want the mail address that is sent", got.Apart, err)
	}
	deleted := event(t, "")
	deleted.Type = events.Deleted
	got, err = compile(Rules{When: "customer.vip"}).Render(deleted)
	if err != nil || !got.Admitted || got.Body != nil {
		t.Errorf("deletion: got %+v, %v, want it admitted without a body", got, err)
	}
	// A customer that is not admitted has a row all the same: on_leave may send it.
	got, err = compile(Rules{When: "false"}).Render(event(t, full))
	if err != nil || got.Admitted || got.Body == nil {
		t.Errorf("left: got %+v, %v, want a body, not admitted", got, err)
	}
}

// An error names the expression, and nothing of the customer.
func TestErrorHoldsNoData(t *testing.T) {
	for _, expression := range []string{
		`int(customer.note)`, `date(customer.note)`, `float(customer.email)`, `fromJSON(customer.phone)`,
		`customer.attributes.size.x`, `1 + customer.attributes.size`, `fromBase64(customer.note)`, `duration(customer.note)`,
		`customer.email matches customer.extra.pattern`, `repeat(customer.note, 1000000000)`,
	} {
		r, problems := Compile(provider{}, Rules{Map: map[string]string{"x": expression}})
		if len(problems) > 0 {
			t.Errorf("%s: %v", expression, problems)
			continue
		}
		_, err := r.Render(event(t, strings.Replace(full, `"deep"`, `"pattern":"(secret","deep"`, 1)))
		if err == nil {
			t.Errorf("%s: got no error", expression)
			continue
		}
		rest := strings.ReplaceAll(err.Error(), expression, "")
		for _, secret := range []string{"hello", "ann", "380", "secret", `"M"`} {
			if strings.Contains(strings.ToLower(rest), secret) {
				t.Errorf("%s: %q holds %q", expression, err, secret)
			}
		}
	}
}

// Expressions see each field of the contract by its name in the event.
func TestContractIsWhole(t *testing.T) {
	fields := map[string]bool{}
	for _, f := range contract() {
		fields[f.name] = true
	}
	fields[attributes] = true
	kind := reflect.TypeFor[events.Customer]()
	for i := range kind.NumField() {
		name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
		if !fields[name] {
			t.Errorf("expressions don't see %s", name)
		}
		delete(fields, name)
	}
	if len(fields) > 0 {
		t.Errorf("expressions see %v, which no customer has", fields)
	}
	var ev map[string]any
	if err := json.Unmarshal([]byte("{"+full+"}"), &ev); err != nil {
		t.Fatal(err)
	}
	for _, f := range contract() {
		if f.of(&event(t, full).Customer) == nil && ev[f.name] != nil {
			t.Errorf("%s: got nil, want what the event has", f.name)
		}
	}
}

func TestConcurrentRender(t *testing.T) {
	r, problems := Compile(provider{}, Rules{When: "customer.vip", Map: map[string]string{"n": "customer.version", "g.x": "customer.extra.big"}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want, err := r.Render(event(t, full))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			ev := event(t, full)
			for range 200 {
				got, err := r.Render(ev)
				if err != nil || string(got.Body) != string(want.Body) {
					t.Errorf("got %s, %v, want %s", got.Body, err, want.Body)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Whatever is written, compiling and running it end without a panic.
func FuzzExpression(f *testing.F) {
	for _, seed := range []string{`customer.cards[0]?.number ?? clear()`, `map(customer.emails, # + "x")`, `let a = customer; a.email`,
		`customer.registered_at.Year() % 2 == 0 ? shop : nil`, `customer["x"].y`, `-nil`, `reduce(customer.bonuses, #acc + .amount, 0)`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		r, _ := Compile(provider{}, Rules{Map: map[string]string{"x": expression}})
		if r == nil {
			return
		}
		out, err := r.Render(event(t, full))
		if err == nil && !json.Valid(out.Body) {
			t.Errorf("%s made %s", expression, out.Body)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	for name, rules := range map[string]Rules{
		"default": {},
		"when":    {When: "customer.consents.email == true"},
		"mapped":  {When: "customer.consents.email == true", Map: map[string]string{"custom_fields.ltv": "customer.total_spent", "group": `customer.vip ? "VIP" : "retail"`}},
	} {
		b.Run(name, func(b *testing.B) {
			r, problems := Compile(provider{}, rules)
			if len(problems) > 0 {
				b.Fatal(problems)
			}
			ev := event(b, full)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Render(ev); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
