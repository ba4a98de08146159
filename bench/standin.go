package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// newStandInCommand is a Thulium that answers at once and keeps no more than
// which customers came, as a child. The stand-ins of the demo keep everything
// that they were given, which would be measured too.
func newStandInCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "stand-in",
		Short:  "Run the provider of a benchmark",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			s := &standIn{}
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
}

// standIn answers Thulium's batches with 201 for every row. The zero standIn is
// ready to use.
type standIn struct {
	mu   sync.Mutex
	came []uint64 // bit i: the i-th customer came
	told standInState
}

// standInState is what the stand-in has seen so far.
type standInState struct {
	Calls     int           `json:"calls"`
	Rows      int           `json:"rows"`
	Customers int           `json:"customers"` // different ones
	Strange   int           `json:"strange"`   // calls that are no batch
	First     time.Time     `json:"first"`     // when the first customer came
	Last      time.Time     `json:"last"`      // when the newest different customer came
	CPU       time.Duration `json:"cpu"`
}

func (s *standIn) state() standInState {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told
	told.CPU = cpuOfSelf()
	return told
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller went away
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if r.URL.Path != "/api/batch/customers" {
		s.mu.Lock()
		s.told.Strange++
		s.mu.Unlock()
		_, _ = w.Write([]byte("[]")) // a search that finds nobody; an error is the caller's
		return
	}
	_, _ = w.Write(s.batch(body))
}

// batch notes the rows of a batch and returns the answer.
func (s *standIn) batch(body []byte) []byte {
	var numbers []int
	for rest := body; ; {
		_, tail, found := bytes.Cut(rest, []byte(`"identifier":"c`))
		if !found {
			break
		}
		text, after, _ := bytes.Cut(tail, []byte(`"`))
		n, err := strconv.Atoi(string(text))
		if err != nil {
			n = -1
		}
		numbers, rest = append(numbers, n), after
	}

	answer := make([]byte, 0, 64*len(numbers)+2)
	answer = append(answer, '{')
	for i, n := range numbers {
		if i > 0 {
			answer = append(answer, ',')
		}
		answer = append(answer, '"')
		answer = strconv.AppendInt(answer, int64(i), 10)
		answer = append(answer, `":{"http_status":201,"customer_id":"`...)
		answer = strconv.AppendInt(answer, int64(n)+1, 10)
		answer = append(answer, `"}`...)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.told.Calls++
	s.told.Rows += len(numbers)
	for _, n := range numbers {
		s.note(n)
	}
	return append(answer, '}')
}

// note marks a customer as come.
func (s *standIn) note(n int) {
	if n < 0 {
		return
	}
	word, bit := n/bits.UintSize, uint64(1)<<(n%bits.UintSize)
	for word >= len(s.came) {
		s.came = append(s.came, 0)
	}
	if s.came[word]&bit == 0 {
		s.came[word] |= bit
		s.told.Customers++
		s.told.Last = time.Now()
		if s.told.Customers == 1 {
			s.told.First = s.told.Last
		}
	}
}
