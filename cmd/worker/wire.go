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

// newSink makes the sink of a destination. Only here are providers told apart.
// The caller's Timeout is the destination's unless it is set. What is wrong in
// the destination's options is *config.Mistakes.
func newSink(d *config.Destination, caller sinks.Caller) (provider, error) {
	if caller.Timeout == 0 {
		caller.Timeout = d.Timeout
	}
	secret := func(key string) string { return string(d.Auth[key]) }
	switch d.Provider {
	case "thulium":
		cfg := thulium.Config{URL: d.URL, Username: secret("username"), Password: secret("password"), Caller: caller}
		if err := config.DecodeOptions(d.Options, &cfg.Options); err != nil {
			return nil, err
		}
		return opened(thulium.New(cfg))
	case "cartum":
		cfg := cartum.Config{URL: d.URL, Login: secret("login"), Password: secret("password"), Caller: caller}
		if err := config.DecodeOptions(d.Options, &cfg.Options); err != nil {
			return nil, err
		}
		return opened(cartum.New(cfg))
	case "aplaut":
		cfg := aplaut.Config{URL: d.URL, Token: secret("token"), Caller: caller}
		if err := config.DecodeOptions(d.Options, &cfg.Options); err != nil {
			return nil, err
		}
		return opened(aplaut.New(cfg))
	case "virtualpos":
		cfg := virtualpos.Config{URL: d.URL, APIKey: secret("apikey"), Caller: caller}
		if err := config.DecodeOptions(d.Options, &cfg.Options); err != nil {
			return nil, err
		}
		return opened(virtualpos.New(cfg))
	case "ecomcharge":
		cfg := ecomcharge.Config{URL: d.URL, ShopID: secret("shop_id"), SecretKey: secret("secret_key"), Caller: caller}
		if err := config.DecodeOptions(d.Options, &cfg.Options); err != nil {
			return nil, err
		}
		return opened(ecomcharge.New(cfg))
	}
	return nil, fmt.Errorf("%s is not built in", d.Provider)
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
	r, problems := mapping.Compile(mapper, mapping.Rules{Shops: d.Shops, When: d.When, Map: d.Map})
	var mistakes []config.Mistake
	for _, p := range problems {
		mistakes = append(mistakes, d.Mistake(p.Offset, p.Message, p.Hint, p.Keys...))
	}
	return r, mistakes
}

// readConfig reads a file and finds every mistake in it, also those that only
// the providers and the expressions know of.
func readConfig(path string) (*config.Config, error) {
	c, err := config.Load(path)
	all, mistaken := errors.AsType[*config.Mistakes](err)
	if err != nil && !mistaken {
		return nil, &cli.UsageError{Err: err}
	}
	if !mistaken {
		all = &config.Mistakes{File: path}
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
