package events

import "time"

// State says whether a field was left out, is to be cleared, or has a value.
type State uint8

const (
	Absent State = iota // the shop does not manage it; the provider keeps its value
	Null                // clear it at the provider
	Set                 // V is the value
)

// Opt is a field that a shop may leave out. The zero Opt is absent.
type Opt[T any] struct {
	V     T
	State State
}

// Some returns a field that is set to v.
func Some[T any](v T) Opt[T] { return Opt[T]{V: v, State: Set} }

// Clear returns a field that is to be cleared at the provider.
func Clear[T any]() Opt[T] { return Opt[T]{State: Null} }

// Has reports whether the field has a value.
func (o Opt[T]) Has() bool { return o.State == Set }

// IsZero reports whether the field is absent, so that it is left out of JSON.
func (o Opt[T]) IsZero() bool { return o.State == Absent }

// Customer is a shop's customer as the contract has it. Fields that the
// contract does not name are kept in Event.Data.
type Customer struct {
	ID      string     `json:"id"`
	Version Opt[int64] `json:"version,omitzero"`

	Email  Opt[string]   `json:"email,omitzero"`
	Emails Opt[[]string] `json:"emails,omitzero"`
	Phone  Opt[string]   `json:"phone,omitzero"`
	Phones Opt[[]string] `json:"phones,omitzero"`

	FirstName  Opt[string] `json:"first_name,omitzero"`
	LastName   Opt[string] `json:"last_name,omitzero"`
	MiddleName Opt[string] `json:"middle_name,omitzero"`
	FullName   Opt[string] `json:"full_name,omitzero"` // DisplayName derives it when absent

	Gender    Opt[string] `json:"gender,omitzero"`     // female, male, other
	BirthDate Opt[string] `json:"birth_date,omitzero"` // YYYY-MM-DD

	Company        Opt[string] `json:"company,omitzero"`
	JobTitle       Opt[string] `json:"job_title,omitzero"`
	Website        Opt[string] `json:"website,omitzero"`
	TaxID          Opt[string] `json:"tax_id,omitzero"`
	NationalID     Opt[string] `json:"national_id,omitzero"`
	Note           Opt[string] `json:"note,omitzero"`
	Group          Opt[string] `json:"group,omitzero"`
	Type           Opt[string] `json:"type,omitzero"`
	AccountManager Opt[string] `json:"account_manager,omitzero"`
	Locale         Opt[string] `json:"locale,omitzero"`
	IP             Opt[string] `json:"ip,omitzero"`

	VIP          Opt[bool]      `json:"vip,omitzero"`
	RegisteredAt Opt[time.Time] `json:"registered_at,omitzero"`
	TotalSpent   Opt[float64]   `json:"total_spent,omitzero"`

	Address        Opt[Address] `json:"address,omitzero"`
	InvoiceAddress Opt[Address] `json:"invoice_address,omitzero"`
	MailingAddress Opt[Address] `json:"mailing_address,omitzero"`

	Consents Opt[Consents] `json:"consents,omitzero"`
	Discount Opt[Discount] `json:"discount,omitzero"`
	Balance  Opt[Balance]  `json:"balance,omitzero"`
	Cards    Opt[[]Card]   `json:"cards,omitzero"`
	Bonuses  Opt[[]Bonus]  `json:"bonuses,omitzero"`

	Attributes Opt[[]Attribute] `json:"attributes,omitzero"` // in the order of the event
}

// Address is a postal address; Country is ISO 3166-1 alpha-2.
type Address struct {
	Street   Opt[string] `json:"street,omitzero"`
	Building Opt[string] `json:"building,omitzero"`
	Flat     Opt[string] `json:"flat,omitzero"`
	Postcode Opt[string] `json:"postcode,omitzero"`
	City     Opt[string] `json:"city,omitzero"`
	State    Opt[string] `json:"state,omitzero"`
	Country  Opt[string] `json:"country,omitzero"`
}

// Consents says by which ways the customer wants to be written to.
type Consents struct {
	Email Opt[bool] `json:"email,omitzero"`
	SMS   Opt[bool] `json:"sms,omitzero"`
	Push  Opt[bool] `json:"push,omitzero"`
}

// Discount is a personal discount; Status is confirmed, pending or rejected.
type Discount struct {
	Percent    Opt[float64] `json:"percent,omitzero"`
	Active     Opt[bool]    `json:"active,omitzero"`
	ValidUntil Opt[string]  `json:"valid_until,omitzero"` // YYYY-MM-DD
	Status     Opt[string]  `json:"status,omitzero"`
}

// Balance is an amount of money.
type Balance struct {
	Amount   Opt[float64] `json:"amount,omitzero"`
	Currency Opt[string]  `json:"currency,omitzero"` // ISO 4217
}

// Card is a loyalty card.
type Card struct {
	ID          Opt[string] `json:"id,omitzero"`
	Number      Opt[string] `json:"number,omitzero"`
	Barcode     Opt[string] `json:"barcode,omitzero"`
	Medium      Opt[string] `json:"medium,omitzero"`
	Status      Opt[string] `json:"status,omitzero"`
	Type        Opt[string] `json:"type,omitzero"`
	ActivatedAt Opt[string] `json:"activated_at,omitzero"`
	BlockedAt   Opt[string] `json:"blocked_at,omitzero"`
}

// Bonus is the balance to hold in a bonus programme, not an increment.
type Bonus struct {
	ProgramID Opt[string]  `json:"program_id,omitzero"`
	Amount    Opt[float64] `json:"amount,omitzero"`
}

// Attribute is one of the shop's own fields: a scalar. Value is its raw JSON.
type Attribute struct {
	Name  string
	Value []byte
}
