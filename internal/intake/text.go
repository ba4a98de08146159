package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Encoding is a character set.
type Encoding string

const (
	Auto8       Encoding = "" // found by a byte order mark, else by the first bytes beyond ASCII
	UTF8        Encoding = "utf-8"
	UTF16       Encoding = "utf-16" // by its byte order mark only
	Windows1251 Encoding = "windows-1251"
)

// ParseEncoding reads the name of a character set.
func ParseEncoding(name string) (Encoding, error) {
	switch e := Encoding(name); e {
	case "auto":
		return Auto8, nil
	case Auto8, UTF8, UTF16, Windows1251:
		return e, nil
	}
	return "", errors.New("want auto, utf-8, utf-16 or windows-1251")
}

const chunk = 64 << 10

// text turns an input into UTF-8. While all is ASCII it leaves open what the
// encoding is, so that an input which comes slowly is read as it comes.
type text struct {
	in       *bufio.Reader
	encoding Encoding
	out      io.Reader // once the encoding needs a conversion
}

// begin looks for a byte order mark and removes it.
func (t *text) begin() error {
	mark, err := t.in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read: %w", err)
	}
	switch {
	case bytes.HasPrefix(mark, []byte("\xef\xbb\xbf")):
		if _, err := t.in.Discard(3); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		t.encoding = UTF8
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		t.encoding = UTF16
	}
	t.convert()
	return nil
}

func (t *text) convert() {
	switch t.encoding {
	case UTF16:
		t.out = transform.NewReader(t.in, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder())
	case Windows1251:
		t.out = transform.NewReader(t.in, charmap.Windows1251.NewDecoder())
	case Auto8, UTF8:
	}
}

// looksLike tells the format by the first line that is not blank, and by what has
// come with it: a line that begins as JSON does makes it NDJSON, even behind one
// that is neither; CSV needs a header of several columns, or the customer's id.
func (t *text) looksLike() Format {
	begin, end := -1, chunk
	for n := 1; n <= chunk; n++ {
		seen, err := t.in.Peek(n)
		if err != nil {
			end = len(seen)
			break
		}
		c := seen[n-1]
		if begin < 0 && strings.IndexByte(blank, c) < 0 {
			if c == '{' || c == '[' {
				return NDJSON
			}
			begin = n - 1
		}
		if begin >= 0 && c == '\n' {
			end = n
			break
		}
	}
	if begin < 0 {
		return NDJSON
	}
	seen, _ := t.in.Peek(t.in.Buffered()) // no more than has come
	header, rest := seen[begin:end], seen[end:]
	for line := range bytes.Lines(rest) {
		if line = bytes.TrimLeft(line, blank); len(line) > 0 && (line[0] == '{' || line[0] == '[') {
			return NDJSON
		}
	}
	header = bytes.Trim(bytes.ReplaceAll(header, []byte{0}, nil), blank+`"`)
	if bytes.ContainsAny(header, ";,\t|") || strings.EqualFold(string(header), "id") {
		return CSV
	}
	return NDJSON
}

// blank is white space, a byte order mark, and the other halves of UTF-16.
const blank = " \t\r\n\x00\xfe\xff"

func (t *text) Read(b []byte) (int, error) {
	if t.encoding == Auto8 {
		if ascii := t.settle(); ascii > 0 {
			return t.in.Read(b[:min(len(b), ascii)])
		}
	}
	if t.out != nil {
		return t.out.Read(b)
	}
	return t.in.Read(b)
}

// settle finds the encoding out, or returns how much can be read without knowing.
func (t *text) settle() (ascii int) {
	for want := 1; ; {
		if _, err := t.in.Peek(want); err != nil && want > 1 {
			t.encoding = Windows1251 // the input ends amid what could be a character of UTF-8
		}
		seen, _ := t.in.Peek(t.in.Buffered())
		if t.encoding == Auto8 {
			t.encoding = guess(seen)
		}
		if t.encoding != Auto8 {
			t.convert()
			return 0
		}
		for ascii < len(seen) && seen[ascii] < utf8.RuneSelf {
			ascii++
		}
		if ascii > 0 || len(seen) == 0 {
			return ascii
		}
		want = len(seen) + 1
	}
}

// guess tells UTF-8 from Windows-1251 by which of them the bytes beyond ASCII
// are: letters of the latter hardly ever make up characters of the former. The
// majority decides, so that one broken byte does not garble a whole file.
func guess(seen []byte) Encoding {
	valid, invalid := 0, 0
	for i := 0; i < len(seen); {
		if seen[i] < utf8.RuneSelf {
			i++
			continue
		}
		if !utf8.FullRune(seen[i:]) {
			break // cut by the end of what was seen
		}
		r, n := utf8.DecodeRune(seen[i:])
		if r == utf8.RuneError && n == 1 {
			invalid++
		} else {
			valid++
		}
		i += n
	}
	switch {
	case invalid > valid:
		return Windows1251
	case valid > 0:
		return UTF8
	}
	return Auto8
}
