package sandbox

import (
	"encoding/json"
	"slices"
)

// The methods in this file need the book's lock.

// count returns the counters to change.
func (b *Book) count() *Counters {
	if b.counters.Requests == nil {
		b.counters.Requests, b.counters.Faults = make(map[string]int), make(map[Kind]int)
	}
	return &b.counters
}

// route notes that a call reached the provider.
func (b *Book) route(name string) { b.count().Requests[name]++ }

// carried notes how many customers a writing call had.
func (b *Book) carried(rows int) {
	c := b.count()
	c.Rows += rows
	c.MaxRows = max(c.MaxRows, rows)
}

// under returns the records held under an external key.
func (b *Book) under(key string) []*entry {
	if a := b.accounts[key]; a != nil {
		return a.entries
	}
	return nil
}

// create makes a record.
func (b *Book) create(key, id string, row []byte, version int64, r *rules) *entry {
	if b.records == nil {
		b.accounts, b.records = make(map[string]*account), make(map[string]*entry)
	}
	c := b.count()
	made := new(fresh)
	e := &made.entry
	e.id, e.serial, e.rules = id, c.Created, r
	if !b.Lean {
		e.rows = [][]byte{row}
	}
	c.Created++
	b.records[id] = e
	if b.accounts[key] == nil {
		made.account = account{key: key, entries: made.one[:0], versions: made.first[:0]}
		b.accounts[key] = &made.account
	}
	b.own(e, key)
	if len(e.owner.entries) > 1 {
		c.Duplicates++
	}
	b.wrote(e.owner, version)
	return e
}

// fresh is a customer who is new, made at once: benchmarks make millions.
type fresh struct {
	entry   entry
	account account
	one     [1]*entry
	first   [1]int64
}

// update adds a row to a record; replace makes it the only one.
func (b *Book) update(e *entry, row []byte, version int64, replace bool) {
	b.count().Updated++
	b.wrote(e.owner, version)
	if b.Lean {
		return
	}
	if replace {
		e.rows = e.rows[:0]
	}
	// Many rows of one record are folded now and then, so that a customer who
	// changes for ever does not fill the memory.
	if len(e.rows) >= 32 {
		if whole, err := json.Marshal(e.fields()); err == nil {
			e.rows = append(e.rows[:0], whole)
		}
	}
	e.rows = append(e.rows, row)
}

// remove deletes a record; its account's history stays.
func (b *Book) remove(e *entry) {
	b.disown(e)
	e.owner.deletes++
	delete(b.records, e.id)
	b.count().Deleted++
}

// own puts a record under an external key.
func (b *Book) own(e *entry, key string) {
	a := b.accounts[key]
	if a == nil {
		a = &account{key: key}
		b.accounts[key] = a
	}
	e.owner = a
	a.entries = append(a.entries, e)
}

// disown takes a record from under its external key.
func (b *Book) disown(e *entry) {
	e.owner.entries = slices.DeleteFunc(e.owner.entries, func(o *entry) bool { return o == e })
}

// wrote keeps the version, -1 for none.
func (b *Book) wrote(a *account, version int64) {
	a.writes++
	if version < 0 {
		return
	}
	if n := len(a.versions); n > 0 {
		switch last := a.versions[n-1]; {
		case version < last:
			b.count().BackSteps++
		case version == last:
			b.count().Repeats++
		}
	}
	a.versions = append(a.versions, version)
}

// rules are how a provider folds a later row into what it holds.
type rules struct {
	EmptyClears string // the group in which an empty text deletes the field
}

// fields folds the rows: a later field replaces an earlier one, null clears it,
// and objects are folded field by field.
func (e *entry) fields() map[string]json.RawMessage {
	whole := make(map[string]json.RawMessage)
	for _, row := range e.rows {
		e.rules.fold(whole, row, "")
	}
	return whole
}

func (r *rules) fold(into map[string]json.RawMessage, row []byte, group string) {
	fields(row, func(name, value []byte) {
		key := text(name)
		switch {
		case value[0] == '{':
			nested := make(map[string]json.RawMessage)
			if old := into[key]; len(old) > 0 && old[0] == '{' {
				r.fold(nested, old, key)
			}
			r.fold(nested, value, key)
			if whole, err := json.Marshal(nested); err == nil {
				into[key] = whole
			}
		case value[0] == 'n', string(value) == `""` && r != nil && group != "" && group == r.EmptyClears:
			delete(into, key)
		default:
			into[key] = slices.Clone(value) // rows are not to be reached from outside
		}
	})
}
