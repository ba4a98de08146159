package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// figure is what several runs of one measurement came to: medians, and the
// spread of the rate.
type figure struct {
	Group     string  `json:"group"`
	Name      string  `json:"name"`
	Sync      string  `json:"sync"` // the broker's
	Runs      int     `json:"runs"`
	PerSecond float64 `json:"per_second"`
	Lowest    float64 `json:"lowest"`
	Highest   float64 `json:"highest"`
	ClientUS  float64 `json:"client_us"` // microseconds of this process' processor time for each
	ServerUS  float64 `json:"server_us"` // and of the broker's
	Others    float64 `json:"others"`    // share of the machine that others used meanwhile, 0 to 1
}

func newFigure(group, name, sync string, samples []sample) figure {
	rates := sorted(samples, sample.perSecond)
	return figure{
		Group: group, Name: name, Sync: sync, Runs: len(samples),
		PerSecond: median(rates), Lowest: rates[0], Highest: rates[len(rates)-1],
		ClientUS: median(sorted(samples, func(s sample) float64 { return microseconds(s.Client, s.Count) })),
		ServerUS: median(sorted(samples, func(s sample) float64 { return microseconds(s.Server, s.Count) })),
		Others:   median(sorted(samples, func(s sample) float64 { return shareOfMachine(s.Others, s.Took) })),
	}
}

func microseconds(d time.Duration, count int) float64 {
	return float64(d.Nanoseconds()) / 1e3 / float64(count)
}

func shareOfMachine(used, took time.Duration) float64 {
	return used.Seconds() / took.Seconds() / float64(runtime.NumCPU())
}

func sorted[S any](samples []S, value func(S) float64) []float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = value(s)
	}
	slices.Sort(values)
	return values
}

// median of sorted values; of two in the middle the mean.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// report prints figures: as JSON one a line as they come, else as a table at the
// end, with a line of progress for each.
type report struct {
	out      io.Writer
	progress io.Writer
	json     bool

	figures []figure
}

func (r *report) add(f figure) error {
	r.figures = append(r.figures, f)
	if r.json {
		return r.document(f)
	}
	_, err := fmt.Fprintf(r.progress, "%s, sync %s: %s: %.0f/s\n", f.Group, f.Sync, f.Name, f.PerSecond)
	return err
}

// document prints one line of JSON.
func (r *report) document(v any) error {
	e := json.NewEncoder(r.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// flush prints the table of all figures so far.
func (r *report) flush() error {
	if r.json || len(r.figures) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "measured\tsync\tper second\tlowest\thighest\tclient µs\tserver µs\tothers")
	group := ""
	for _, f := range r.figures {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(w, "%s\n", group)
		}
		fmt.Fprintf(w, "  %s\t%s\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\t%.0f %%\n",
			f.Name, f.Sync, f.PerSecond, f.Lowest, f.Highest, f.ClientUS, f.ServerUS, 100*f.Others)
	}
	r.figures = nil
	return w.Flush()
}
