package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// aplautTypes are the documented attributes, by the first bytes that their values
// may have.
var aplautTypes = map[string]string{
	"external_id": `"`, "email": `"n`, "name": `"n`, "first_name": `"n`, "phone": `"n`, "created_at": `"n`, "updated_at": `"n`,
	"unsubscribed": "tfn", "complained": "tfn", "custom_attributes": "{n", "avatar_url": `"n`,
}

// write creates a consumer, or changes the one that has the id in the path.
func (a *Aplaut) write(fault *Fault, id string, body []byte) (int, string, []byte) {
	a.book.carried(1)
	var doc struct {
		Data struct {
			Type       string
			Attributes map[string]json.RawMessage
		}
	}
	if fields(body, nil) != nil || json.Unmarshal(body, &doc) != nil || doc.Data.Type != "consumers" || doc.Data.Attributes == nil {
		return http.StatusBadRequest, vndJSON, a.errors(400, "Bad request", map[string]any{"message": "want data of type consumers with attributes"})
	}
	attributes := doc.Data.Attributes
	e := a.find(id)
	key := clearedText(orNull(attributes["external_id"]))
	if id != "" {
		key = id // the external_id of a PUT's body is ignored
	}
	if e != nil {
		key = e.owner.key
	}
	if status, yes := fault.refuses(0, 1, []byte(key)); yes {
		return status, vndJSON, a.errors(status, http.StatusText(status), map[string]any{"message": http.StatusText(status)})
	}
	if broken := a.judge(attributes, e, key); len(broken) > 0 {
		a.book.count().Refused++
		broken["model"] = "Validation of Consumer failed."
		return http.StatusUnprocessableEntity, vndJSON, a.errors(422, "Validation error", broken)
	}
	status := http.StatusOK
	if e == nil {
		status = http.StatusCreated
		e = a.create(key, attributes)
	} else {
		a.change(e, attributes)
	}
	if fault.loses(0, 1, []byte(key)) {
		return status, vndJSON, []byte("{}")
	}
	return status, vndJSON, a.consumer(e)
}

// find finds a consumer by the internal id or the external one.
func (a *Aplaut) find(id string) *entry {
	if e := a.book.records[id]; e != nil {
		return e
	}
	if held := a.book.under(id); id != "" && len(held) > 0 {
		return held[0]
	}
	return nil
}

// judge returns what is wrong, by attribute.
func (a *Aplaut) judge(attributes map[string]json.RawMessage, e *entry, key string) map[string]any {
	broken := make(map[string]any)
	for name, value := range attributes {
		first, known := aplautTypes[name]
		switch {
		case !known:
			broken[name] = []string{"is unknown"}
		case !strings.ContainsRune(first, rune(value[0])):
			broken[name] = []string{"is invalid"}
		case strings.HasSuffix(name, "_at") && value[0] == '"':
			if _, err := time.Parse(time.RFC3339, text(value)); err != nil {
				broken[name] = []string{"is invalid"}
			}
		case name == "custom_attributes" && value[0] == '{':
			fields(value, func(_, nested []byte) {
				if nested[0] == '{' || nested[0] == '[' {
					broken[name] = []string{"has more than one level"}
				}
			})
		case name == "email" && a.Switches.CheckMail && value[0] == '"' && !mail(raw(value)):
			broken[name] = []string{"is invalid"}
		}
	}
	if e != nil {
		return broken
	}
	email := strings.ToLower(clearedText(orNull(attributes["email"])))
	if email != "" && !a.Switches.AnyMailOnce && a.hasMail(email) {
		broken["email"] = []string{"is already taken"}
	}
	if key != "" && len(a.book.under(key)) > 0 {
		broken["external_id"] = []string{"is already taken"}
	}
	if a.Switches.RequireContact {
		for _, name := range []string{"email", "name"} {
			if clearedText(orNull(attributes[name])) == "" {
				broken[name] = []string{"can't be blank"}
			}
		}
	}
	return broken
}

