package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/pipeline"
)

// provider is a stand-in with the destination that is configured for it.
type provider struct {
	name    string // of the provider and of the destination
	standIn sandbox.Provider

	auth    string // as in the configuration
	more    string // further lines of it
	rows    int    // of a call
	pace    int    // calls a second
	atOnce  int    // calls
	shops   []string
	key     func(c *events.Customer) string // under which the stand-in holds a customer
	unnamed bool                            // its rows can't carry a version
	keeps   bool                            // it can't delete
	scenes  []scene

	view view
	past past
}

// providers are those of the demo, with the mistakes that each will make.
func providers() []*provider {
	return []*provider{
		{
			name: "thulium", standIn: &sandbox.Thulium{Username: "demo", Password: "demo"},
			auth: "{username: demo, password: demo}",
			more: "    map: {custom_fields.version: string(customer.version)}\n",
			rows: 40, pace: 30, atOnce: 4, key: byID,
			scenes: []scene{
				{at: 0.15, fault: sandbox.Fault{Kind: sandbox.Status, Status: 503, For: 2 * time.Second},
					says: "answers 503 for 2 s: rows wait, none is blamed"},
				{at: 0.45, fault: sandbox.Fault{Kind: sandbox.RowError, Path: "/batch/", Times: 1, Row: 2, Status: 422},
					says: "refuses one row: one dead letter, its neighbours go on"},
				{at: 0.6, fault: sandbox.Fault{Kind: sandbox.Reset, Path: "/batch/", Method: "POST", Times: 1, Applied: true},
					says: "loses the answer of a batch that it created: looked up first"},
			},
		},
		{
			name: "cartum", standIn: &sandbox.Cartum{Login: "demo", Password: "demo"},
			auth: "{login: demo, password: demo}",
			more: `    map: {note: 'trim((customer.note ?? "") + " v" + string(customer.version))'}` + "\n",
			rows: 100, pace: 10, atOnce: 2, key: byEmail, keeps: true,
			scenes: []scene{
				{at: 0.3, fault: sandbox.Fault{Kind: sandbox.Status, Status: 429, Times: 1, RetryAfter: 2 * time.Second},
					says: "answers 429, Retry-After 2 s: nothing is sent before"},
				{at: 0.55, fault: sandbox.Fault{Kind: sandbox.RowLost, Path: "/import", Times: 1, Row: 3},
					says: "leaves a row out of its answer: no verdict, so sent again"},
				{at: 0.75, fault: sandbox.Fault{Kind: sandbox.HTML, Times: 1},
					says: "answers 200 with a bot filter's page: that delivers nothing"},
			},
		},
		{
			name: "aplaut", standIn: &sandbox.Aplaut{Token: "demo"},
			auth: "{token: demo}",
			more: "    map: {custom_attributes.version: customer.version}\n",
			rows: 1, pace: 150, atOnce: 8, key: byID, shops: []string{"acme", "bukiet", "zimmer"},
			scenes: []scene{
				{at: 0.25, fault: sandbox.Fault{Kind: sandbox.Status, Status: 429, Times: 1, RetryAfter: time.Second},
					says: "answers 429 with a time to come back: nothing is sent before"},
				{at: 0.5, fault: sandbox.Fault{Kind: sandbox.Cut, Times: 1},
					says: "ends an answer in its middle: no verdict, so sent again"},
			},
		},
		{
			name: "virtualpos", standIn: &sandbox.VirtualPOS{APIKey: "demo"},
			auth: "{apikey: demo}",
			more: `    map: {custom_information: '"v" + string(customer.version)'}` + "\n",
			rows: 1, pace: 150, atOnce: 8, key: byID, shops: []string{"kvitka", "polka"}, keeps: true,
			scenes: []scene{
				{at: 0.2, fault: sandbox.Fault{Kind: sandbox.Slow, Times: 2, Delay: 3 * time.Second},
					says: "answers two calls later than the timeout: sent again"},
				{at: 0.65, fault: sandbox.Fault{Kind: sandbox.Status, Status: 502, For: time.Second, Body: "<h1>502 Bad Gateway</h1>"},
					says: "answers 502 with a page for 1 s: rows wait"},
			},
		},
		{
			name: "ecomcharge", standIn: &sandbox.EComCharge{ShopID: "demo", SecretKey: "demo"},
			auth: "{shop_id: demo, secret_key: demo}",
			more: "    options: {look_up: true}\n",
			rows: 1, pace: 100, atOnce: 8, key: byEmail, shops: []string{"acme", "zimmer"}, unnamed: true, keeps: true,
			scenes: []scene{
				{at: 0.35, fault: sandbox.Fault{Kind: sandbox.Reset, Method: "POST", Times: 1, Applied: true},
					says: "loses the answer of a create: looked up, not doubled"},
				{at: 0.7, fault: sandbox.Fault{Kind: sandbox.Status, Status: 500, Times: 3},
					says: "answers 500 three times: probed with one call at a time"},
			},
		},
	}
}

