package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/mapping"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/sinks"
)

// rendered is what one destination would do with one customer.
type rendered struct {
	Line        int                `json:"line"`
	Destination string             `json:"destination"`
	Shop        string             `json:"shop,omitempty"`
	Customer    string             `json:"customer,omitempty"`
	Would       string             `json:"would"` // send, delete, filter, refuse
	Reason      string             `json:"reason,omitempty"`
	Errors      []sinks.FieldError `json:"errors,omitempty"`
	Message     string             `json:"message,omitempty"`
	Row         json.RawMessage    `json:"row,omitempty"`
}

// preview is a destination without its network.
type preview struct {
	config   *config.Destination
	renderer *mapping.Renderer
}

// renderFile prints what every destination would send for each line of a file,
// an event or a bare customer, without any network. A row that would be refused
// is told, and is no failure of the verb.
func renderFile(w io.Writer, form cli.Output, cfg *config.Config, path, shop string) error {
	var previews []preview
	for i := range cfg.Destinations {
		d := &cfg.Destinations[i]
		sink, err := newSink(d, sinks.Caller{})
		if err != nil {
			return fmt.Errorf("open %s: %w", d.Name, err)
		}
		renderer, _ := newRenderer(d, sink)
		previews = append(previews, preview{d, renderer})
	}
	f, err := os.Open(path)
	if err != nil {
		return &cli.UsageError{Err: err}
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 2*events.MaxSize)
	for n := 1; lines.Scan(); n++ {
		data := bytes.TrimSpace(lines.Bytes())
		if len(data) == 0 {
			continue
		}
		for _, p := range previews {
			r := p.render(data, shop, time.Now())
			r.Line, r.Destination = n, p.config.Name
			if err := r.write(w, form); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// render makes the row of one line.
func (p *preview) render(data []byte, shop string, now time.Time) rendered {
	if shop == "" && len(p.config.Shops) > 0 {
		shop = p.config.Shops[0]
	} else if shop == "" {
		shop = "shop"
	}
	ev, err := readLine(data, shop, now)
	if err != nil {
		out := rendered{Would: "refuse", Reason: events.Undecodable, Message: err.Error()}
		if e, ok := errors.AsType[*events.DecodeError](err); ok {
			out.Reason, out.Message = e.Reason, e.Error()
		}
		return out
	}
	out := rendered{Shop: ev.Shop, Customer: ev.Customer.ID}
	made, err := p.renderer.Render(ev)
	out.judge(ev, made, err)
	return out
}

// judge says what becomes of a row that was made.
func (r *rendered) judge(ev *events.Event, made pipeline.Rendered, err error) {
	switch {
	case err != nil:
		r.Would, r.Reason, r.Message = "refuse", "mapping", err.Error()
	case !made.Admitted:
		r.Would = "filter"
	case ev.Type == events.Deleted:
		r.Would = "delete"
	case len(made.Errors) > 0:
		r.Would, r.Reason, r.Errors, r.Row = "refuse", "invalid", made.Errors, made.Body
	default:
		r.Would, r.Row = "send", made.Body
	}
}

// readLine reads an event, or wraps a bare customer of that shop into one.
func readLine(data []byte, shop string, now time.Time) (*events.Event, error) {
	var head struct {
		SpecVersion *string `json:"specversion"`
		Source      string  `json:"source"`
		Subject     string  `json:"subject"`
		ID          string  `json:"id"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, errors.New("is neither an event nor a customer, an object whose id is a text") // its own words repeat values
	}
	customer := head.Subject
	if head.SpecVersion == nil {
		customer = head.ID
		doc, err := json.Marshal(map[string]any{
			"specversion": "1.0", "id": "render", "source": "/shops/" + shop, "type": events.Changed,
			"subject": customer, "time": now, "data": json.RawMessage(data),
		})
		if err != nil {
			return nil, errors.New("is no customer in JSON")
		}
		data = doc
	} else if name, ok := bytes.CutPrefix([]byte(head.Source), []byte("/shops/")); ok {
		shop = string(name)
	}
	if shop == "" || customer == "" {
		return nil, errors.New("has no shop or no customer id")
	}
	ev := &events.Event{}
	return ev, events.Decode(bytes.Clone(data), events.EscapeToken(shop), events.EscapeToken(customer), now, ev)
}

// write prints one row, as a line of JSON or for people.
func (r *rendered) write(w io.Writer, form cli.Output) error {
	if form == cli.JSON {
		return cli.WriteJSON(w, r)
	}
	fmt.Fprintf(w, "line %d", r.Line)
	if r.Customer != "" {
		fmt.Fprintf(w, " %s/%s", r.Shop, r.Customer)
	}
	fmt.Fprintf(w, " at %s: would %s", r.Destination, r.Would)
	if r.Reason != "" {
		fmt.Fprintf(w, " (%s)", r.Reason)
	}
	if r.Message != "" {
		fmt.Fprintf(w, ": %s", r.Message)
	}
	fmt.Fprintln(w)
	for _, e := range r.Errors {
		fmt.Fprintf(w, "  %s %s\n", e.Field, e.Message)
	}
	if r.Row != nil {
		fmt.Fprintf(w, "  %s\n", r.Row)
	}
	return nil
}
