package config

import (
	"time"

	"github.com/custsync/custsync/pkg/retry"
)

// Destination is one configured account at a provider.
type Destination struct {
	Name     string `yaml:"name"`     // [a-z0-9-]+; it names the consumers
	Provider string `yaml:"provider"` // thulium, cartum, aplaut, virtualpos, ecomcharge
	URL      string `yaml:"url"`      // the provider's base address, without a slash at the end

	// Auth holds exactly the credentials that the provider asks for (see
	// Credentials), none of them empty.
	Auth map[string]Secret `yaml:"auth"`

	Shops []string          `yaml:"shops"` // the shops that it is given; empty: all
	When  string            `yaml:"when"`  // expression that admits a customer; empty: all
	Map   map[string]string `yaml:"map"`   // the provider's field to the expression of its value

	Shards   int     `yaml:"shards"`   // divides the partitions; 8, or what comes closest below it
	Start    Start   `yaml:"start"`    // all
	OnLeave  OnLeave `yaml:"on_leave"` // update
	Formerly string  `yaml:"formerly"` // the name it had, if it was renamed

	Batch   Batch         `yaml:"batch"`
	Rate    Rate          `yaml:"rate"`
	Timeout time.Duration `yaml:"timeout"` // of one call; 30 s
	Retry   Retry         `yaml:"retry"`

	// Options are the provider's own switches, to be read with DecodeOptions; nil
	// if there are none.
	Options *Node `yaml:"options"`

	node *Node  // the whole destination in the file
	path string // of it
}

// Start says with which events a new destination begins.
type Start string

const (
	StartAll Start = "all" // with every customer that the stream keeps
	StartNew Start = "new" // with what is published from now on
)

// OnLeave says what becomes of a customer that the provider holds and that
// shops and when no longer admit.
type OnLeave string

const (
	LeaveUpdate OnLeave = "update" // this newest state is still sent
	LeaveDelete OnLeave = "delete" // the customer is deleted at the provider
	LeaveKeep   OnLeave = "keep"   // the provider keeps what it has
)

// Batch bounds a batch. The sink's own limits count besides.
type Batch struct {
	MaxRows  int           `yaml:"max_rows"`  // 100
	MaxBytes Size          `yaml:"max_bytes"` // of the request body; 1 MiB
	Linger   time.Duration `yaml:"linger"`    // how long the first row waits for others; 200 ms
}

// Rate bounds the calls of the whole fleet to this destination.
type Rate struct {
	CallsPerSecond float64 `yaml:"calls_per_second"` // 0: no limit
	Concurrency    int     `yaml:"concurrency"`      // calls at once, of all workers; 4
}

// Retry says how rows that failed are tried again.
type Retry struct {
	Initial     time.Duration `yaml:"initial"`      // 500 ms
	Max         time.Duration `yaml:"max"`          // 2 min
	Multiplier  float64       `yaml:"multiplier"`   // 2
	Jitter      float64       `yaml:"jitter"`       // 0 to 1; 0.5
	MaxAttempts int           `yaml:"max_attempts"` // 10
	MaxElapsed  time.Duration `yaml:"max_elapsed"`  // 24 h
}

// Policy returns the same as a retry.Policy.
func (r Retry) Policy() retry.Policy {
	p := retry.Policy{
		Initial:     r.Initial,
		Max:         r.Max,
		Multiplier:  r.Multiplier,
		Jitter:      r.Jitter,
		MaxAttempts: r.MaxAttempts,
		MaxElapsed:  r.MaxElapsed,
	}
	if p.Jitter == 0 {
		p.Jitter = -1 // a zero there would mean the default
	}
	return p
}

// setDefaults is called before a destination is read from the file. Shards is
// set after, since it depends on the partitions.
func (d *Destination) setDefaults() {
	policy := retry.Policy{}.WithDefaults()
	*d = Destination{
		Start:   StartAll,
		OnLeave: LeaveUpdate,
		Batch:   Batch{MaxRows: 100, MaxBytes: 1 << 20, Linger: 200 * time.Millisecond},
		Rate:    Rate{Concurrency: 4},
		Timeout: 30 * time.Second,
		Retry: Retry{
			Initial:     policy.Initial,
			Max:         policy.Max,
			Multiplier:  policy.Multiplier,
			Jitter:      policy.Jitter,
			MaxAttempts: policy.MaxAttempts,
			MaxElapsed:  policy.MaxElapsed,
		},
	}
}

// Providers returns the names of the providers, in the order of the manual.
func Providers() []string {
	return []string{"thulium", "cartum", "aplaut", "virtualpos", "ecomcharge"}
}

// Credentials returns the keys of Auth that a provider asks for; nil for an
// unknown one.
func Credentials(provider string) []string {
	switch provider {
	case "thulium":
		return []string{"username", "password"}
	case "cartum":
		return []string{"login", "password"}
	case "aplaut":
		return []string{"token"}
	case "virtualpos":
		return []string{"apikey"}
	case "ecomcharge":
		return []string{"shop_id", "secret_key"}
	}
	return nil
}
