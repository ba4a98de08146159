package events_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/pkg/events"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// document builds an event for acme/347771386, data and other attributes as given.
func document(data string, others ...string) string {
	parts := map[string]string{
		"specversion": `"1.0"`, "id": `"e1"`, "source": `"/shops/acme"`, "type": `"customer.changed.v1"`, "subject": `"347771386"`,
		"time": `"2026-11-22T10:00:00.123Z"`, "datacontenttype": `"application/json"`, "data": data,
	}
	for _, other := range others {
		name, value, _ := strings.Cut(other, "=")
		parts[name] = value
	}
	var b strings.Builder
	for _, name := range []string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data", "more"} {
		if v := parts[name]; v != "" {
			fmt.Fprintf(&b, ",%q:%s", name, v)
		}
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

func decode(doc string) (*events.Event, error) {
	ev := new(events.Event)
	err := events.Decode([]byte(doc), "acme", "347771386", now, ev)
	return ev, err
}

const full = `{"id":"347771386","version":7,"email":"a@example.com","emails":["b@example.com","c@example.com"],"phone":"+380631234567","phones":["+48222333444"],
 "first_name":"Ольга","last_name":"O'Neil","middle_name":null,"full_name":"x\u0414","gender":"female","birth_date":"1990-02-28",
 "company":"c","job_title":"j","website":"w","tax_id":"t","national_id":"n","note":"line\nline","group":"g","type":"ty","account_manager":"am","locale":"uk","ip":"192.0.2.1",
 "vip":true,"registered_at":"2020-01-02T03:04:05+02:00","total_spent":1234.5,
 "address":{"street":"s","building":"1","flat":"2","postcode":"p","city":"c","state":"st","country":"UA","x":[]},"invoice_address":null,"mailing_address":{},
 "consents":{"email":true,"sms":false,"push":null},"discount":{"percent":5,"active":true,"valid_until":"2027-01-01","status":"confirmed"},"balance":{"amount":-1,"currency":"EUR"},
 "cards":[{"id":"1","number":"2","barcode":"3","medium":"m","status":"s","type":"t","activated_at":"a","blocked_at":null}],"bonuses":[{"program_id":"p","amount":10}],
 "attributes":{"size":"XL","n":1e3,"b":false,"z":null},"loyalty_tier":{"name":"gold"}}`

func TestDecodeEveryField(t *testing.T) {
	ev, err := decode(document(full))
	if err != nil {
		t.Fatal(err)
	}
	some := events.Some[string]
	want := &events.Event{
		ID: "e1", Type: events.Changed, Shop: "acme", Time: now.Add(123 * time.Millisecond), Version: 7, Data: []byte(full),
		Customer: events.Customer{
			ID: "347771386", Version: events.Some[int64](7),
			Email: some("a@example.com"), Emails: events.Some([]string{"b@example.com", "c@example.com"}),
			Phone: some("+380631234567"), Phones: events.Some([]string{"+48222333444"}),
			FirstName: some("Ольга"), LastName: some("O'Neil"), MiddleName: events.Clear[string](), FullName: some("xД"),
			Gender: some("female"), BirthDate: some("1990-02-28"), Company: some("c"), JobTitle: some("j"), Website: some("w"), TaxID: some("t"),
			NationalID: some("n"), Note: some("line\nline"), Group: some("g"), Type: some("ty"), AccountManager: some("am"), Locale: some("uk"), IP: some("192.0.2.1"),
			VIP: events.Some(true), RegisteredAt: events.Some(time.Date(2020, 1, 2, 1, 4, 5, 0, time.UTC)), TotalSpent: events.Some(1234.5),
			Address:        events.Some(events.Address{Street: some("s"), Building: some("1"), Flat: some("2"), Postcode: some("p"), City: some("c"), State: some("st"), Country: some("UA")}),
			InvoiceAddress: events.Clear[events.Address](), MailingAddress: events.Some(events.Address{}),
			Consents: events.Some(events.Consents{Email: events.Some(true), SMS: events.Some(false), Push: events.Clear[bool]()}),
			Discount: events.Some(events.Discount{Percent: events.Some(5.0), Active: events.Some(true), ValidUntil: some("2027-01-01"), Status: some("confirmed")}),
			Balance:  events.Some(events.Balance{Amount: events.Some(-1.0), Currency: some("EUR")}),
			Cards: events.Some([]events.Card{{ID: some("1"), Number: some("2"), Barcode: some("3"), Medium: some("m"), Status: some("s"), Type: some("t"),
				ActivatedAt: some("a"), BlockedAt: events.Clear[string]()}}),
			Bonuses:    events.Some([]events.Bonus{{ProgramID: some("p"), Amount: events.Some(10.0)}}),
			Attributes: events.Some([]events.Attribute{{"size", []byte(`"XL"`)}, {"n", []byte("1e3")}, {"b", []byte("false")}, {"z", []byte("null")}}),
		},
	}
	if !reflect.DeepEqual(ev, want) {
		t.Errorf("got\n%+v, want\n%+v", ev, want)
	}
}

// document must be read in any order; publishers that sort their fields put data
// before type.
func TestDecodeDataFirst(t *testing.T) {
	sorted := `{"data":{"id":"347771386","email":"a@example.com"},"id":"e1","source":"/shops/acme","specversion":"1.0","subject":"347771386","time":"2026-11-22T10:00:00Z","type":"customer.changed.v1"}`
	ev, err := decode(sorted)
	if err != nil {
		t.Fatal(err)
	}
	if ev.Customer.Email.V != "a@example.com" || string(ev.Data) != `{"id":"347771386","email":"a@example.com"}` {
		t.Errorf("got %+v and data %s", ev.Customer.Email, ev.Data)
	}
	_, err = decode(strings.Replace(sorted, `"a@example.com"`, `["x"]`, 1))
	if want := "undecodable event: data.email: want string, got array at offset 34"; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDecodeDeletion(t *testing.T) {
	for _, doc := range []string{
		document(`{"id":"347771386","version":9,"email":5,"note":"x"}`, `type="customer.deleted.v1"`),
		`{"data":{"id":"347771386","version":9,"email":[]},"id":"e1","source":"/shops/acme","specversion":"1.0","subject":"347771386","type":"customer.deleted.v1"}`,
	} {
		ev, err := decode(doc)
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type != events.Deleted || ev.Version != 9 || !reflect.DeepEqual(ev.Customer, events.Customer{ID: "347771386", Version: events.Some[int64](9)}) {
			t.Errorf("got %+v, want id and version only", ev)
		}
	}
}

func TestDecodeVersion(t *testing.T) {
	micros := now.UnixMicro()
	for _, tc := range []struct {
		name, data string
		others     []string
		want       int64
		ofTime     bool
		err        string
	}{
		{"explicit", `{"id":"347771386","version":0}`, nil, 0, false, ""},
		{"largest", `{"id":"347771386","version":9007199254740991}`, nil, events.MaxVersion, false, ""},
		{"explicit beyond 10^14", `{"id":"347771386","version":100000000000001}`, nil, events.MinTimeVersion + 1, false, ""},
		{"whole in another form", `{"id":"347771386","version":70e-1}`, nil, 7, false, ""},
		{"explicit without time", `{"id":"347771386","version":3}`, []string{"time="}, 3, false, ""},
		{"absent", `{"id":"347771386"}`, []string{`time="2026-11-22T12:00:00.000001999+02:00"`}, micros + 1, true, ""},
		{"null", `{"id":"347771386","version":null}`, nil, micros + 123000, true, ""},
		{"ten minutes ahead", `{"id":"347771386"}`, []string{`time="2026-11-22T10:10:00Z"`}, micros + 600_000_000, true, ""},
		{"more than ten", `{"id":"347771386"}`, []string{`time="2026-11-22T10:10:00.001Z"`}, micros + 600_001_000, true, "version future event: time: lies more than 10 minutes ahead"},
		{"time ahead, version explicit", `{"id":"347771386","version":1}`, []string{`time="2027-11-22T10:10:00.001Z"`}, 1, false, ""},
		{"neither", `{"id":"347771386"}`, []string{"time="}, 0, false, "undecodable event: time: missing, and so is data.version"},
		{"before 1970", `{"id":"347771386"}`, []string{`time="1969-12-31T23:59:59Z"`}, 0, false, "undecodable event: time: lies before 1970 and has to serve as the version"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ev, err := decode(document(tc.data, tc.others...))
			if err == nil && tc.err != "" || err != nil && err.Error() != tc.err {
				t.Fatalf("got %v, want %q", err, tc.err)
			}
			if err == nil && (ev.Version != tc.want || ev.TimeVersion != tc.ofTime) {
				t.Errorf("got %d, %v, want %d, %v", ev.Version, ev.TimeVersion, tc.want, tc.ofTime)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	const id = `{"id":"347771386","version":1`
	for _, tc := range []struct{ name, doc, want string }{
		{"nothing", ``, "want object, got nothing valid"},
		{"no object", `[]`, "want object, got array"},
		{"cut", `{"id":"e1"`, "want , or } after a field at offset 10"},
		{"two documents", document(id+`}`) + "{}", "want the end of the document at offset 214"},
		{"too large", document(id + `,"note":"` + strings.Repeat("x", events.MaxSize) + `"}`), "larger than 512 KiB"},
		{"specversion", document(id+`}`, `specversion="0.3"`), "specversion: want 1.0"},
		{"specversion missing", document(id+`}`, `specversion=`), "specversion: missing"},
		{"id empty", document(id+`}`, `id=""`), "id: empty"},
		{"id missing", document(id+`}`, `id=`), "id: missing"},
		{"id a number", document(id+`}`, `id=5`), "id: want string, got number"},
		{"id twice", document(id+`}`, `more=1,"id":"e2"`), "id: given twice"},
		{"type", document(id+`}`, `type="customer.created.v1"`), "type: want customer.changed.v1 or customer.deleted.v1"},
		{"type missing", document(id+`}`, `type=`), "type: missing"},
		{"shop", document(id+`}`, `source="/shops/other"`), "source: is not the shop of the NATS subject"},
		{"source form", document(id+`}`, `source="acme"`), "source: is not the shop of the NATS subject"},
		{"subject", document(id+`}`, `subject="1"`), "subject: is not the customer of the NATS subject"},
		{"customer", document(`{"id":"1","version":1}`), "data.id: is not the customer of subject"},
		{"customer missing", document(`{"version":1}`), "data.id: missing"},
		{"customer a number", document(`{"id":347771386}`), "data.id: want string, got number"},
		{"customer twice", document(id + `,"id":"347771386"}`), "data.id: given twice"},
		{"time", document(id+`}`, `time="22.11.2026"`), "time: want an RFC 3339 time"},
		{"time without zone", document(id+`}`, `time="2026-11-22T10:00:00"`), "time: want an RFC 3339 time"},
		{"time with hour of one digit", document(id+`}`, `time="2026-11-22T9:00:00Z"`), "time: want an RFC 3339 time"},
		{"time with comma", document(id+`}`, `time="2026-11-22T09:00:00,5Z"`), "time: want an RFC 3339 time"},
		{"time with offset of a day", document(id+`}`, `time="2026-11-22T09:00:00+24:00"`), "time: want an RFC 3339 time"},
		{"time with offset of 99 minutes", document(id+`}`, `time="2026-11-22T09:00:00+01:99"`), "time: want an RFC 3339 time"},
		{"content type", document(id+`}`, `datacontenttype="text/xml"`), "datacontenttype: want application/json"},
		{"data missing", document(``), "data: missing"},
		{"data null", document(`null`), "data: want object, got null"},
		{"data twice", document(id+`}`, `more=1,"data":{}`), "data: given twice"},
		{"version text", document(`{"id":"347771386","version":"5"}`), "data.version: want number, got string"},
		{"version fraction", document(`{"id":"347771386","version":1.5}`), "data.version: want a whole number of at most 64 bits"},
		{"version negative", document(`{"id":"347771386","version":-1}`), "data.version: want a whole number from 0 to 2^53-1"},
		{"version too large", document(`{"id":"347771386","version":9007199254740992}`), "data.version: want a whole number from 0 to 2^53-1"},
		{"version twice", document(id + `,"version":2}`), "data.version: given twice"},
		{"version twice, null", document(`{"id":"347771386","version":null,"version":2}`), "data.version: given twice"},
		{"text", document(id + `,"email":5}`), "data.email: want string, got number"},
		{"nested", document(id + `,"address":{"city":["secret"]}}`), "data.address.city: want string, got array"},
		{"in a list", document(id + `,"emails":["a",null]}`), "data.emails[1]: want string, got null"},
		{"in a list of objects", document(id + `,"cards":[{},{"number":12}]}`), "data.cards[1].number: want string, got number"},
		{"list", document(id + `,"phones":"secret"}`), "data.phones: want array, got string"},
		{"bool", document(id + `,"consents":{"sms":"yes"}}`), "data.consents.sms: want bool, got string"},
		{"registered_at", document(id + `,"registered_at":"2020-01-02"}`), "data.registered_at: want an RFC 3339 time"},
		{"number too large", document(id + `,"total_spent":1e999}`), "data.total_spent: number out of range"},
		{"attribute", document(id + `,"attributes":{"a":1,"secret":{}}}`), "data.attributes[1]: want string, number, bool or null, got object"},
		{"attribute twice", document(id + `,"attributes":{"secret":1,"secret":2}}`), "data.attributes[1]: given twice"},
		{"syntax in an unknown field", document(id + `,"secret":{"secret":tru}}`), "data: want a value"},
		{"half a pair in an unknown field", document(id + `,"secret":"\ud800"}`), "data: half a surrogate pair in a string"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := decode(tc.doc)
			var got *events.DecodeError
			if !errors.As(err, &got) || got.Reason != events.Undecodable {
				t.Fatalf("got %v, want an undecodable event", err)
			}
			if !strings.HasPrefix(got.Error(), "undecodable event: "+tc.want) {
				t.Errorf("got %v, want %s", got, tc.want)
			}
			if strings.Contains(got.Error(), "secret") {
				t.Errorf("the error repeats data: %v", got)
			}
		})
	}
}

func TestDecodeTokens(t *testing.T) {
	doc := strings.ReplaceAll(strings.ReplaceAll(document(`{"id":"a.b@c"}`, `subject="a.b@c"`), "/shops/acme", "/shops/my shop"), "\n", "")
	for _, tc := range []struct{ shop, customer, want string }{
		{"my=20shop", "a=2Eb=40c", "<nil>"},
		{"my=20shop", "a=2eb=40c", "undecodable event: NATS subject token: escape at byte 1 is not upper-case hex"},
		{"my=20shop", "", "undecodable event: NATS subject token is empty"},
		{"my_shop", "a=2Eb=40c", "undecodable event: source: is not the shop of the NATS subject"},
	} {
		var ev events.Event
		err := events.Decode([]byte(doc), tc.shop, tc.customer, now, &ev)
		if fmt.Sprint(err) != tc.want {
			t.Errorf("%s %s: got %v, want %s", tc.shop, tc.customer, err, tc.want)
		}
	}
}

func TestDecodeTolerates(t *testing.T) {
	for name, doc := range map[string]string{
		"unknown fields":          document(`{"id":"347771386","version":1,"loyalty":{"a":[1]},"x":1,"x":2,"address":{"region":5}}`, `more={"a":[null]}`),
		"a content type's suffix": document(`{"id":"347771386"}`, `datacontenttype="Application/JSON; charset=utf-8"`),
		"no content type":         document(`{"id":"347771386"}`, `datacontenttype=null`),
		"white space":             "\n\t" + strings.ReplaceAll(document(`{"id":"347771386"}`), ",", " ,\r\n ") + "\n",
	} {
		if _, err := decode(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An Event is used again and again: nothing of the one before may show.
func TestDecodeAgain(t *testing.T) {
	var ev events.Event
	if err := events.Decode([]byte(document(full)), "acme", "347771386", now, &ev); err != nil {
		t.Fatal(err)
	}
	emails := &ev.Customer.Emails.V[0]
	if err := events.Decode([]byte(document(`{"id":"347771386","emails":["d@example.com"]}`)), "acme", "347771386", now, &ev); err != nil {
		t.Fatal(err)
	}
	if &ev.Customer.Emails.V[0] != emails {
		t.Error("the room of the list was not used again")
	}
	got, err := events.Encode(&events.Event{ID: "e1", Type: events.Changed, Shop: "acme", Time: now, Customer: ev.Customer})
	want := `{"specversion":"1.0","id":"e1","source":"/shops/acme","type":"customer.changed.v1","subject":"347771386","time":"2026-11-22T10:00:00Z","datacontenttype":"application/json","data":{"id":"347771386","emails":["d@example.com"]}}`
	if string(got) != want || err != nil {
		t.Errorf("got %s and %v, want %s", got, err, want)
	}
}

// Thousands of attributes are looked through once, not once for each.
func TestDecodeManyAttributes(t *testing.T) {
	var b strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&b, `,"a%d":%d`, i, i)
	}
	ev, err := decode(document(`{"id":"347771386","attributes":{` + b.String()[1:] + `}}`))
	if err != nil || len(ev.Customer.Attributes.V) != 20000 {
		t.Fatalf("got %d attributes and %v", len(ev.Customer.Attributes.V), err)
	}
	_, err = decode(document(`{"id":"347771386","attributes":{` + b.String()[1:] + `,"a19999":0}}`))
	if err == nil || !strings.Contains(err.Error(), "data.attributes[20000]: given twice") {
		t.Errorf("got %v, want a twin found", err)
	}
}
