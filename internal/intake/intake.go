// Package intake reads customers' changes as shops have them and makes events of
// them: NDJSON of events and bare customers, and CSV, compressed or not, in the
// character sets of real exports.
//
// Promises: a line that can't be used never costs its neighbours; what is read
// as an event is published as it stood; nothing is guessed at where a wrong guess
// would change a customer; memory is bounded by MaxLine, whatever the input;
// reasons name lines and fields, and never repeat a customer's data.
package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/custsync/custsync/pkg/events"
)

// MaxLine bounds a line, and a CSV record of several lines: twice the largest
// event, since CSV may double quotes and JSON may hold white space.
const MaxLine = 2 * events.MaxSize

// Format is how an input is written.
type Format string

const (
	Auto   Format = ""
	NDJSON Format = "ndjson"
	CSV    Format = "csv"
)

// Options say how an input is read. The zero value finds out.
type Options struct {
	Format   Format
	Encoding Encoding
	Columns  Columns        // CSV: header names of the file, and what they mean
	Null     string         // CSV: a cell that clears its field; empty: there is none
	Zone     *time.Location // CSV: of times without a zone; nil: such times are refused
	Plain    bool           // never packed, so that what comes is as long as it seems
	Notice   func(string)   // told once of what may be a mistake; nil: nobody
}

// Position is a place between two records.
type Position struct {
	Line   int   // lines before it
	Offset int64 // bytes before it, in UTF-8
}

// Record is one customer's line, or lines in CSV.
type Record struct {
	Line int      // number of its first line, from 1
	End  Position // right behind it
	Text []byte   // as it stood, in UTF-8, without the line's end; cut if longer than MaxLine
	Doc  []byte   // JSON: an event or a bare customer
	Shop string   // named beside Doc; empty: not named
	Err  error    // why Doc is missing
}

// Reader reads an input record by record.
type Reader struct {
	text   *text
	lines  *lines
	table  *table // of CSV
	closer func()
}

// Open reads on from a position that an earlier Reader of the same input told;
// the zero position is the start. The name helps to tell the format.
func Open(input io.Reader, name string, o Options, from Position) (*Reader, error) {
	plain, closer := input, func() {}
	if !o.Plain {
		var err error
		if plain, closer, err = decompress(input); err != nil {
			return nil, err
		}
	}
	r := &Reader{closer: closer}
	if err := r.open(plain, name, o, from); err != nil {
		closer()
		return nil, err
	}
	return r, nil
}

func (r *Reader) open(plain io.Reader, name string, o Options, from Position) error {
	// The buffer must hold enough to tell the format from, however slowly it comes.
	buffered := bufio.NewReaderSize(plain, chunk)
	r.text = &text{in: buffered, encoding: o.Encoding}
	if err := r.text.begin(); err != nil {
		return err
	}
	format := o.Format
	if format == Auto {
		format = detect(name, r.text)
	}
	r.lines = newLines(r.text)
	if format == NDJSON && r.text.encoding == Auto8 {
		r.text.encoding = UTF8 // JSON has no other, and a broken byte must not make it one
	}
	if format == CSV {
		var err error
		if r.table, err = openTable(r.lines, o); err != nil {
			return err
		}
	}
	return r.lines.skip(from)
}

// Encoding is the character set, Auto8 as long as all was ASCII.
func (r *Reader) Encoding() Encoding { return r.text.encoding }

// Close gives back what the reader holds; the input stays open.
func (r *Reader) Close() { r.closer() }

// Next returns the next record that holds anything, io.EOF at the end. Any other
// error ends the input; what a record lacks is told in the record.
func (r *Reader) Next() (Record, error) {
	for {
		if r.table != nil {
			rec, err := r.table.next()
			if err != nil || rec.Doc != nil || rec.Err != nil {
				return rec, err
			}
			continue
		}
		l, err := r.lines.next()
		if err != nil {
			return Record{}, err
		}
		rec := Record{Line: l.number, End: l.end, Text: l.text, Err: l.err}
		if rec.Err == nil {
			rec.Doc = bytes.TrimSpace(l.text)
		}
		if rec.Err != nil || len(rec.Doc) > 0 {
			return rec, nil
		}
	}
}

// detect tells the format by the name, else by what the text starts with.
func detect(name string, t *text) Format {
	name = strings.ToLower(name)
	for _, suffix := range []string{".gz", ".gzip", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, suffix)
	}
	switch path.Ext(name) {
	case ".csv", ".tsv":
		return CSV
	case ".ndjson", ".jsonl", ".json":
		return NDJSON
	}
	return t.looksLike()
}

// decompress sees by the first bytes what the input is packed with.
func decompress(input io.Reader) (plain io.Reader, closer func(), err error) {
	buffered := bufio.NewReaderSize(input, chunk)
	magic, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("read: %w", err)
	}
	return unpack(buffered, magic)
}
