package events

import (
	"encoding/json"
	"fmt"

	"github.com/custsync/custsync/internal/scan"
)

// MarshalJSON writes the value, or null. An absent field is left out by its
// omitzero tag; standing alone it is null too.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if o.State != Set {
		return []byte("null"), nil
	}
	if list, ok := any(o.V).([]Attribute); ok {
		var e encoder
		e.attributes(list)
		return e.b, e.err
	}
	return json.Marshal(o.V)
}

// UnmarshalJSON reads a value, or null as a field to be cleared.
func (o *Opt[T]) UnmarshalJSON(data []byte) error {
	*o = Opt[T]{}
	if list, ok := any(o).(*Opt[[]Attribute]); ok {
		d := decoder{s: scan.New(append([]byte(nil), data...))} // the caller's bytes may change
		d.attributes(list)
		d.s.End()
		if err := d.failure(); err != nil {
			return fmt.Errorf("attributes%s: %s", err.Field, err.Message)
		}
		return nil
	}
	if string(data) == "null" {
		o.State = Null
		return nil
	}
	if err := json.Unmarshal(data, &o.V); err != nil {
		return err
	}
	o.State = Set
	return nil
}
