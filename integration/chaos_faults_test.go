package integration

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// fault is one way to break something.
type fault struct {
	name        string
	on          victim
	targets     []int         // of it; none: all
	least, most time.Duration // how long it lasts
	begin, end  func(context.Context, *cluster, *blow) error
}

func faults() []*fault {
	all := []*fault{
		{name: "SIGKILL of", on: aWorker, least: time.Second, most: 5 * time.Second,
			begin: func(ctx context.Context, c *cluster, b *blow) error { return c.workers[b.target].kill(ctx) },
			end:   func(ctx context.Context, c *cluster, b *blow) error { return c.workers[b.target].Start(ctx) }},
		{name: "SIGTERM of", on: aWorker, least: time.Second, most: 3 * time.Second,
			begin: func(ctx context.Context, c *cluster, b *blow) error { return c.workers[b.target].end(ctx) },
			end:   func(ctx context.Context, c *cluster, b *blow) error { return c.workers[b.target].Start(ctx) }},
		{name: "SIGSTOP and SIGCONT of", on: aWorker, least: time.Second, most: 7 * time.Second,
			begin: func(ctx context.Context, c *cluster, b *blow) error { return c.workers[b.target].signal(ctx, "STOP") },
			end:   func(ctx context.Context, c *cluster, b *blow) error { return c.workers[b.target].signal(ctx, "CONT") }},
		{name: "no way to NATS from", on: aWorker, least: 2 * time.Second, most: 6 * time.Second,
			begin: func(ctx context.Context, c *cluster, b *blow) error { return c.part(ctx, b.target, c.buses[:]...) },
			end:   func(ctx context.Context, c *cluster, b *blow) error { return c.unite(ctx, b.target, c.buses[:]...) }},
		{name: "no way to one node from", on: aWorker, least: 3 * time.Second, most: 8 * time.Second,
			begin: func(ctx context.Context, c *cluster, b *blow) error { return c.part(ctx, b.target, c.buses[b.other]) },
			end:   func(ctx context.Context, c *cluster, b *blow) error { return c.unite(ctx, b.target, c.buses[b.other]) }},
		{name: "no way to the providers from", on: aWorker, least: time.Second, most: 5 * time.Second,
			begin: func(ctx context.Context, c *cluster, b *blow) error { return c.part(ctx, b.target, c.outside) },
			end:   func(ctx context.Context, c *cluster, b *blow) error { return c.unite(ctx, b.target, c.outside) }},

		{name: "SIGKILL of", on: aNode, least: 2 * time.Second, most: 5 * time.Second,
			begin: func(ctx context.Context, c *cluster, b *blow) error { return c.nodes[b.target].kill(ctx) },
			end:   func(ctx context.Context, c *cluster, b *blow) error { return c.nodes[b.target].Start(ctx) }},
		{name: "SIGSTOP and SIGCONT of", on: aNode, least: 2 * time.Second, most: 5 * time.Second,
			begin: func(ctx context.Context, c *cluster, b *blow) error { return c.nodes[b.target].signal(ctx, "STOP") },
			end:   func(ctx context.Context, c *cluster, b *blow) error { return c.nodes[b.target].signal(ctx, "CONT") }},
		{name: "no way to the other nodes from", on: aNode, least: 2 * time.Second, most: 6 * time.Second,
			begin: func(ctx context.Context, c *cluster, b *blow) error { return c.nodes[b.target].cut(ctx, c.routes) },
			end: func(ctx context.Context, c *cluster, b *blow) error {
				return c.nodes[b.target].join(ctx, c.routes, nodeName(b.target))
			}},
		{name: "SIGKILL of", on: allNodes, least: time.Second, most: 2 * time.Second,
			begin: func(ctx context.Context, c *cluster, _ *blow) error { return c.each(ctx, (*box).kill) },
			end: func(ctx context.Context, c *cluster, _ *blow) error {
				return c.each(ctx, func(b *box, ctx context.Context) error { return b.Start(ctx) })
			}},
	}
	return append(all, providerFaults()...)
}

// providerFaults are those that the stand-ins know themselves. They end by
// themselves, too.
func providerFaults() []*fault {
	const thulium, cartum, aplaut, virtualpos = 0, 1, 2, 3 // eComCharge names no time in a 429
	var all []*fault
	for _, f := range []struct {
		name        string
		least, most time.Duration
		plan        string
		targets     []int
	}{
		{"an outage of", time.Second, 5 * time.Second, `"kind":"status","status":503`, nil},
		{"resets before applying of", time.Second, 3 * time.Second, `"kind":"reset","share":0.5`, nil},
		{"resets after applying of", time.Second, 3 * time.Second, `"kind":"reset","applied":true,"share":0.5`, nil},
		{"answers cut by", time.Second, 3 * time.Second, `"kind":"cut","share":0.5`, nil},
		{"results left out by", time.Second, 3 * time.Second, `"kind":"row_lost","row":1,"share":0.5`, nil},
		{"rows refused for now by", time.Second, 3 * time.Second, `"kind":"row_error","row":1,"share":0.5`, nil},
		{"429 with Retry-After of", 0, 0, `"kind":"status","status":429,"retry_after":"2s","times":1`, []int{thulium, cartum, aplaut, virtualpos}},
		{"401 for a while of", time.Second, 3 * time.Second, `"kind":"status","status":401`, nil},
		{"a page in place of answers by", time.Second, 3 * time.Second, `"kind":"html","share":0.5`, nil},
		{"answers later than the timeout by", time.Second, 3 * time.Second, `"kind":"slow","delay":"4s","share":0.3`, nil},
	} {
		all = append(all, &fault{name: f.name, on: aProvider, targets: f.targets, least: f.least, most: f.most,
			begin: func(ctx context.Context, c *cluster, b *blow) error {
				p, err := c.provider(ctx, accounts[b.target].provider)
				if err != nil {
					return err
				}
				if b.long > 0 {
					_, err = p.call(ctx, http.MethodPost, "faults", fmt.Sprintf(`{%s,"for":"%s"}`, f.plan, b.long))
				} else {
					_, err = p.call(ctx, http.MethodPost, "faults", "{"+f.plan+"}")
				}
				return err
			},
			end: func(context.Context, *cluster, *blow) error { return nil },
		})
	}
	return append(all, &fault{name: "expired tokens of", on: aProvider, targets: []int{cartum},
		begin: func(ctx context.Context, c *cluster, _ *blow) error {
			p, err := c.provider(ctx, "cartum")
			if err == nil {
				_, err = p.call(ctx, http.MethodPost, "clock", `{"advance":"11m"}`)
			}
			return err
		},
		end: func(context.Context, *cluster, *blow) error { return nil },
	})
}

// part takes a worker off some lanes.
func (c *cluster) part(ctx context.Context, worker int, from ...*lane) error {
	for _, l := range from {
		if err := c.workers[worker].cut(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// unite brings it back.
func (c *cluster) unite(ctx context.Context, worker int, with ...*lane) error {
	for _, l := range with {
		if err := c.workers[worker].join(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) each(ctx context.Context, do func(*box, context.Context) error) error {
	for _, node := range c.nodes {
		if err := do(node, ctx); err != nil {
			return err
		}
	}
	return nil
}
