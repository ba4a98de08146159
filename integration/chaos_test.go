package integration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

var (
	chaosSeed     = flag.Uint64("chaos.seed", 0, "seed of the schedule of faults; 0: by the time")
	chaosDuration = flag.Duration("chaos.duration", 40*time.Second, "how long faults go on")
)

const (
	chaosCustomers = 300
	// settleWithin is how long the fleet may take after the last fault: a blocked
	// destination is probed after 5, 10 and 20 seconds.
	settleWithin = 2 * time.Minute
)

// TestChaos has a shop with many writers change customers while a schedule of
// faults, made from a seed, breaks workers, nodes, networks and providers. Then
// all is mended, and every provider has to hold what the shop published last, or
// there is a dead letter for exactly that; no version ever went back, nobody is
// there twice, the limits of calls were kept, and audit finds nobody lost.
//
// A longer one: go test ./integration -run TestChaos -v -timeout 30m -args -chaos.duration 10m
func TestChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to have this schedule again: -chaos.seed %d -chaos.duration %v", seed, *chaosDuration)
	c := newCluster(t, openEngine(t))
	c.must(c.allow(t.Context()))
	c.start(chaosConfig())
	s := newShop(newPublisher(c.connect()), chaosCustomers)

	stop := make(chan struct{})
	var selling sync.WaitGroup
	var sold error
	selling.Go(func() { sold = s.run(t.Context(), seed, stop) })
	blows := schedule(seed, *chaosDuration, faults())
	err := c.suffer(t.Context(), blows)
	close(stop)
	selling.Wait()
	c.must(errors.Join(err, sold))

	began := time.Now()
	c.settle(s.newest)
	c.must(c.checkLimits(t.Context()))
	t.Logf("%d events of %d customers; settled %v after the last fault\n%s%s",
		s.published.Load(), chaosCustomers, time.Since(began).Round(100*time.Millisecond), tally(blows), c.tell(t.Context()))
}

// allow sets the stand-ins' switches.
func (c *cluster) allow(ctx context.Context) error {
	return eventually(ctx, func(ctx context.Context) error {
		p, err := c.provider(ctx, "thulium")
		if err == nil {
			_, err = p.call(ctx, "PUT", "switches", `{"groups":["known"]}`)
		}
		return err
	})
}

// suffer lets the blows fall, each at its time or as soon as its victim has got
// over the one before, and returns when all are over.
func (c *cluster) suffer(ctx context.Context, blows []blow) error {
	began := time.Now()
	errs := make([]error, len(blows))
	down := make(map[whom]*sync.Mutex)
	var falling sync.WaitGroup
	for i := range blows {
		b := &blows[i]
		if err := until(ctx, began.Add(b.at)); err != nil {
			return err
		}
		c.t.Log(b)
		victim := b.hits()
		if down[victim] == nil {
			down[victim] = new(sync.Mutex)
		}
		alone := down[victim]
		falling.Go(func() {
			alone.Lock()
			defer alone.Unlock()
			err := b.fault.begin(ctx, c, b)
			if err == nil {
				err = errors.Join(until(ctx, time.Now().Add(b.long)), b.fault.end(ctx, c, b))
			}
			if err != nil {
				errs[i] = fmt.Errorf("%v: %w", b, err)
			}
		})
	}
	falling.Wait()
	return errors.Join(errs...)
}

func until(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle waits until all is as it has to be, or can't become so any more.
func (c *cluster) settle(newest []state) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), settleWithin)
	defer cancel()
	var never *broken
	err := eventuallyWithin(ctx, settleWithin, func(ctx context.Context) error {
		err := c.compare(ctx, newest)
		if errors.As(err, &never) {
			return nil
		}
		return err
	})
	if err != nil {
		status, _, statusErr := c.workers[0].output(c.t.Context(), "/worker", "status", "-c", "/worker.yaml", "-o", "json")
		c.t.Fatalf("%v\n%s%v", err, status, statusErr)
	}
	if never == nil {
		return
	}
	calls, err := c.calls(c.t.Context(), never.provider, never.key)
	c.t.Fatalf("%v\n%s%v", never, calls, err)
}

// compare holds all providers, the dead letters and the audit against what the
// shop published last.
func (c *cluster) compare(ctx context.Context, newest []state) error {
	for _, w := range c.workers {
		if err := w.ready(ctx); err != nil {
			return err
		}
	}
	letters, err := c.letters(ctx)
	if err != nil {
		return err
	}
	var wrong []error
	for i := range accounts {
		p, err := c.provider(ctx, accounts[i].provider)
		if err == nil {
			err = accounts[i].check(ctx, p, newest, letters)
		}
		wrong = append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	for of, l := range letters {
		return fmt.Errorf("a letter for nobody: %v %+v", of, l)
	}
	a, err := c.audit(ctx)
	switch {
	case err != nil:
		return err
	case a.Customers != len(newest):
		return fmt.Errorf("audit counts %d customers, want %d", a.Customers, len(newest))
	case a.Lost+a.Regressed+a.Waiting > 0:
		return fmt.Errorf("audit: %+v", a.Counts)
	}
	return nil
}

// tally is the table of what was survived.
func tally(blows []blow) string {
	counts := make(map[string]int)
	var order []string
	for i := range blows {
		name := blows[i].fault.name + " " + [...]string{"a node", "a worker", "a provider", "all nodes"}[blows[i].fault.on]
		if counts[name]++; counts[name] == 1 {
			order = append(order, name)
		}
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, name := range order {
		fmt.Fprintf(w, "%s\t%d\n", name, counts[name])
	}
	_ = w.Flush() // into memory
	return text.String()
}

// tell is a table of what the providers have seen.
func (c *cluster) tell(ctx context.Context) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "provider\tcalls\trows\tcreated\tupdated\tdeleted\tof a version it had\tmost calls in a second\tat once\t")
	for i := range accounts {
		p, err := c.provider(ctx, accounts[i].provider)
		c.must(err)
		n, err := p.counters(ctx)
		c.must(err)
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", accounts[i].provider, n.Calls, n.Rows, n.Created, n.Updated, n.Deleted, n.Repeats, n.PeakPerSecond, n.PeakAtOnce)
	}
	_ = w.Flush() // into memory
	return text.String()
}

// chaosConfig is a fleet for all providers with limits that can be kept and
// broken within a minute.
func chaosConfig() string {
	var text strings.Builder
	fmt.Fprintf(&text, `
nats: {url: "%s"}
stream: {replicas: 3}
http: {listen: ":8080", token: unguessed}
log: {level: info}
workers: {grace: 5s}
destinations:
`, nodeURLs())
	for _, a := range accounts {
		limits := "concurrency: 6"
		if a.allows > 0 {
			limits += fmt.Sprint(", calls_per_second: ", a.allows)
		}
		fmt.Fprintf(&text, `  - name: %[1]s
    provider: %[1]s
    url: http://standins:9000/%[1]s
    auth: %[2]s
    %[3]s
    batch: {max_rows: 20, linger: 20ms}
    rate: {%[4]s}
    shards: 4
    timeout: 3s
    retry: {initial: 200ms, max: 2s}
`, a.provider, a.auth, a.more, limits)
	}
	return text.String()
}
