package virtualpos

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/scan"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
)

// mapCards writes the cards as a list of their parameters. The shop that has no
// cards any more sends none: then those that are there leave.
func (s *Sink) mapCards(cards *events.Opt[[]events.Card], rec *sinks.Record) {
	if cards.State == events.Absent {
		return
	}
	var one sinks.Record
	raw := []byte{'['}
	for i := range cards.V {
		if i > 0 {
			raw = append(raw, ',')
		}
		one.Reset()
		s.mapCard(&cards.V[i], &one)
		raw = one.AppendJSON(raw)
	}
	rec.Set(sinks.Field{Name: cardList, Kind: sinks.KindRaw, Raw: append(raw, ']')})
}

// mapCard writes one card. One without an id of its own goes by its number.
func (s *Sink) mapCard(c *events.Card, rec *sinks.Record) {
	id := c.ID
	if !id.Has() || id.V == "" {
		id = c.Number
	}
	setText(rec, externalID, id)
	setText(rec, "uid", c.Number)
	setText(rec, "barcode", c.Barcode)
	setText(rec, "medium", upper(c.Medium))
	setText(rec, "status", upper(c.Status))
	if id, ok := s.options.CardTypes[c.Type.V]; ok && c.Type.Has() {
		setNumber(rec, "type_id", id)
	} else {
		setText(rec, "type_name", c.Type)
	}
	setText(rec, "activate_date", s.date(c.ActivatedAt))
	setText(rec, "block_date", s.date(c.BlockedAt))
}

func upper(field events.Opt[string]) events.Opt[string] {
	field.V = strings.ToUpper(field.V)
	return field
}

// date writes a time as the sample has it. A date stays one; what is neither is
// left as it is, for Check to find.
func (s *Sink) date(field events.Opt[string]) events.Opt[string] {
	if at, err := time.Parse(time.RFC3339, field.V); err == nil {
		field.V = at.In(s.zone).Format(time.DateTime)
	}
	return field
}

func mapBonuses(bonuses []events.Bonus, rec *sinks.Record) {
	if len(bonuses) == 0 {
		return
	}
	raw := []byte{'['}
	for i := range bonuses {
		if i > 0 {
			raw = append(raw, ',')
		}
		var one sinks.Record
		setText(&one, "bonus_id", bonuses[i].ProgramID)
		if bonuses[i].Amount.Has() {
			one.Set(sinks.Field{Name: "amount", Kind: sinks.KindNumber, Number: bonuses[i].Amount.V})
		}
		raw = one.AppendJSON(raw)
	}
	rec.Set(sinks.Field{Name: bonusList, Kind: sinks.KindRaw, Raw: append(raw, ']')})
}

// elements reads a list of objects, and reports whether it is one.
func elements(raw []byte) (list []sinks.Record, ok bool) {
	s := scan.New(raw)
	good := true
	for more := s.Array(); more; more = s.More() {
		one, err := sinks.ReadRecord(s.Skip())
		good = good && err == nil
		list = append(list, one)
	}
	return list, good && s.End() == nil
}

// listIn returns the list of that name in a row, and whether the row has one.
// Null is a list of none.
func listIn(rec *sinks.Record, name string) (list []sinks.Record, there bool) {
	f := rec.Get("", name)
	if f == nil {
		return nil, false
	}
	list, _ = elements(f.Raw)
	return list, true
}

// checkList checks each element of a list, and that no two have a value of the
// unique fields in common: the second would be written over the first, or beside it.
func checkList(f *sinks.Field, name string, check func(*sinks.Record, func(field, message string)), unique ...string) []sinks.FieldError {
	list, ok := elements(f.Raw)
	if f.Kind != sinks.KindRaw || !ok {
		return []sinks.FieldError{{Field: name, Message: "must be a list of objects"}}
	}
	var broken []sinks.FieldError
	for i := range list {
		add := func(field, message string) {
			broken = append(broken, sinks.FieldError{Field: place(name, i) + "." + field, Message: message})
		}
		check(&list[i], add)
		for _, field := range unique {
			value := valueIn(&list[i], field)
			before := func(r sinks.Record) bool { return value != "" && valueIn(&r, field) == value }
			if slices.ContainsFunc(list[:i], before) {
				add(field, "is there twice")
			}
		}
	}
	return broken
}

// place names an element of a list, the first being 0.
func place(list string, i int) string { return list + "." + strconv.Itoa(i) }

// checkNames finds what is no parameter, such as whose card it is: that is the
// row's customer.
func checkNames(r *sinks.Record, add func(field, message string), known ...string) {
	for _, f := range r.Fields() {
		switch {
		case f.Group != "":
			add(f.Group+"."+f.Name, "has no place: a form has no objects")
		case !slices.Contains(known, f.Name):
			add(f.Name, "is no parameter that can be mapped; known: "+strings.Join(known, ", "))
		case f.Kind == sinks.KindRaw && !isScalar(f.Raw):
			add(f.Name, "must be a text, a number, or true or false")
		}
	}
}

func checkCard(c *sinks.Record, add func(field, message string)) {
	checkNames(c, add, externalID, "uid", "uid_ean13", "barcode", "medium", "status", "type_id", "type_name", "activate_date", "block_date")
	if valueIn(c, externalID) == "" && valueIn(c, "uid") == "" && valueIn(c, "barcode") == "" {
		add(externalID, "is required, or a number or a barcode: the card is known by it")
	}
	if medium := valueIn(c, "medium"); !slices.Contains([]string{"", "PLASTIC", "MAGNET", "APP"}, medium) {
		add("medium", "must be PLASTIC, MAGNET or APP")
	}
	if status := valueIn(c, "status"); !slices.Contains([]string{"", "NEW", "ACTIVE", "BLOCKED"}, status) {
		add("status", "must be NEW, ACTIVE or BLOCKED")
	}
	for _, name := range []string{"activate_date", "block_date"} {
		if value := valueIn(c, name); value != "" && !isDate(value) {
			add(name, "must be YYYY-MM-DD, with HH:MM:SS or without")
		}
	}
}

func checkBonus(b *sinks.Record, add func(field, message string)) {
	checkNames(b, add, "bonus_id", "amount")
	if n, err := strconv.Atoi(valueIn(b, "bonus_id")); err != nil || n < 1 {
		add("bonus_id", "must be the programme's number")
	}
	if n, err := strconv.ParseFloat(valueIn(b, "amount"), 64); err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		add("amount", "is required: the balance to hold")
	}
}

// valueIn returns a field of the record as a form has it, empty if it has none.
func valueIn(rec *sinks.Record, name string) string {
	if f := rec.Get("", name); f != nil {
		return valueOf(f)
	}
	return ""
}

// valueOf writes a field as a form has it. What is to be cleared is empty.
func valueOf(f *sinks.Field) string {
	switch f.Kind {
	case sinks.KindText:
		return f.Text
	case sinks.KindNumber:
		return string(scan.AppendFloat(nil, f.Number))
	case sinks.KindBool:
		if f.Bool {
			return "1"
		}
		return "0"
	case sinks.KindRaw:
		if isScalar(f.Raw) {
			return string(f.Raw) // a number of more digits than a float64 has
		}
	case sinks.KindNull:
	}
	return ""
}
