package ecomcharge

import "github.com/custsync/custsync/pkg/sinks"

// Options are eComCharge's own switches. The zero value has the defaults given
// at each field.
type Options struct {
	// OnChange says what becomes of a customer's later versions, since there is no
	// call to change a customer: skip (skipped as "create_only", the first version
	// stays) or recreate (created anew; the ledger keeps the newest id, the older
	// customers stay, and so do their subscriptions); skip.
	OnChange string `yaml:"on_change"`
	// LookUp has a create whose answer was lost looked for in the list of all
	// customers, a download of the whole list. Off: a person is asked.
	LookUp bool `yaml:"look_up"`
	// ExternalID sends the shop's id of the customer as external_id. Documented by
	// bePaid, not by eComCharge. Off.
	ExternalID bool `yaml:"external_id"`
	// ExternalIDWithShop makes the external id "<shop>/<customer>", for several shops
	// in one account whose ids may be equal. Off.
	ExternalIDWithShop bool `yaml:"external_id_with_shop"`
}

const (
	changeSkip     = "skip"
	changeRecreate = "recreate"
)

func (o Options) withDefaults() Options {
	if o.OnChange == "" {
		o.OnChange = changeSkip
	}
	return o
}

// Validate returns one FieldError per mistake; Field is the option's name.
func (o Options) Validate() []sinks.FieldError {
	var broken []sinks.FieldError
	if o.OnChange != "" && o.OnChange != changeSkip && o.OnChange != changeRecreate {
		broken = append(broken, sinks.FieldError{Field: "on_change", Message: "want skip or recreate"})
	}
	if o.ExternalIDWithShop && !o.ExternalID {
		broken = append(broken, sinks.FieldError{Field: "external_id_with_shop", Message: "needs external_id: true"})
	}
	return broken
}
