package mapping

import (
	"testing"

	"github.com/custsync/custsync/pkg/sinks"
)

func schema() *sinks.Schema {
	return &sinks.Schema{
		Fields: []string{"identifier", "email", "group", "address.city"}, Lists: []string{"email", "custom_fields.*"},
		Objects: []string{"cards"}, Open: []string{"custom_fields"},
	}
}

func TestFieldsOfTheSchema(t *testing.T) {
	for _, test := range []struct{ field, expression, want string }{
		{"group", `customer.vip ? "VIP" : "retail"`, ""},
		{"group", "customer.registered_at", ""},
		{"group", "customer.attributes.group", ""},
		{"group", `customer["tier"]`, ""},
		{"group", "clear()", ""},
		{"group", "nil", ""},
		{"group", "customer.note ?? clear()", ""},
		{"group", "customer.address", "0: must be a text, a number, or true or false, and this is an object for every customer"},
		{"group", "customer.emails", "0: must be a text, a number, or true or false, and this is a list for every customer"},
		{"group", "map(customer.cards, .number)", "0: must be a text, a number, or true or false, and this is a list for every customer"},
		{"group", `[customer.email, "x"]`, "0: must be a text, a number, or true or false, and this is a list for every customer"},
		{"group", `{"a": 1}`, "0: must be a text, a number, or true or false, and this is an object for every customer"},
		{"group", "customer.cards[0]", "0: must be a text, a number, or true or false, and this is an object for every customer"},
		{"group", "customer.attributes", "0: must be a text, a number, or true or false, and this is an object for every customer"},
		{"email", "customer.emails", ""},
		{"email", `filter(customer.emails, # != "")`, ""},
		{"email", "customer.consents", "0: must be a text, a number, true or false, or a list of them, and this is an object for every customer"},
		{"custom_fields.ltv", "customer.total_spent", ""},
		{"custom_fields.a.b", "customer.emails", ""},
		{"custom_fields", "customer.attributes", ""},
		{"custom_fields", "customer.note", "0: must be an object, and this is a single value for every customer"},
		{"address", "customer.address", ""},
		{"address.city", "customer.address.city", ""},
		{"cards", `map(customer.cards, {{"uid": .number}})`, ""},
		{"cards", "customer.id", "0: must be a list of objects, and this is a single value for every customer"},
		{"grup", "1", `key: is no field that can be mapped; did you mean "group"?`},
		{"custom_field.ltv", "1", `key: is no field that can be mapped; did you mean "custom_fields.ltv"?`},
		{"adress.city", "1", `key: is no field that can be mapped; did you mean "address.city"?`},
		{"version", "customer.vershun", `9: customer has no field vershun; did you mean "version"?
key: is no field that can be mapped; known here: identifier, email, group, address.city, cards, custom_fields.*`},
	} {
		_, problems := Compile(provider{}, Rules{Map: map[string]string{test.field: test.expression}, Schema: schema()})
		if got := lines(problems); got != test.want {
			t.Errorf("%s: %s:\ngot:\n%s\nwant:\n%s", test.field, test.expression, got, test.want)
		}
	}
}

func TestWholeAndPart(t *testing.T) {
	_, problems := Compile(provider{}, Rules{Map: map[string]string{"address": "customer.address", "address.city": "customer.address.city"}, Schema: schema()})
	if got, want := lines(problems), "key: is a part of address, which is mapped as a whole; map either the whole or its parts"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// What only a customer shows is that customer's fault, and says nothing of it.
func TestValuesOfAnotherShape(t *testing.T) {
	for expression, want := range map[string]string{
		`customer["tags"]`: "must be a text, a number, or true or false",
		`customer["deep"]`: "must be a text, a number, or true or false",
		`customer["big"]`:  "",
		`customer["gone"]`: "",
	} {
		r, problems := Compile(provider{}, Rules{Map: map[string]string{"group": expression}, Schema: schema()})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		out, err := r.Render(event(t, full))
		got := ""
		if len(out.Errors) > 0 {
			got = out.Errors[0].Message
		}
		if err != nil || got != want || want != "" && out.Errors[0].Field != "group" {
			t.Errorf("%s: got %v, %v, want group: %q", expression, out.Errors, err, want)
		}
	}
}
