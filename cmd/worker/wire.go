package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/mapping"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/sinks/aplaut"
	"github.com/custsync/custsync/pkg/sinks/cartum"
	"github.com/custsync/custsync/pkg/sinks/ecomcharge"
	"github.com/custsync/custsync/pkg/sinks/thulium"
	"github.com/custsync/custsync/pkg/sinks/virtualpos"
)

// provider is all that the worker wants of a sink.
type provider interface {
	sinks.Sink
	sinks.Mapper
	// Probe tries the address and the credentials with calls that change nothing.
	Probe(ctx context.Context) error
}

// maker is how the worker makes one destination's sink.
type maker struct {
	schema  *sinks.Schema
	options any // to be read from the file before open is called
	open    func() (provider, error)
}

// makerOf returns the maker of a destination's provider; false if there is no such
// provider. Only here are providers told apart.
func makerOf(d *config.Destination, caller sinks.Caller) (maker, bool) {
	secret := func(key string) string { return string(d.Auth[key]) }
	switch d.Provider {
	case "thulium":
		cfg := thulium.Config{URL: d.URL, Username: secret("username"), Password: secret("password"), Caller: caller}
		return maker{thulium.Schema(), &cfg.Options, func() (provider, error) { return opened(thulium.New(cfg)) }}, true
	case "cartum":
		cfg := cartum.Config{URL: d.URL, Login: secret("login"), Password: secret("password"), Caller: caller}
		return maker{cartum.Schema(), &cfg.Options, func() (provider, error) { return opened(cartum.New(cfg)) }}, true
	case "aplaut":
		cfg := aplaut.Config{URL: d.URL, Token: secret("token"), Caller: caller}
		return maker{aplaut.Schema(), &cfg.Options, func() (provider, error) { return opened(aplaut.New(cfg)) }}, true
	case "virtualpos":
		cfg := virtualpos.Config{URL: d.URL, APIKey: secret("apikey"), Caller: caller}
		return maker{virtualpos.Schema(), &cfg.Options, func() (provider, error) { return opened(virtualpos.New(cfg)) }}, true
	case "ecomcharge":
		cfg := ecomcharge.Config{URL: d.URL, ShopID: secret("shop_id"), SecretKey: secret("secret_key"), Caller: caller}
		return maker{ecomcharge.Schema(), &cfg.Options, func() (provider, error) { return opened(ecomcharge.New(cfg)) }}, true
	}
	return maker{}, false
}

// newSink makes the sink of a destination. The caller's Timeout is the
// destination's unless it is set. What is wrong in the destination's options is
// *config.Mistakes.
func newSink(d *config.Destination, caller sinks.Caller) (provider, error) {
	if caller.Timeout == 0 {
		caller.Timeout = d.Timeout
	}
	m, ok := makerOf(d, caller)
	if !ok {
		return nil, fmt.Errorf("%s is not built in", d.Provider)
	}
	if err := config.DecodeOptions(d.Options, m.options); err != nil {
		return nil, err
	}
	return m.open()
}

// opened keeps a nil sink from becoming a provider that is not nil.
func opened[S provider](sink S, err error) (provider, error) {
	if err != nil {
		return nil, err
	}
	return sink, nil
}

// newRenderer compiles a destination's expressions.
func newRenderer(d *config.Destination, mapper sinks.Mapper) (*mapping.Renderer, []config.Mistake) {
	m, _ := makerOf(d, sinks.Caller{}) // of an unknown provider any field is known
	r, problems := mapping.Compile(mapper, mapping.Rules{Shops: d.Shops, When: d.When, Map: d.Map, Schema: m.schema})
	var mistakes []config.Mistake
	for _, p := range problems {
		at := d.Mistake(p.Offset, p.Message, p.Hint, p.Keys...)
		if p.AtKey {
			at = d.MistakeAtKey(p.Message, p.Hint, p.Keys...)
		}
		mistakes = append(mistakes, at)
	}
	return r, mistakes
}

// readConfig reads a file and finds every mistake in it, also those that only
// the providers and the expressions know of.
func readConfig(path string) (*config.Config, error) { return readFor(path, false) }

// readFor is readConfig; for a verb that delivers, a file without destinations is a
// mistake too.
func readFor(path string, delivers bool) (*config.Config, error) {
	c, err := config.Load(path)
	all, mistaken := errors.AsType[*config.Mistakes](err)
	if err != nil && !mistaken {
		return nil, &cli.UsageError{Err: err}
	}
	if !mistaken {
		all = &config.Mistakes{File: path}
	}
	if delivers && len(c.Destinations) == 0 {
		all.Add(c.NoDestinations())
	}
	for i := range c.Destinations {
		d := &c.Destinations[i]
		_, wrong := newRenderer(d, nil)
		all.Add(wrong...)
		_, err := newSink(d, sinks.Caller{})
		if options, ok := errors.AsType[*config.Mistakes](err); ok {
			all.Add(options.List...)
		} else if err != nil && !mistaken {
			all.Add(d.Mistake(0, err.Error(), "", "provider"))
		}
	}
	if len(all.List) > 0 {
		return nil, &cli.UsageError{Err: all, Plain: true}
	}
	return c, nil
}
