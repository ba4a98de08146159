package thulium

import (
	"maps"
	"slices"
	"strings"

	"github.com/custsync/custsync/pkg/sinks"
)

// Options are Thulium's own switches. The zero value has the defaults given at
// each field.
type Options struct {
	// MaxBatch is the most rows of one call; 100. Thulium names no bound.
	MaxBatch int `yaml:"max_batch"`
	// Gender maps female, male and other to what the system calls them, such as
	// {female: K, male: M}. Absent: gender is not sent, since Thulium doesn't say
	// what it takes. A gender without an entry is left alone.
	Gender map[string]string `yaml:"gender"`
	// BirthdateFormat is YYYY, MM and DD with what stands between them; YYYY-MM-DD.
	// Thulium doesn't say what it takes.
	BirthdateFormat string `yaml:"birthdate_format"`
	// FillReadOnlyCustomFields has custom fields written that are read only for
	// agents. Documented; off.
	FillReadOnlyCustomFields bool `yaml:"fill_read_only_custom_fields"`
	// ClearWith says what is sent for a field that is to be cleared: empty (a text
	// of no length) or null; empty. For custom fields the document says that an
	// empty value deletes. That null is not taken for "not sent" is written nowhere.
	ClearWith string `yaml:"clear_with"`
	// LookBeforeCreate searches for the identifier before a customer is created
	// for the first time too, one call per row: for a system whose customers
	// carried the shop's ids before custsync came. Off.
	LookBeforeCreate bool `yaml:"look_before_create"`
	// IdentifierWithShop makes the identifier "<shop>/<customer>", for several
	// shops in one system whose ids may be equal. A deletion whose id is not known
	// looks for this identifier, or the customer's bare id, and not for what map
	// sets: use this rather than mapping the identifier. Off.
	IdentifierWithShop bool `yaml:"identifier_with_shop"`
}

const (
	clearEmpty = "empty"
	clearNull  = "null"
)

func (o Options) withDefaults() Options {
	if o.MaxBatch == 0 {
		o.MaxBatch = 100
	}
	if o.BirthdateFormat == "" {
		o.BirthdateFormat = "YYYY-MM-DD"
	}
	if o.ClearWith == "" {
		o.ClearWith = clearEmpty
	}
	return o
}

// Validate returns one FieldError per mistake; Field is the option's name.
func (o Options) Validate() []sinks.FieldError {
	var broken []sinks.FieldError
	add := func(field, message string) {
		broken = append(broken, sinks.FieldError{Field: field, Message: message})
	}
	if o.MaxBatch < 0 {
		add("max_batch", "want 1 or more")
	}
	for _, name := range slices.Sorted(maps.Keys(o.Gender)) {
		if name != "female" && name != "male" && name != "other" {
			add("gender."+name, "want female, male or other")
		}
	}
	if o.BirthdateFormat != "" && !isDateFormat(o.BirthdateFormat) {
		add("birthdate_format", "want YYYY, MM and DD once each, with dots, dashes, slashes or spaces between")
	}
	if o.ClearWith != "" && o.ClearWith != clearEmpty && o.ClearWith != clearNull {
		add("clear_with", "want empty or null")
	}
	return broken
}

func isDateFormat(s string) bool {
	rest := s
	for _, part := range []string{"YYYY", "MM", "DD"} {
		if strings.Count(s, part) != 1 {
			return false
		}
		rest = strings.Replace(rest, part, "", 1)
	}
	return strings.Trim(rest, ".-/ ") == ""
}

// layout returns the format in the words of package time.
func layout(format string) string {
	return strings.NewReplacer("YYYY", "2006", "MM", "01", "DD", "02").Replace(format)
}
