// Package config reads the worker's configuration: one YAML file, with the
// environment and secret files filled in.
//
// Promises: a Config that was loaded without an error keeps every rule that can
// be checked without the network, and every default is filled in; all mistakes
// of a file are told at once, each with line, column and what to write instead;
// no secret is ever part of a mistake or of a printed Config. Names of files in
// a Config are relative to the working directory.
package config

import "time"

// Config is the whole file.
type Config struct {
	NATS         NATS          `yaml:"nats"`
	Stream       Stream        `yaml:"stream"`
	HTTP         HTTP          `yaml:"http"`
	Log          Log           `yaml:"log"`
	Workers      Workers       `yaml:"workers"`
	Destinations []Destination `yaml:"destinations"`

	file         *file
	destinations place // where they stand, or would
}

// NATS says where JetStream is.
type NATS struct {
	// URL is one server or several with commas between; credentials that were
	// written into it are in User and Password instead. Empty: this process has
	// an embedded server, and other verbs dial Embedded.Listen.
	URL string `yaml:"url"`

	// At most one of Creds, User with Password, and NKey is set.
	Creds    string `yaml:"creds"` // file of a JWT and its seed
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
	NKey     string `yaml:"nkey"` // file of an nkey seed
	TLS      TLS    `yaml:"tls"`

	Embedded Embedded `yaml:"embedded"` // counts where URL is empty
}

// IsEmbedded reports whether the worker brings its own server.
func (n *NATS) IsEmbedded() bool { return n.URL == "" }

// DialURL is the address at which a verb finds the server, embedded or not.
func (n *NATS) DialURL() string {
	if n.IsEmbedded() {
		return "nats://" + n.Embedded.Listen
	}
	return n.URL
}

// TLS names files in PEM; empty ones are not used. Cert and Key come together.
type TLS struct {
	CA   string `yaml:"ca"`
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Embedded is the server inside the worker's process.
type Embedded struct {
	Listen string `yaml:"listen"` // 127.0.0.1:4222
	Store  string `yaml:"store"`  // folder; ./data
	Sync   Sync   `yaml:"sync"`   // always
}

// Sync says how often the embedded server's writes are forced to the disk; the
// zero Sync is "always": before each is answered.
type Sync time.Duration

// Always reports whether every write is forced to the disk before its answer.
func (s Sync) Always() bool { return s == 0 }

// Stream is the layout of the CUSTOMERS stream, fixed when it is created.
type Stream struct {
	Partitions         int `yaml:"partitions"`           // 32
	Replicas           int `yaml:"replicas"`             // 1
	HistoryPerCustomer int `yaml:"history_per_customer"` // messages kept of each customer; 4
}

// HTTP is the worker's own address: health, metrics, console, API.
type HTTP struct {
	Listen string `yaml:"listen"` // 127.0.0.1:8080
	Token  Secret `yaml:"token"`  // bearer token; required unless Listen is a loopback address
}

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level"`  // trace, debug, info, warn, error; info
	Format string `yaml:"format"` // console or json; console
}

// Workers says how workers share the shards.
type Workers struct {
	// Lease is how long a shard stays with a worker that is not heard of; whole
	// seconds, since the server counts no finer. 3 s: a take-over takes about that
	// long, and a renewal each second leaves room for one that is lost.
	Lease time.Duration `yaml:"lease"`
	// Grace is how long calls in flight may take to finish when the worker is told
	// to stop. 30 s: the default timeout of a call.
	Grace time.Duration `yaml:"grace"`
}

// defaults returns what counts where the file says nothing.
func defaults() *Config {
	return &Config{
		NATS:    NATS{Embedded: Embedded{Listen: "127.0.0.1:4222", Store: "./data"}},
		Stream:  Stream{Partitions: 32, Replicas: 1, HistoryPerCustomer: 4},
		HTTP:    HTTP{Listen: "127.0.0.1:8080"},
		Log:     Log{Level: "info", Format: "console"},
		Workers: Workers{Lease: 3 * time.Second, Grace: 30 * time.Second},
	}
}

// Destination returns the destination of that name, or nil.
func (c *Config) Destination(name string) *Destination {
	for i := range c.Destinations {
		if c.Destinations[i].Name == name {
			return &c.Destinations[i]
		}
	}
	return nil
}

// NoDestinations is the mistake of a file that is to be delivered by and names no
// destination.
func (c *Config) NoDestinations() Mistake {
	return c.destinations.mistake("names no destination, so nothing would be delivered", "write one, with name, provider, url and auth")
}

// File is the file's name as it was given to Load.
func (c *Config) File() string { return c.file.name }