func byID(c *events.Customer) string    { return c.ID }
func byEmail(c *events.Customer) string { return strings.ToLower(c.Email.V) }

// text is the destination's part of the configuration. The pace grows with the
// customers, so that a demo of many does not take all day.
func (p *provider) text(url string, customers int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - name: %s\n    provider: %s\n    url: %q\n    auth: %s\n", p.name, p.name, url, p.auth)
	if len(p.shops) > 0 {
		fmt.Fprintf(&b, "    shops: [%s]\n", strings.Join(p.shops, ", "))
	}
	b.WriteString(p.more)
	fmt.Fprintf(&b, `    shards: 4
    batch: {max_rows: %d, linger: 150ms}
    rate: {calls_per_second: %d, concurrency: %d}
    timeout: 2s  # short, so that a lost answer is soon known to be lost
    retry: {initial: 250ms, max: 5s}
`, p.rows, max(p.pace, p.pace*customers/usual/2), p.atOnce)
	return b.String()
}

// scene is a mistake of a provider and when it happens.
type scene struct {
	at    float64 // when this share is published
	fault sandbox.Fault
	says  string

	armed, told bool
	before      int // faults of the kind before it was armed
}

// direct has the provider make the mistakes whose time has come, and tells of
// those that a call has met.
func (p *provider) direct(share float64, say func(string)) {
	met := p.standIn.Book().Counters().Faults
	for i := range p.scenes {
		sc := &p.scenes[i]
		switch {
		case sc.told || share < sc.at:
		case !sc.armed:
			sc.armed, sc.before = true, met[sc.fault.Kind]
			p.standIn.Faults().Add(sc.fault)
		case met[sc.fault.Kind] > sc.before:
			sc.told = true
			say(p.name + " " + sc.says)
		}
	}
}

// view is what there is to see of a destination.
type view struct {
	name                                string
	published, settled, delivered, dead uint64
	waiting                             uint64 // events
	retrying                            int    // customers that wait for a time
	rowsPerCall, rowsPerSecond          float64
	gate                                pipeline.Gate
}

// look brings the view up to date.
func (p *provider) look(s *pipeline.Snapshot, published uint64, now time.Time) {
	v := view{name: p.name, published: published, waiting: published}
	if s != nil {
		c := s.Counts
		v.settled, v.delivered, v.dead = c.Events(), c.Delivered, c.Dead
		v.waiting = published - min(published, v.settled)
		v.retrying, v.gate = s.Parked, s.Gate
		v.rowsPerSecond = p.past.note(now, c.Delivered+c.Unchanged+c.Skipped)
	}
	if c := p.standIn.Book().Counters(); c.Calls > 0 {
		v.rowsPerCall = float64(c.Rows) / float64(c.Calls)
	}
	p.view = v
}

// past is a count over the last two seconds.
type past struct {
	times  []time.Time
	counts []uint64
}

// note adds a count and returns its speed per second.
func (p *past) note(now time.Time, n uint64) float64 {
	p.times, p.counts = append(p.times, now), append(p.counts, n)
	for len(p.times) > 2 && now.Sub(p.times[0]) > 2*time.Second {
		p.times, p.counts = p.times[1:], p.counts[1:]
	}
	if seconds := now.Sub(p.times[0]).Seconds(); seconds > 0 {
		return float64(n-p.counts[0]) / seconds
	}
	return 0
}

// views are what there is to see of all destinations.
func (s *stage) views() []view {
	views := make([]view, len(s.providers))
	for i, p := range s.providers {
		views[i] = p.view
	}
	return views
}
