package ingress

import (
	_ "embed" // the OpenAPI document
	"net/http"
)

// health is what /healthz and /readyz say.
type health struct {
	Status string `json:"status"`
}

func (s *Server) healthz(x *exchange) { x.answer(http.StatusOK, health{"alive"}) }

func (s *Server) readyz(x *exchange) {
	switch {
	case s.closing.Load():
		x.unavailable("stopping")
	case !s.Conn.IsConnected():
		x.unavailable("NATS is away")
	default:
		x.answer(http.StatusOK, health{"ready"})
	}
}

//go:embed openapi.json
var openAPIDocument []byte

func (s *Server) openAPI(x *exchange) {
	x.w.Header().Set("Content-Type", "application/json")
	x.begin(http.StatusOK)
	x.w.Write(openAPIDocument) //nolint:errcheck // whoever asked is gone
}