func (a *Aplaut) create(key string, attributes map[string]json.RawMessage) *entry {
	id := fmt.Sprintf("%024x", 0x592ee4696dbf+a.book.count().Created)
	if key == "" {
		key = "without external id: " + id
	}
	attributes["external_id"], _ = json.Marshal(key)
	e := a.book.create(key, id, aplautStored(attributes), a.version(attributes), nil)
	if email := strings.ToLower(clearedText(orNull(attributes["email"]))); email != "" {
		if a.mails == nil {
			a.mails = make(map[string]*entry)
		}
		a.mails[email] = e
	}
	return e
}

// hasMail reports whether a consumer who is still there was created with the
// mail address.
func (a *Aplaut) hasMail(email string) bool {
	e := a.mails[email]
	return e != nil && a.book.records[e.id] == e
}

// change applies what PUT passes. The mail address and the phone are applied only
// when a consumer is created: the answer is 200 all the same.
func (a *Aplaut) change(e *entry, attributes map[string]json.RawMessage) {
	delete(attributes, "external_id")
	if !a.Switches.ThawContacts {
		delete(attributes, "email")
		delete(attributes, "phone")
	}
	a.book.update(e, aplautStored(attributes), a.version(attributes), false)
}

// aplautStored is how attributes are kept: phones as digits, names in title case,
// the first name made anew from the name.
func aplautStored(attributes map[string]json.RawMessage) []byte {
	kept := maps.Clone(attributes)
	if v := orNull(kept["phone"]); v[0] == '"' {
		kept["phone"], _ = json.Marshal(strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, text(v)))
	}
	if v := orNull(kept["name"]); v[0] == '"' {
		words := strings.Fields(text(v))
		for i, word := range words {
			letters := []rune(strings.ToLower(word))
			letters[0] = unicode.ToTitle(letters[0])
			words[i] = string(letters)
		}
		kept["name"], _ = json.Marshal(strings.Join(words, " "))
		if len(words) > 0 {
			kept["first_name"], _ = json.Marshal(words[0])
		}
	}
	row, _ := json.Marshal(kept)
	return row
}

func (a *Aplaut) version(attributes map[string]json.RawMessage) int64 {
	name := cmp.Or(a.Switches.VersionField, "custom_attributes.version")
	group, field, nested := strings.Cut(name, ".")
	value := orNull(attributes[group])
	if nested && value[0] == '{' {
		var inner map[string]json.RawMessage
		json.Unmarshal(value, &inner)
		value = orNull(inner[field])
	}
	return versionIn(value)
}

// consumer writes a consumer as the API does.
func (a *Aplaut) consumer(e *entry) []byte {
	attributes := e.fields()
	if a.Switches.EchoNothing {
		attributes = map[string]json.RawMessage{}
	}
	data, _ := json.Marshal(map[string]any{"data": map[string]any{
		"id": e.id, "type": "consumers", "attributes": attributes,
		"relationships": map[string]any{"reviews": []any{}, "questions": []any{}, "orders": []any{}},
	}})
	return data
}

// list answers the deprecated list.
func (a *Aplaut) list(q url.Values) (int, string, []byte) {
	page, perPage := 1, 25
	for name, to := range map[string]*int{"page": &page, "per_page": &perPage} {
		if q.Has(name) {
			*to, _ = strconv.Atoi(q.Get(name))
		}
	}
	if page < 1 || page > 50 || perPage < 5 || perPage > 25 {
		return http.StatusUnprocessableEntity, vndJSON, a.errors(422, "Invalid query params", map[string]any{"page": []string{"is out of range"}})
	}
	all := slices.SortedFunc(maps.Values(a.book.records), func(x, y *entry) int { return cmp.Compare(x.serial, y.serial) })
	all = all[min((page-1)*perPage, len(all)):]
	list := []json.RawMessage{}
	for _, e := range all[:min(perPage, len(all))] {
		var one struct{ Data json.RawMessage }
		json.Unmarshal(a.consumer(e), &one)
		list = append(list, one.Data)
	}
	data, _ := json.Marshal(map[string]any{"data": list, "included": []any{}})
	return http.StatusOK, vndJSON, data
}

// orNull gives an absent value the form of a null.
func orNull(value json.RawMessage) json.RawMessage {
	if len(value) == 0 {
		return json.RawMessage("null")
	}
	return value
}
