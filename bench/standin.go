package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// manner is how a stand-in answers; the zero manner is at once and with yes.
type manner struct {
	Delay  time.Duration // from what has come to its answer
	Refuse float64       // share of rows that it does not take and answers with 503, 0 to 1
	Down   bool          // it answers every call with 503
	Times  bool          // it keeps when calls came and how long stamped rows were under way
}

func (m manner) flags() []string {
	return []string{
		fmt.Sprintf("--delay=%v", m.Delay), fmt.Sprintf("--refuse=%v", m.Refuse),
		fmt.Sprintf("--down=%t", m.Down), fmt.Sprintf("--times=%t", m.Times),
	}
}

// newStandInCommand is a Thulium that keeps no more than which version of which
// customer came, as a child. The stand-ins of the demo keep everything that they
// were given, which would be measured too.
func newStandInCommand() *cobra.Command {
	var m manner
	cmd := &cobra.Command{
		Use:    "stand-in",
		Short:  "Run the provider of a benchmark",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			s := newStandIn(m)
			srv := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
			served := make(chan error, 1)
			go func() { served <- srv.Serve(listener) }()
			err = answerParent(cmd.InOrStdin(), cmd.OutOrStdout(), "http://"+listener.Addr().String(), func() any { return s.state() })
			err = errors.Join(err, srv.Close())
			if end := <-served; !errors.Is(end, http.ErrServerClosed) {
				err = errors.Join(err, end)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.DurationVar(&m.Delay, "delay", 0, "from what has come to its answer")
	f.Float64Var(&m.Refuse, "refuse", 0, "share of rows to refuse for now")
	f.BoolVar(&m.Down, "down", false, "answer every call with 503")
	f.BoolVar(&m.Times, "times", false, "keep when calls came and how long rows were under way")
	return cmd
}

// standIn answers Thulium's calls.
type standIn struct {
	manner

	mu   sync.Mutex
	dice *rand.Rand
	held []int32 // the version of each customer; 0: not there
	told standInState
}

func newStandIn(m manner) *standIn {
	return &standIn{manner: m, dice: rand.New(rand.NewPCG(1, 2))}
}

// standInState is what the stand-in has seen so far.
type standInState struct {
	Calls     int           `json:"calls"`     // of batches
	Rows      int           `json:"rows"`      // in them
	Customers int           `json:"customers"` // different ones that it holds
	Versions  int           `json:"versions"`  // the sum of the versions that it holds
	Raised    int           `json:"raised"`    // rows that brought a newer version
	Refused   int           `json:"refused"`   // rows
	Back      int           `json:"back"`      // rows that brought an older version
	Twice     int           `json:"twice"`     // rows that created a customer who was there
	Strange   int           `json:"strange"`   // calls and rows that none of this can be said of
	First     time.Time     `json:"first"`     // when the first call came
	Last      time.Time     `json:"last"`      // when the newest row came that brought a newer version
	CPU       time.Duration `json:"cpu"`
	Came      []call        `json:"came"`  // with Times only
	Waits     []int64       `json:"waits"` // microseconds from a row's stamp; with Times only
}

// call is a call that came.
type call struct {
	At   int64 `json:"at"` // nanoseconds since 1970
	Rows int   `json:"rows"`
}

func (s *standIn) state() standInState {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told
	told.Came, told.Waits = slices.Clone(told.Came), slices.Clone(told.Waits)
	told.CPU = cpuOfSelf()
	return told
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller went away
	}
	var answer []byte
	switch {
	case s.Down:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case r.URL.Path == "/api/batch/customers":
		answer = s.batch(r.Method == http.MethodPost, readRows(body), time.Now())
	case r.URL.Path == "/api/customers" && r.Method == http.MethodGet:
		answer = s.find(r.URL.Query().Get("identifier"))
	default:
		s.mu.Lock()
		s.told.Strange++
		s.mu.Unlock()
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if s.Delay > 0 {
		answered := time.NewTimer(s.Delay)
		defer answered.Stop()
		select {
		case <-answered.C:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(answer)
}

// batch takes a batch in and returns the answer.
func (s *standIn) batch(create bool, rows []row, now time.Time) []byte {
	answer := make([]byte, 0, 64*len(rows)+2)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told.Calls++
	s.told.Rows += len(rows)
	if s.told.First.IsZero() {
		s.told.First = now
	}
	if s.Times {
		s.told.Came = append(s.told.Came, call{now.UnixNano(), len(rows)})
	}
	answer = append(answer, '{')
	for i, r := range rows {
		if i > 0 {
			answer = append(answer, ',')
		}
		answer = append(answer, '"')
		answer = strconv.AppendInt(answer, int64(i), 10)
		if s.Refuse > 0 && s.dice.Float64() < s.Refuse {
			s.told.Refused++
			answer = append(answer, `":{"http_status":503,"message":"busy"}`...)
			continue
		}
		s.take(create, r, now)
		answer = append(answer, `":{"http_status":201,"customer_id":"`...)
		answer = strconv.AppendInt(answer, int64(r.customer)+1, 10)
		answer = append(answer, `"}`...)
	}
	return append(answer, '}')
}

// take notes a row that is taken.
func (s *standIn) take(create bool, r row, now time.Time) {
	if r.customer < 0 || r.version <= 0 {
		s.told.Strange++
		return
	}
	for r.customer >= len(s.held) {
		s.held = append(s.held, 0)
	}
	held := &s.held[r.customer]
	if create && *held > 0 {
		s.told.Twice++
	}
	version := int32(r.version)
	switch {
	case version == *held:
		return
	case version < *held:
		s.told.Back++
	default:
		if *held == 0 {
			s.told.Customers++
		}
		s.told.Raised++
		s.told.Last = now
		if s.Times && r.stamp > 0 {
			s.told.Waits = append(s.told.Waits, (now.UnixNano()-r.stamp)/1e3)
		}
	}
	s.told.Versions += int(version - *held)
	*held = version
}

// find answers a search by identifier.
func (s *standIn) find(identifier string) []byte {
	n := customerOf([]byte(identifier))
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 0 || n >= len(s.held) || s.held[n] == 0 {
		return []byte("[]")
	}
	answer, err := json.Marshal([]map[string]any{{"customer_id": n + 1, "identifier": identifier}})
	if err != nil {
		return nil // can't be, of a text and a number
	}
	return answer
}

// row is what a stand-in reads of a row; -1 or 0 is what it could not read.
type row struct {
	customer, version int
	stamp             int64
}

// readRows reads the rows of a request, in their order. It relies on what the
// sink writes: a row's note comes after its identifier.
func readRows(body []byte) []row {
	mark := []byte(`"identifier":"`)
	var rows []row
	_, rest, found := bytes.Cut(body, mark)
	for found {
		var text []byte
		text, rest, found = bytes.Cut(rest, mark)
		identifier, _, _ := bytes.Cut(text, []byte(`"`))
		_, note, _ := bytes.Cut(text, []byte(`"note":"`))
		version, note, _ := bytes.Cut(note, []byte(" "))
		stamp, _, _ := bytes.Cut(note, []byte(" "))
		r := row{customer: customerOf(identifier)}
		r.version, _ = strconv.Atoi(string(version))
		r.stamp, _ = strconv.ParseInt(string(stamp), 10, 64)
		rows = append(rows, r)
	}
	return rows
}

// customerOf is the number of the customer with this identifier; -1: none.
func customerOf(identifier []byte) int {
	digits, ok := bytes.CutPrefix(identifier, []byte("c"))
	n, err := strconv.Atoi(string(digits))
	if !ok || err != nil {
		return -1
	}
	return n
}
