package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// report tells how every event ended and what every provider holds, and returns
// ErrUnsound where that does not add up.
func (d *Demo) report(ctx context.Context, s *stage, took time.Duration) ([]*balance, error) {
	p := painter(d.Color)
	published := s.shop.stored.Load()
	fmt.Fprintf(d.Out, "\nAll settled after %.1f s: %s events of %s customers, and %s that came twice.\n\n",
		took.Seconds(), count(published), count(len(s.shop.customers)), count(s.shop.duplicate.Load()))
	wrong := d.ends(s, published)
	var told []string
	balances := make([]*balance, len(s.providers))
	for i, pr := range s.providers {
		b, err := s.balance(ctx, pr)
		if err != nil {
			return nil, err
		}
		balances[i] = b
		if !b.sound() {
			told = append(told, b.faults(pr.name))
		}
	}
	d.holdings(s, balances)
	wrong = append(wrong, told...)
	if len(wrong) > 0 {
		fmt.Fprintln(d.Out, p.bad(p.strong("\nTHIS DOES NOT ADD UP:")))
		for _, w := range wrong {
			fmt.Fprintln(d.Out, p.bad("  "+w))
		}
		fmt.Fprintf(d.Out, "  The worker's log and the stream stay in %s.\n", s.folder)
		return balances, ErrUnsound
	}
	fmt.Fprintln(d.Out, p.good("\nIt adds up: each event has one end; each provider has each customer at the\nnewest version, or a dead letter says why not; no duplicates, no step back."))
	return balances, nil
}

// ends is the table of how events ended. It returns what does not add up.
func (d *Demo) ends(s *stage, published uint64) (wrong []string) {
	d.row("events", "delivered", "unchanged", "superseded", "skipped", "filtered", "dead", "sum")
	var again []string
	for _, p := range s.providers {
		n := s.tally(p)
		d.row(p.name, count(n.Delivered), count(n.Unchanged), count(n.Superseded), count(n.Skipped),
			count(n.Filtered), count(n.Dead), count(n.sum))
		if n.sum != published {
			wrong = append(wrong, fmt.Sprintf("%s: %s events were published, %s have an end", p.name, count(published), count(n.sum)))
		}
		if n.again > 0 {
			again = append(again, fmt.Sprintf("%s %s", p.name, count(n.again)))
		}
	}
	if len(again) > 0 {
		fmt.Fprintf(d.Out, "Sent once more, since a lost call might still have arrived: %s.\n", strings.Join(again, ", "))
	}
	return wrong
}

// holdings is the table of what the providers hold.
func (d *Demo) holdings(s *stage, balances []*balance) {
	fmt.Fprintln(d.Out)
	d.row("customers", "at newest", "deleted", "kept", "filtered", "dead", "sum", "duplicates")
	for i, b := range balances {
		d.row(s.providers[i].name, count(b.newest), count(b.gone), count(b.kept), count(b.filtered), count(b.dead),
			count(b.newest+b.gone+b.kept+b.filtered+b.dead), count(b.duplicates))
	}
	fmt.Fprintln(d.Out, "\nDead letters")
	for i, b := range balances {
		var parts []string
		for _, reason := range slices.Sorted(maps.Keys(b.reasons)) {
			parts = append(parts, fmt.Sprintf("%s %s", count(b.reasons[reason]), reason))
		}
		fmt.Fprintf(d.Out, "  %-12s%s\n", s.providers[i].name, strings.Join(parts, ", "))
	}
}

// row writes a line of a table: a name, and figures or their headings.
func (d *Demo) row(name string, figures ...string) {
	widths := [...]int{10, 10, 11, 9, 9, 7, 11} // so that the headings of both tables fit
	var b strings.Builder
	fmt.Fprintf(&b, "%-11s", name)
	for i, figure := range figures {
		fmt.Fprintf(&b, "%*s", widths[i], figure)
	}
	fmt.Fprintln(d.Out, b.String())
}

// faults says what is wrong with a balance.
func (b *balance) faults(name string) string {
	var parts []string
	if n := len(b.off); n > 0 {
		some := b.off[:min(n, 5)]
		parts = append(parts, fmt.Sprintf("%d customers are neither at their newest nor dead (%s …)", n, strings.Join(some, ", ")))
	}
	if b.duplicates > 0 {
		parts = append(parts, fmt.Sprintf("%d duplicates", b.duplicates))
	}
	if b.backSteps > 0 {
		parts = append(parts, fmt.Sprintf("%d steps back to an older version", b.backSteps))
	}
	return name + ": " + strings.Join(parts, "; ")
}

// suggest names what can be tried while the demo stays.
func (d *Demo) suggest(s *stage, balances []*balance) {
	c := s.shop.customers[0]
	on := " -c " + s.file
	fmt.Fprintf(d.Out, "\nThe worker goes on until Ctrl-C; then all of this is removed. Meanwhile, try:\n")
	tries := [][2]string{
		{"the console", s.httpURL()},
		{"metrics", s.httpURL() + "metrics"},
		{"how it goes", d.Program + " status" + on},
		{"one customer", d.Program + " status" + on + " " + c.shop + " " + c.state.ID},
		{"why dead", d.Program + " deadletters groups" + on},
		{"lost?", d.Program + " audit" + on},
	}
	if l := balances[0].letter; l != nil {
		one := on + " --destination " + l.Destination + " --shop " + l.Shop + " --customer " + l.Customer
		tries = append(tries, [2]string{"one letter", d.Program + " deadletters show" + one}, [2]string{"try it again", d.Program + " deadletters replay" + one})
	}
	for _, try := range tries {
		fmt.Fprintf(d.Out, "  %-13s %s\n", try[0], try[1])
	}
}
