package cartum

import (
	"maps"
	"slices"

	"github.com/custsync/custsync/pkg/sinks"
)

// Options are Cartum's own switches. The zero value has the defaults given at
// each field.
type Options struct {
	// MaxBatch is the most rows of one call; 100. Cartum names no bound.
	MaxBatch int `yaml:"max_batch"`
	// B2B sends the fields that only B2B shops have: company, role, site_link,
	// balance, balance_currency, customer_group_id, manager_id. Documented; off.
	B2B bool `yaml:"b2b"`
	// CustomerGroups gives the shop's id of each group, and Managers that of each
	// account manager, for B2B. What is not in it is sent when it is a number, and
	// else left alone.
	CustomerGroups map[string]int `yaml:"customer_groups"`
	Managers       map[string]int `yaml:"managers"`
	// Newsletter sends the consent to e-mail as newsletter_subscription, which
	// newer pages of the document have. Off.
	Newsletter bool `yaml:"newsletter"`
}

func (o Options) withDefaults() Options {
	if o.MaxBatch == 0 {
		o.MaxBatch = 100
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
	if len(o.CustomerGroups) > 0 && !o.B2B {
		add("customer_groups", "needs b2b: true")
	}
	if len(o.Managers) > 0 && !o.B2B {
		add("managers", "needs b2b: true")
	}
	for _, name := range slices.Sorted(maps.Keys(o.CustomerGroups)) {
		if o.CustomerGroups[name] <= 0 {
			add("customer_groups."+name, "want the group's id, 1 or more")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Managers)) {
		if o.Managers[name] <= 0 {
			add("managers."+name, "want the manager's id, 1 or more")
		}
	}
	return broken
}
