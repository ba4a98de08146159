package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

var errTooLong = fmt.Errorf("longer than %d KiB", MaxLine>>10)

// line is one line of text.
type line struct {
	number int
	end    Position
	text   []byte // without the line's end; its own memory, kept only as far as an error needs it
	err    error
}

// lines reads lines and counts them.
type lines struct {
	r    *bufio.Reader
	at   Position
	held []line // handed back, to be read again
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, chunk)} }

// next returns the next line, io.EOF after the last.
func (l *lines) next() (line, error) {
	if len(l.held) > 0 {
		first := l.held[0]
		l.held = l.held[1:]
		return first, nil
	}
	out := line{number: l.at.Line + 1}
	part, err := l.r.ReadSlice('\n')
	size := len(part)
	out.text = bytes.Clone(part)
	for errors.Is(err, bufio.ErrBufferFull) {
		part, err = l.r.ReadSlice('\n')
		size += len(part)
		if size <= MaxLine {
			out.text = append(out.text, part...)
		} else {
			out.err = errTooLong
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return line{}, fmt.Errorf("read line %d: %w", out.number, err)
	}
	if size == 0 {
		return line{}, io.EOF
	}
	l.at = Position{Line: out.number, Offset: l.at.Offset + int64(size)}
	out.end = l.at
	if out.err == nil {
		out.text = bytes.TrimSuffix(bytes.TrimSuffix(out.text, []byte("\n")), []byte("\r"))
	}
	return out, nil
}

// back hands lines back, to be read again.
func (l *lines) back(again []line) { l.held = append(again, l.held...) }

// skip moves on to a position behind what was read already.
func (l *lines) skip(to Position) error {
	if to.Offset <= l.at.Offset {
		return nil
	}
	if _, err := io.CopyN(io.Discard, l.r, to.Offset-l.at.Offset); err != nil {
		return fmt.Errorf("go on at line %d: %w", to.Line+1, err)
	}
	l.at = to
	return nil
}
