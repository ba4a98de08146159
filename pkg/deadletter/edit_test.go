package deadletter

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The cases of RFC 7396's appendix.
func TestMerge(t *testing.T) {
	for _, test := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		got, err := encode(merge(value(t, test.target), value(t, test.patch)))
		if err != nil || string(got) != test.want {
			t.Errorf("%s on %s: got %s and error %v, want %s", test.patch, test.target, got, err, test.want)
		}
	}
}

func value(t *testing.T, s string) any {
	t.Helper()
	v, err := decode([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const event = `{"specversion":"1.0","id":"1","source":"/shops/acme","subject":"7","data":{"id":"7","version":9007199254740991,"phone":"abc","address":{"city":"Łódź","flat":null},"note":null}}`

func TestApply(t *testing.T) {
	for name, test := range map[string]struct {
		patches []string
		data    string // as corrected
		patch   string // what differs
	}{
		"one":           {[]string{`{"phone":"+48 1"}`}, `{"address":{"city":"Łódź","flat":null},"id":"7","note":null,"phone":"+48 1","version":9007199254740991}`, `{"phone":"+48 1"}`},
		"nothing":       {nil, `{"address":{"city":"Łódź","flat":null},"id":"7","note":null,"phone":"abc","version":9007199254740991}`, `{}`},
		"two":           {[]string{`{"phone":"1"}`, `{"email":"a@b.c"}`}, `{"address":{"city":"Łódź","flat":null},"email":"a@b.c","id":"7","note":null,"phone":"1","version":9007199254740991}`, `{"email":"a@b.c","phone":"1"}`},
		"back again":    {[]string{`{"phone":"1"}`, `{"phone":"abc"}`}, `{"address":{"city":"Łódź","flat":null},"id":"7","note":null,"phone":"abc","version":9007199254740991}`, `{}`},
		"out and in":    {[]string{`{"address":null}`, `{"address":{"city":"X"}}`}, `{"address":{"city":"X"},"id":"7","note":null,"phone":"abc","version":9007199254740991}`, `{"address":{"city":"X","flat":null}}`},
		"another shape": {[]string{`{"address":"x"}`, `{"address":{"city":null}}`}, `{"address":{},"id":"7","note":null,"phone":"abc","version":9007199254740991}`, `{"address":{"city":null,"flat":null}}`},
		"null goes":     {[]string{`{"note":null}`}, `{"address":{"city":"Łódź","flat":null},"id":"7","phone":"abc","version":9007199254740991}`, `{"note":null}`},
		"a number":      {[]string{`{"total_spent":12345678901234567890.10}`}, `{"address":{"city":"Łódź","flat":null},"id":"7","note":null,"phone":"abc","total_spent":12345678901234567890.10,"version":9007199254740991}`, `{"total_spent":12345678901234567890.10}`},
		"HTML stays":    {[]string{`{"note":"<b>&"}`}, `{"address":{"city":"Łódź","flat":null},"id":"7","note":"<b>&","phone":"abc","version":9007199254740991}`, `{"note":"<b>&"}`},
	} {
		t.Run(name, func(t *testing.T) {
			var patches [][]byte
			for _, p := range test.patches {
				patches = append(patches, []byte(p))
			}
			got, err := Apply([]byte(event), patches...)
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Data) != test.data || string(got.Patch) != test.patch {
				t.Errorf("got %s by %s,\nwant %s by %s", got.Data, got.Patch, test.data, test.patch)
			}
			again, err := Apply([]byte(event), got.Patch)
			if err != nil || string(again.Event) != string(got.Event) {
				t.Errorf("the patch told makes %s and error %v of it", again.Event, err)
			}
			var whole map[string]any
			if err := json.Unmarshal(got.Event, &whole); err != nil || whole["subject"] != "7" {
				t.Errorf("got event %s and error %v", got.Event, err)
			}
			if !(&Edit{Of: got.Of}).Applies([]byte(event)) {
				t.Error("the edit does not apply to its own event")
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	for name, test := range map[string]struct{ event, patch, words string }{
		"id":          {event, `{"id":"8"}`, `"id"`},
		"version":     {event, `{"version":null}`, `"version"`},
		"no object":   {event, `[1]`, "no JSON object"},
		"no JSON":     {event, `{"phone":`, "no JSON"},
		"two":         {event, `{} {}`, "something follows"},
		"null":        {event, `null`, "no JSON object"},
		"too large":   {event, `{"note":"` + strings.Repeat("x", MaxPatch) + `"}`, "larger than 64 KiB"},
		"no event":    {`<html>`, `{}`, "publish the customer anew"},
		"no data":     {`{"id":"1"}`, `{}`, "publish the customer anew"},
		"data a text": {`{"data":"x"}`, `{}`, "publish the customer anew"},
	} {
		if _, err := Apply([]byte(test.event), []byte(test.patch)); err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: got error %v, want one with %q", name, err, test.words)
		}
	}
}

// An event that was published again, with another id, is the same to an edit.
func TestEditAppliesToTheSameData(t *testing.T) {
	edit := &Edit{Of: must(Apply([]byte(event))).Of}
	for data, want := range map[string]bool{
		strings.Replace(event, `"id":"1"`, `"id":"2"`, 1):                     true,
		strings.Replace(event, `"data":{"id":"7",`, `"data":{ "id" :"7",`, 1): true,
		strings.Replace(event, `abc`, `abd`, 1):                               false,
		`nonsense`:                                                            false,
	} {
		if got := edit.Applies([]byte(data)); got != want {
			t.Errorf("%s: got %v, want %v", data, got, want)
		}
	}
}

func must(e *Edited, err error) *Edited {
	if err != nil {
		panic(err)
	}
	return e
}

func TestTouched(t *testing.T) {
	got := Touched([]byte(`{"phone":"1","address":{"city":"x","flat":null},"cards":[{"id":"1"}],"consents":{}}`))
	if want := []string{"address.city", "address.flat", "cards", "consents", "phone"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Touched([]byte(`[]`)); got != nil {
		t.Errorf("got %v, want nothing", got)
	}
}

func FuzzApply(f *testing.F) {
	f.Add(event, `{"phone":"1"}`, `{"address":{"city":null}}`)
	f.Add(event, `{"address":1}`, `{"address":{"a":{"b":null}}}`)
	f.Fuzz(func(t *testing.T, event, one, two string) {
		got, err := Apply([]byte(event), []byte(one), []byte(two))
		if err != nil {
			return
		}
		again, err := Apply([]byte(event), got.Patch)
		if err != nil || !reflect.DeepEqual(again.Data, got.Data) {
			t.Errorf("the patch %s makes %v (error %v), want %s", got.Patch, again, err, got.Data)
		}
	})
}
