package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"
)

// hide masks the values of a JSON document and leaves its shape: letters become x
// and X, digits 0, all else stays, so that one sees what is wrong with a phone
// number without seeing the number. Names of fields, true, false and null stay,
// and so does whatever keep has so; path is the names down to the value, with
// dots. The order of fields stays. What is no JSON is masked as a text.
func hide(doc json.RawMessage, keep func(path, value string) bool) json.RawMessage {
	if doc == nil {
		return nil
	}
	m := masker{keep: keep, d: json.NewDecoder(bytes.NewReader(doc))}
	m.d.UseNumber()
	if err := m.value(""); err != nil {
		return text(blur(string(doc)))
	}
	return m.out.Bytes()
}

type masker struct {
	d    *json.Decoder
	out  bytes.Buffer
	keep func(path, value string) bool
}

var errShape = errors.New("no JSON")

func (m *masker) value(path string) error {
	t, err := m.d.Token()
	if err != nil {
		return err
	}
	switch v := t.(type) {
	case json.Delim:
		return m.inside(v, path)
	case string:
		if !m.keep(path, v) {
			v = blur(v)
		}
		m.out.Write(text(v))
	case json.Number:
		if m.keep(path, v.String()) {
			m.out.WriteString(v.String())
		} else {
			m.out.Write(text(blur(v.String())))
		}
	case bool:
		if v {
			m.out.WriteString("true")
		} else {
			m.out.WriteString("false")
		}
	case nil:
		m.out.WriteString("null")
	}
	return nil
}

func (m *masker) inside(open json.Delim, path string) error {
	m.out.WriteRune(rune(open))
	for first := true; m.d.More(); first = false {
		if !first {
			m.out.WriteByte(',')
		}
		below := path
		if open == '{' {
			t, err := m.d.Token()
			name, ok := t.(string)
			if err != nil || !ok {
				return errors.Join(err, errShape)
			}
			m.out.Write(text(name))
			m.out.WriteByte(':')
			below = strings.TrimPrefix(path+"."+name, ".")
		}
		if err := m.value(below); err != nil {
			return err
		}
	}
	end, err := m.d.Token()
	closing, ok := end.(json.Delim)
	if err != nil || !ok {
		return errors.Join(err, errShape, io.ErrUnexpectedEOF)
	}
	m.out.WriteRune(rune(closing))
	return nil
}

// text is a JSON text.
func text(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return []byte(`""`) // cannot be: a text has a JSON form
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

func blur(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsUpper(r):
			return 'X'
		case unicode.IsLetter(r) || unicode.IsMark(r):
			return 'x'
		case unicode.IsNumber(r):
			return '0'
		}
		return r
	}, s)
}

// hideEvent masks an event: all but who, which version and when.
func hideEvent(doc json.RawMessage) json.RawMessage {
	return hide(doc, func(path, _ string) bool {
		switch path {
		case "specversion", "id", "source", "type", "subject", "time", "datacontenttype":
			return true
		}
		below, ok := strings.CutPrefix(path, "data.")
		return ok && keptOfData(below)
	})
}

// hideData masks an event's data, or a patch of it.
func hideData(doc json.RawMessage) json.RawMessage {
	return hide(doc, func(path, _ string) bool { return keptOfData(path) })
}

// keptOfData are fields that tell nobody from another.
func keptOfData(path string) bool {
	switch path {
	case "id", "version", "locale", "balance.currency", "address.country", "invoice_address.country", "mailing_address.country":
		return true
	}
	return false
}

// hideRow masks a request row: all but the customer's id.
func hideRow(doc json.RawMessage, customer string) json.RawMessage {
	return hide(doc, func(_, value string) bool { return value == customer && customer != "" })
}
