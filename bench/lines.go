package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
)

// measure is one thing that one run measured.
type measure struct {
	What   string
	Unit   string
	Value  float64
	Beside string  // the limit that it is held against, measured in the same run or known
	Raw    float64 // its value, in the same unit
	Want   bound
}

// bound is what a measure is to reach; the zero bound is nothing.
type bound struct {
	kind  boundKind
	limit float64
}

type boundKind uint8

const (
	unbound boundKind = iota
	low               // the median is at least the limit
	high              // the median is at most the limit
	ever              // no run is above the limit
)

func atLeast(limit float64) bound { return bound{low, limit} }
func atMost(limit float64) bound  { return bound{high, limit} }
func never(limit float64) bound   { return bound{ever, limit} } // above it

// line is what several runs of one measure came to.
type line struct {
	Scenario string  `json:"scenario"`
	What     string  `json:"what"`
	Unit     string  `json:"unit,omitempty"`
	Runs     int     `json:"runs"`
	Value    float64 `json:"value"` // the median
	Lowest   float64 `json:"lowest"`
	Highest  float64 `json:"highest"`
	Beside   string  `json:"beside,omitempty"`
	Raw      float64 `json:"raw,omitempty"` // the median
	Target   string  `json:"target,omitempty"`
	Met      *bool   `json:"met,omitempty"` // nothing where there is no target
}

// linesOf makes lines of a scenario's runs, each of which measured the same.
func linesOf(scenario string, runs [][]measure) []line {
	lines := make([]line, len(runs[0]))
	for i, m := range runs[0] {
		values := sorted(runs, func(run []measure) float64 { return run[i].Value })
		l := line{
			Scenario: scenario, What: m.What, Unit: m.Unit, Runs: len(runs),
			Value: median(values), Lowest: values[0], Highest: values[len(values)-1],
			Beside: m.Beside, Raw: median(sorted(runs, func(run []measure) float64 { return run[i].Raw })),
		}
		l.judge(m.Want)
		lines[i] = l
	}
	return lines
}

// judge holds the line against its bound.
func (l *line) judge(want bound) {
	var met bool
	sign := "<="
	switch want.kind {
	case unbound:
		return
	case low:
		met, sign = l.Value >= want.limit, ">="
	case high:
		met = l.Value <= want.limit
	case ever:
		met = l.Highest <= want.limit
	}
	l.Met, l.Target = &met, sign+" "+inUnit(want.limit, l.Unit)
	if want.kind == ever {
		l.Target += " in each run"
	}
}

// inUnit writes a value with as many digits as mean something.
func inUnit(v float64, unit string) string {
	digits := 0
	switch {
	case v == float64(int64(v)) && v < 1e15:
	case v < 10:
		digits = 3
	case v < 100:
		digits = 1
	}
	text := fmt.Sprintf("%.*f", digits, v)
	if unit == "" || unit[0] == '/' {
		return text + unit
	}
	return text + " " + unit
}

// table prints the lines, a block for each scenario.
func table(out io.Writer, lines []line) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "measured\tmedian\tlowest to highest\truns\tbeside it\ttarget\t")
	scenario := ""
	for _, l := range lines {
		if l.Scenario != scenario {
			scenario = l.Scenario
			fmt.Fprintf(w, "%s\t\t\t\t\t\t\n", scenario)
		}
		beside := ""
		if l.Beside != "" {
			beside = fmt.Sprintf("%s %s", l.Beside, inUnit(l.Raw, l.Unit))
		}
		fmt.Fprintf(w, "  %s\t%s\t%s to %s\t%d\t%s\t%s\t%s\n", l.What, inUnit(l.Value, l.Unit),
			inUnit(l.Lowest, ""), inUnit(l.Highest, ""), l.Runs, beside, l.Target, l.verdict())
	}
	return w.Flush()
}

func (l *line) verdict() string {
	switch {
	case l.Met == nil:
		return ""
	case *l.Met:
		return "met"
	}
	return "MISSED"
}

// tell prints the lines as they come: as JSON at once, else in a table of their own.
func (r *report) tell(lines []line) error {
	if !r.json {
		return table(r.out, lines)
	}
	var err error
	for _, l := range lines {
		err = errors.Join(err, r.document(l))
	}
	return err
}
