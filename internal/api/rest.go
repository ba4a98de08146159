package api

import (
	"context"
	"net/http"

	"github.com/custsync/custsync/internal/ops"
)

func (s *Server) destinations(x *exchange) error {
	view, err := s.overview(x.req.Context(), x.desk())
	if err != nil {
		return err
	}
	return x.answer(view)
}

// overview is how the destinations are, with what waits and what is dead.
func (s *Server) overview(ctx context.Context, desk *ops.Desk) (*ops.Overview, error) {
	board, err := s.Streams.Board(ctx)
	if err != nil {
		return nil, err
	}
	view := desk.Overview(board)
	for i := range view.Destinations {
		if err := desk.Count(ctx, board, &view.Destinations[i].DestinationStatus); err != nil {
			return nil, err
		}
	}
	return view, nil
}

type acted struct {
	Name     string `json:"name"`
	Was      string `json:"was"`
	Accepted string `json:"accepted,omitempty"` // what was wrong with the streams
}

func (s *Server) pause(x *exchange) error {
	note, err := x.note()
	if err != nil {
		return err
	}
	name := x.req.PathValue("destination")
	if err := x.desk().Pause(x.req.Context(), name, note); err != nil {
		return err
	}
	return x.answer(acted{Name: name, Was: string(ops.WasOpen)})
}

func (s *Server) resume(x *exchange) error {
	var ask struct {
		Note   string `json:"note"`
		Accept bool   `json:"accept"`
	}
	if err := x.body(&ask, false); err != nil {
		return err
	}
	note, err := checkNote(ask.Note)
	if err != nil {
		return err
	}
	name := x.req.PathValue("destination")
	if !ask.Accept {
		was, err := x.desk().Resume(x.req.Context(), name, note)
		if err != nil {
			return err
		}
		return x.answer(acted{Name: name, Was: string(was)})
	}
	accepted, err := x.desk().Accept(x.req.Context(), name, note)
	if err != nil {
		return err
	}
	was := ops.WasOpen
	if accepted != "" {
		was = ops.WasClosed
	}
	return x.answer(acted{name, string(was), accepted})
}

func (s *Server) customer(x *exchange) error {
	st, err := x.desk().Customer(x.req.Context(), x.req.PathValue("shop"), x.req.PathValue("customer"))
	if err != nil {
		return err
	}
	return x.answer(st)
}

// historyView is a customer's kept states, masked or not.
type historyView struct {
	ops.History
	Masked bool   `json:"masked"`
	Grant  string `json:"grant,omitempty"`
}

func (s *Server) customerHistory(x *exchange) error {
	h, err := x.desk().History(x.req.Context(), x.req.PathValue("shop"), x.req.PathValue("customer"))
	if err != nil {
		return err
	}
	view := historyView{History: *h}
	if !x.granted(h.Shop, h.Customer) {
		view.Masked = true
		for i := range view.States {
			view.States[i].Event = hideEvent(view.States[i].Event)
		}
	}
	return x.answer(view)
}

func (s *Server) unmaskCustomer(x *exchange) error {
	note, err := x.note()
	if err != nil {
		return err
	}
	h, err := x.desk().History(x.req.Context(), x.req.PathValue("shop"), x.req.PathValue("customer"))
	if err != nil {
		return err
	}
	if err := x.desk().Unmask(x.req.Context(), "", h.Shop, h.Customer, note); err != nil {
		return err
	}
	return x.answer(historyView{History: *h, Grant: s.grant(h.Shop, h.Customer)})
}

func (s *Server) audit(x *exchange) error {
	audit, err := x.desk().Audit(x.req.Context(), nil)
	if err != nil {
		return err
	}
	return x.answer(audit)
}

func (s *Server) workers(x *exchange) error {
	board, err := s.Streams.Board(x.req.Context())
	if err != nil {
		return err
	}
	return x.answer(x.desk().BoardWorkers(board))
}

func (s *Server) actions(x *exchange) error {
	limit, before, err := x.page()
	if err != nil {
		return err
	}
	list, place, err := x.desk().Actions(x.req.Context(), x.given["verb"], x.given["destination"], before, limit)
	if err != nil {
		return err
	}
	if list == nil {
		list = []ops.Action{}
	}
	return x.answer(struct {
		Actions []ops.Action `json:"actions"`
		Next    *string      `json:"next"`
	}{list, next(place)})
}

func (s *Server) history(x *exchange) error {
	return x.answer(struct {
		History map[string][]sample `json:"history"`
	}{s.live.history()})
}

func (s *Server) follow(x *exchange) error {
	x.w.Header().Set("Content-Type", "text/event-stream")
	x.begin(http.StatusOK)
	return s.live.serve(x)
}
