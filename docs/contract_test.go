// Package docs holds the documents of the contract to the code.
package docs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/custsync/custsync/pkg/events"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

const base = "https://custsync.example/"

func compiler(t testing.TB) *jsonschema.Compiler {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range []string{"customer.schema.json", "event.schema.json"} {
		if err := c.AddResource(base+name, document(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func schema(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	s, err := compiler(t).Compile(base + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func document(t testing.TB, name string) any {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return doc
}

// unsaid are the refusals that a schema has no words for.
var unsaid = []string{
	"given twice", "is not the customer of", "lies before 1970", "lies more than 10 minutes ahead", "larger than 512 KiB",
	"nested too deep", "half a surrogate pair", "invalid UTF-8",
}

// agree says how schema and decoder differ over a document, nothing if they don't.
func agree(s *jsonschema.Schema, doc []byte, decode func([]byte) error) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return nil // not JSON: the decoder's own business
	}
	refusal, decoded := s.Validate(value), decode(doc)
	switch {
	case refusal == nil && decoded != nil:
		if slices.ContainsFunc(unsaid, func(words string) bool { return strings.Contains(decoded.Error(), words) }) {
			return nil
		}
		return fmt.Errorf("the schema takes it, the decoder says: %w", decoded)
	case refusal != nil && decoded == nil:
		return fmt.Errorf("the decoder takes it, the schema says: %w", refusal)
	}
	return nil
}

func decodeCustomer(doc []byte) error { return events.DecodeCustomer(doc, new(events.Customer)) }

// decodeEvent decodes an event that came by the subject that it names itself.
func decodeEvent(doc []byte) error {
	var named struct{ Source, Subject any }
	if err := json.Unmarshal(doc, &named); err != nil {
		return err
	}
	shop, customer := "-", "-"
	if source, ok := named.Source.(string); ok && len(source) > len("/shops/") && strings.HasPrefix(source, "/shops/") {
		shop = source[len("/shops/"):]
	}
	if subject, ok := named.Subject.(string); ok && subject != "" {
		customer = subject
	}
	return events.Decode(doc, events.EscapeToken(shop), events.EscapeToken(customer), now, new(events.Event))
}

// full has every field of the contract.
const full = `{"specversion":"1.0","id":"e1","source":"/shops/acme","type":"customer.changed.v1","subject":"1","time":"2026-11-22T09:00:00Z","datacontenttype":"application/json",
"data":{"id":"1","version":7,"email":"a@example.com","emails":["b@example.com"],"phone":"+380631234567","phones":["+48"],
"first_name":"f","last_name":"l","middle_name":"m","full_name":"n","gender":"female","birth_date":"1990-02-28","company":"c","job_title":"j","website":"w",
"tax_id":"t","national_id":"n","note":"n","group":"g","type":"t","account_manager":"a","locale":"uk","ip":"192.0.2.1","vip":true,
"registered_at":"2020-01-02T03:04:05+02:00","total_spent":1.5,
"address":{"street":"s","building":"b","flat":"f","postcode":"p","city":"c","state":"s","country":"UA"},"invoice_address":{"city":"c"},"mailing_address":{"city":"c"},
"consents":{"email":true,"sms":false,"push":true},"discount":{"percent":5,"active":true,"valid_until":"2027-01-01","status":"confirmed"},
"balance":{"amount":-1,"currency":"EUR"},"cards":[{"id":"1","number":"2","barcode":"3","medium":"m","status":"s","type":"t","activated_at":"a","blocked_at":"b"}],
"bonuses":[{"program_id":"p","amount":10}],"attributes":{"size":"XL"},"unknown":{"x":[1]}}}`

// values are tried in every place.
var values = []string{
	"null", `""`, `"x"`, "0", "-1", "1.5", "7.0", "70e-1", "1e400", "-1e400", "9007199254740991", "9007199254740992", "true", "false",
	"[]", `["x"]`, "[null]", "[1]", "[{}]", "[[]]", "{}", `{"x":1}`, `{"x":null}`, `{"x":[]}`, `{"x":{}}`,
	`"1.0"`, `"customer.deleted.v1"`, `"/shops/"`, `"/shops/a.b@c"`, `"/shops/\n"`, `"shops/acme"`, `"APPLICATION/json ; charset=utf-8"`, `"application/jsonp"`, `"text/plain"`,
	`"2026-11-22T09:00:00Z"`, `"2026-11-22T09:00:00.123456789+05:30"`, `"2026-11-22t09:00:00z"`, `"2026-11-22 09:00:00Z"`, `"2026-11-22T09:00:00"`,
	`"2026-02-30T09:00:00Z"`, `"2026-11-22T24:00:00Z"`, `"2016-12-31T23:59:60Z"`, `"2026-11-22T09:00:00+24:00"`, `"2026-11-22T09:00:00,5Z"`,
	`"2026-11-22T9:00:00Z"`, `"2026-11-22T09:00:00.Z"`, `"2026-11-22T09:00:00.123456789012345678901234567890Z"`, `"0000-01-01T00:00:00Z"`, `"2024-02-29T00:00:00-00:00"`,
}

// Everywhere in an event, whatever stands there: schema and decoder say the same.
func TestSchemasAgreeWithDecoder(t *testing.T) {
	event, customer := schema(t, "event.schema.json"), schema(t, "customer.schema.json")
	if err := event.Validate(mustParse(t, full)); err != nil || decodeEvent([]byte(full)) != nil {
		t.Fatal(err, decodeEvent([]byte(full)))
	}
	tried, taken := 0, 0
	try := func(root any) {
		doc := mustWrite(t, root)
		tried++
		if decodeEvent(doc) == nil {
			taken++
		}
		if err := agree(event, doc, decodeEvent); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
		data := mustWrite(t, root.(map[string]any)["data"])
		if err := agree(customer, data, decodeCustomer); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
	for _, kind := range []string{"customer.changed.v1", "customer.deleted.v1"} {
		for _, versioned := range []bool{true, false} {
			start := mustParse(t, full).(map[string]any)
			start["type"] = kind
			if !versioned {
				delete(start["data"].(map[string]any), "version")
			}
			walk(start, func(where string, set func(any), remove func()) {
				for _, v := range values {
					value := mustParse(t, v)
					set(value)
					start["subject"] = subjectFor(where, value, start)
					try(start)
				}
				remove()
				start["subject"] = subjectFor(where, nil, start)
				try(start)
			})
		}
	}
	if taken < tried/5 || taken > tried*4/5 {
		t.Errorf("%d of %d documents are events: the table is one-sided", taken, tried)
	}
}

// subjectFor keeps subject and data.id the same where one of them is changed.
func subjectFor(where string, value any, root map[string]any) any {
	if where == "subject" {
		if data, ok := root["data"].(map[string]any); ok && value != nil {
			data["id"] = value
		}
		return value
	}
	if data, ok := root["data"].(map[string]any); ok && data["id"] != nil {
		return data["id"]
	}
	return "1"
}

// walk visits every place of a document; what a visit set is put back after it.
func walk(root any, visit func(where string, set func(any), remove func())) {
	var at func(where string, v any)
	at = func(where string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range sortedKeys(v) {
				old, path := v[name], strings.TrimPrefix(where+"."+name, ".")
				visit(path, func(x any) { v[name] = x }, func() { delete(v, name) })
				v[name] = old
				if path == "subject" {
					v["data"].(map[string]any)["id"] = "1"
				}
				at(path, old)
			}
		case []any:
			for i := range v {
				old := v[i]
				visit(fmt.Sprintf("%s[%d]", where, i), func(x any) { v[i] = x }, func() {})
				v[i] = old
				at(fmt.Sprintf("%s[%d]", where, i), old)
			}
		}
	}
	at("", root)
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func mustParse(t testing.TB, doc string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return v
}

func mustWrite(t testing.TB, v any) []byte {
	t.Helper()
	doc, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// What anybody makes up: schema and decoder say the same.
func FuzzSchemas(f *testing.F) {
	event, customer := schema(f, "event.schema.json"), schema(f, "customer.schema.json")
	f.Add([]byte(full))
	f.Add([]byte(`{"specversion":"1.0","id":"e1","source":"/shops/a.b","type":"customer.deleted.v1","subject":"a.b@c","time":null,"data":{"id":"a.b@c","version":1e2,"email":7}}`))
	f.Add([]byte(`{"id":"347771386","version":1e2,"total_spent":-0,"note":"\ud83d\ude00\u0000","attributes":{"":0.10}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		if len(doc) > 4096 || bytes.ContainsAny(doc, "eE") && bytes.Contains(doc, []byte("000000")) {
			return // numbers of a million digits are slow to compare
		}
		if err := agree(event, doc, decodeEvent); err != nil {
			t.Errorf("event: %v", err)
		}
		if err := agree(customer, doc, decodeCustomer); err != nil {
			t.Errorf("customer: %v", err)
		}
	})
}

// The schema names every field of the code, and no other.
func TestSchemaNamesAllFields(t *testing.T) {
	doc := document(t, "customer.schema.json").(map[string]any)
	defs := doc["$defs"].(map[string]any)
	var compare func(where string, properties map[string]any, of reflect.Type)
	compare = func(where string, properties map[string]any, of reflect.Type) {
		named := make(map[string]bool)
		for i := range of.NumField() {
			field := of.Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			named[name] = true
			property, ok := properties[name].(map[string]any)
			if !ok {
				t.Errorf("the schema lacks %s%s", where, name)
				continue
			}
			if ref, ok := property["$ref"].(string); ok {
				property = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
			}
			inner := field.Type
			if strings.HasPrefix(inner.Name(), "Opt[") {
				inner = inner.Field(0).Type
			}
			if inner.Kind() == reflect.Slice && inner.Elem().Kind() == reflect.Struct && inner.Elem() != reflect.TypeFor[events.Attribute]() {
				inner, property = inner.Elem(), property["items"].(map[string]any)
			}
			if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() {
				compare(where+name+".", property["properties"].(map[string]any), inner)
			}
		}
		for name := range properties {
			if !named[name] {
				t.Errorf("the code lacks %s%s", where, name)
			}
		}
	}
	compare("", doc["properties"].(map[string]any), reflect.TypeFor[events.Customer]())
	version := doc["properties"].(map[string]any)["version"].(map[string]any)
	if version["maximum"] != json.Number(fmt.Sprint(int64(events.MaxVersion))) {
		t.Errorf("the largest version is %v", version["maximum"])
	}
	number := defs["number"].(map[string]any)
	if most, err := number["maximum"].(json.Number).Float64(); err != nil || most != math.MaxFloat64 {
		t.Errorf("the largest number is %v", number["maximum"])
	}
}

// The examples are what they are examples of.
func TestExamples(t *testing.T) {
	for name, decode := range map[string]func([]byte) error{"customer.schema.json": decodeCustomer, "event.schema.json": decodeEvent} {
		list := document(t, name).(map[string]any)["examples"].([]any)
		for _, example := range list {
			doc := mustWrite(t, example)
			if err := errors.Join(schema(t, name).Validate(example), decode(doc)); err != nil {
				t.Errorf("%s: %s: %v", name, doc, err)
			}
		}
	}
}

// The AsyncAPI document leads to the schema, and says subject, id and size as the
// code has them.
func TestAsyncAPI(t *testing.T) {
	data, err := os.ReadFile("asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		AsyncAPI string `yaml:"asyncapi"`
		Channels map[string]struct {
			Address    string
			Parameters map[string]struct{ Examples []string }
			Messages   map[string]map[string]string
		}
		Operations map[string]struct {
			Action   string
			Channel  map[string]string
			Messages []map[string]string
		}
		Components struct {
			Messages map[string]struct {
				Summary string
				Payload struct{ Schema map[string]string }
				Headers struct {
					Properties map[string]struct{ Examples []string }
				}
				Examples []struct {
					Headers map[string]string
					Payload any
				}
			}
		}
	}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	channel, message := doc.Channels["customers"], doc.Components.Messages["event"]
	subject := strings.NewReplacer("{shop}", "acme", "{customer}", "a=2Eb=40c").Replace(channel.Address)
	if doc.AsyncAPI != "3.0.0" || subject != events.IngestSubject("acme", "a.b@c") {
		t.Errorf("version %s, subject %s", doc.AsyncAPI, subject)
	}
	if !slices.Contains(channel.Parameters["customer"].Examples, events.EscapeToken("a.b@c")) {
		t.Errorf("the examples of customers are %v", channel.Parameters["customer"].Examples)
	}
	for what, got := range map[string]string{
		"#/components/messages/event":         channel.Messages["event"]["$ref"],
		"#/channels/customers":                doc.Operations["publish"].Channel["$ref"],
		"#/channels/customers/messages/event": doc.Operations["publish"].Messages[0]["$ref"],
		"event.schema.json":                   message.Payload.Schema["$ref"],
		"receive":                             doc.Operations["publish"].Action,
	} {
		if got != what {
			t.Errorf("got %s, want %s", got, what)
		}
	}
	if !strings.Contains(message.Summary, fmt.Sprintf("%d KiB", events.MaxSize>>10)) {
		t.Errorf("the summary is %s", message.Summary)
	}
	event := schema(t, "event.schema.json")
	for _, example := range message.Examples {
		raw := mustWrite(t, example.Payload)
		var ev events.Event
		if err := errors.Join(event.Validate(mustParse(t, string(raw))), events.Decode(raw, "acme", "347771386", now.Add(time.Hour), &ev)); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if want := events.EscapeToken(ev.Shop) + "." + ev.ID; example.Headers["Nats-Msg-Id"] != want {
			t.Errorf("the id is %s, want %s", example.Headers["Nats-Msg-Id"], want)
		}
	}
}
