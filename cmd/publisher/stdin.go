package main

import (
	"context"
	"io"
)

// patientReader reads what may never come, until ctx ends.
type patientReader struct {
	ctx    context.Context //nolint:containedctx // io.Reader has no place for it
	chunks chan chunk
	rest   chunk
}

type chunk struct {
	data []byte
	err  error
}

// newPatientReader begins to read. Its goroutine is the one that nobody waits
// for: nothing wakes a read of a terminal or an idle pipe but more input, and
// the process ends soon after ctx.
func newPatientReader(ctx context.Context, r io.Reader) *patientReader {
	p := &patientReader{ctx: ctx, chunks: make(chan chunk, 4)}
	go func() {
		for {
			b := make([]byte, 64<<10)
			n, err := r.Read(b)
			select {
			case p.chunks <- chunk{b[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return p
}

func (p *patientReader) Read(b []byte) (int, error) {
	for len(p.rest.data) == 0 {
		if p.rest.err != nil {
			return 0, p.rest.err
		}
		select {
		case p.rest = <-p.chunks:
		case <-p.ctx.Done():
			return 0, context.Cause(p.ctx)
		}
	}
	n := copy(b, p.rest.data)
	p.rest.data = p.rest.data[n:]
	return n, nil
}

// Close leaves the input to whoever gave it.
func (p *patientReader) Close() error { return nil }
