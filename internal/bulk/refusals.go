package bulk

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"
)

// Refusal is a line that was not published.
type Refusal struct {
	File   string
	Line   int
	Reason string // names fields, and never repeats a customer's data
	Raw    []byte // the line itself, which is the user's own
}

// entry is how a refusal stands in its file.
type entry struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Reason string `json:"reason"`
	Raw    string `json:"raw,omitempty"`
	Base64 string `json:"raw_base64,omitempty"`
}

// entry keeps a line that is no valid text byte by byte.
func (r *Refusal) entry() entry {
	out := entry{File: r.File, Line: r.Line, Reason: r.Reason}
	if utf8.Valid(r.Raw) {
		out.Raw = string(r.Raw)
	} else {
		out.Base64 = base64.StdEncoding.EncodeToString(r.Raw)
	}
	return out
}

// Refusals is a file of refused lines. It is there only while there are some.
// Jobs may share it one after the other.
type Refusals struct {
	Path string
	Keep bool // what is there already belongs to jobs that go on

	begun bool
	file  *os.File
	size  int64
}

// begin makes the file ready for a job, whose earlier runs settled this much.
func (r *Refusals) begin(settled int64) error {
	if r.begun {
		return nil
	}
	r.begun = true
	if settled == 0 && !r.Keep {
		if err := r.forget(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove refused lines of an earlier run: %w", err)
		}
		return nil
	}
	info, err := os.Stat(r.Path)
	if err != nil || !info.Mode().IsRegular() {
		return nil // moved away: what comes now is written to a new one
	}
	r.size = info.Size()
	if !r.Keep && settled < r.size {
		// Written, but not settled: these lines are read again.
		r.size = settled
		if err := os.Truncate(r.Path, settled); err != nil {
			return fmt.Errorf("go on with refused lines: %w", err)
		}
	}
	return nil
}

// forget takes away what an earlier run wrote, and nothing else: a link stays, and
// so does what is no file, such as /dev/null.
func (r *Refusals) forget() error {
	info, err := os.Lstat(r.Path)
	switch {
	case err != nil:
		return err
	case info.Mode().IsRegular():
		return os.Remove(r.Path)
	}
	if info, err = os.Stat(r.Path); err == nil && info.Mode().IsRegular() {
		return os.Truncate(r.Path, 0)
	}
	return err
}

// write adds refusals and returns the file's size.
func (r *Refusals) write(list []*Refusal) (int64, error) {
	if len(list) == 0 {
		return r.size, nil
	}
	if r.file == nil {
		var err error
		if r.file, err = os.OpenFile(r.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return r.size, err
		}
	}
	counted := &counter{w: r.file}
	w := bufio.NewWriter(counted)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, refusal := range list {
		if err := encoder.Encode(refusal.entry()); err != nil {
			return r.size, err
		}
	}
	err := w.Flush()
	r.size += counted.n
	return r.size, err
}

// Close closes the file.
func (r *Refusals) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
