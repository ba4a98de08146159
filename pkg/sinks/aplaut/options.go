package aplaut

import "github.com/custsync/custsync/pkg/sinks"

// Options are Aplaut's own switches. The zero value has the defaults given at
// each field.
type Options struct {
	// TokenScheme is how the token is sent: bearer (Authorization: Bearer …), which
	// the API reference wants, or token (Authorization: Token token=…), which the
	// help page prints for older tokens; bearer.
	TokenScheme string `yaml:"token_scheme"`
	// Create says how a customer goes out who was never delivered: put or post; put.
	// Both are documented. POST is refused for a customer who is there (documented)
	// and then followed by PUT, a call more.
	Create string `yaml:"create"`
	// FirstName sends first_name beside name. Aplaut was seen to make it anew from
	// the name whenever the name is set, so it may not last. Off.
	FirstName bool `yaml:"first_name"`
	// TextAttributes sends numbers and booleans among the custom attributes as
	// texts, as the help page prints them. Nothing says that other values are
	// refused. Off.
	TextAttributes bool `yaml:"text_attributes"`
	// ExternalIDWithShop makes the external id "<shop>:<customer>", for several shops
	// in one account whose ids may be equal. Use this rather than mapping
	// external_id: a deletion doesn't know what map would have made. Off.
	ExternalIDWithShop bool `yaml:"external_id_with_shop"`
}

const (
	schemeBearer = "bearer"
	schemeToken  = "token"
	createPut    = "put"
	createPost   = "post"
)

func (o Options) withDefaults() Options {
	if o.TokenScheme == "" {
		o.TokenScheme = schemeBearer
	}
	if o.Create == "" {
		o.Create = createPut
	}
	return o
}

// Validate returns one FieldError per mistake; Field is the option's name.
func (o Options) Validate() []sinks.FieldError {
	var broken []sinks.FieldError
	if o.TokenScheme != "" && o.TokenScheme != schemeBearer && o.TokenScheme != schemeToken {
		broken = append(broken, sinks.FieldError{Field: "token_scheme", Message: "want bearer or token"})
	}
	if o.Create != "" && o.Create != createPut && o.Create != createPost {
		broken = append(broken, sinks.FieldError{Field: "create", Message: "want put or post"})
	}
	return broken
}
