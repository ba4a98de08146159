package sandbox

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// single applies one of the siblings of the batches: create where id is empty.
func (t *Thulium) single(fault *Fault, body []byte, id string) (int, string, []byte) {
	c := t.read(body)
	if fields(body, nil) != nil {
		return http.StatusBadRequest, "Request body is not valid JSON.", nil
	}
	c.id = id
	t.book.carried(1)
	status, refusal := t.apply(&c, id == "")
	if refusal != "" {
		t.book.count().Refused++
		return status, refusal, nil
	}
	if fault.loses(0, 1, nil) {
		return status, "", []byte("{}")
	}
	return status, "", []byte(`{"customer_id":` + c.id + `}`)
}

func (t *Thulium) delete(fault *Fault, id string) (int, string, []byte) {
	t.book.carried(1)
	e := t.book.records[id]
	if e == nil {
		return http.StatusNotFound, "Customer not found.", nil
	}
	if status, yes := fault.refuses(0, 1, []byte(e.owner.key)); yes {
		return status, http.StatusText(status), nil
	}
	t.book.remove(e)
	return http.StatusNoContent, "", nil
}

// search finds customers. As documented, an empty identifier or phone number
// selects those that have none, and a parameter that is left out selects nothing.
func (t *Thulium) search(q url.Values) (int, string, []byte) {
	limit, offset := 100, 0
	if q.Has("limit") {
		n, err := strconv.Atoi(q.Get("limit"))
		if err != nil || n < 1 || n > 1000 {
			return http.StatusBadRequest, "Limit must be between 1 and 1000.", nil
		}
		limit = n
	}
	if q.Has("offset") {
		n, err := strconv.Atoi(q.Get("offset"))
		if err != nil || n < 0 {
			return http.StatusBadRequest, "Offset must be numeric.", nil
		}
		offset = n
	}
	found := t.matching(q)
	slices.SortFunc(found, func(a, b *entry) int { return cmp.Compare(a.serial, b.serial) })
	found = found[min(offset, len(found)):]
	found = found[:min(limit, len(found))]
	list := []byte{'['}
	for i, e := range found {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, e.thulium()...)
	}
	list = append(list, ']')
	if t.Switches.WrappedList {
		list = append(append([]byte(`{"customers":`), list...), '}')
	}
	return http.StatusOK, "", list
}

func (t *Thulium) matching(q url.Values) []*entry {
	var found []*entry
	if id := q.Get("identifier"); id != "" {
		found = slices.Clone(t.book.under(id))
	} else {
		found = slices.Collect(maps.Values(t.book.records))
	}
	for _, name := range []string{"identifier", "email", "phone_number", "nip", "company_id", "type", "group"} {
		if !q.Has(name) {
			continue
		}
		want := q.Get(name)
		found = slices.DeleteFunc(found, func(e *entry) bool {
			if name == "identifier" && t.book.Lean {
				return e.owner.key != want
			}
			return !slices.Contains(textsOf(e.fields()[name]), want)
		})
	}
	return found
}

// textsOf lists the text or texts of a field; one empty text if it has none.
func textsOf(value json.RawMessage) []string {
	if len(value) == 0 {
		return []string{""}
	}
	if value[0] != '[' {
		return []string{clearedText(value)}
	}
	var texts []string
	elements(value, func(one []byte) { texts = append(texts, clearedText(one)) })
	if len(texts) == 0 {
		return []string{""}
	}
	return texts
}

// thulium writes a customer as GET has it: the id as a number, and what is empty
// as an empty text.
func (e *entry) thulium() []byte {
	whole := e.fields()
	out := make(map[string]any, len(whole)+8)
	for name, value := range whole {
		out[name] = value
	}
	for _, name := range []string{"name", "surname", "company_id", "type", "group", "account_manager"} {
		if _, ok := out[name]; !ok {
			out[name] = ""
		}
	}
	out["identifier"] = textsOf(whole["identifier"])[0]
	phones := textsOf(whole["phone_number"])
	out["phone_number"], out["phone_numbers"] = phones[0], phones
	out["email"] = textsOf(whole["email"])[0]
	out["customer_id"] = json.RawMessage(e.id)
	data, _ := json.Marshal(out)
	return data
}
