package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"
)

// filler replaces ${NAME} by the environment's value and ${file:NAME} by a
// file's content less one line end; $$ is a dollar sign. What is filled in is
// text: it can't add keys, and nothing in it is filled in again.
type filler struct {
	env      func(string) (string, bool)
	readFile func(string) ([]byte, error)
}

// fillError is a ${…} that can't be filled in.
type fillError struct{ message, hint string }

func (e *fillError) Error() string { return e.message }

func fillHint(err error) string {
	if e, ok := errors.AsType[*fillError](err); ok {
		return e.hint
	}
	return ""
}

// fill returns the text filled in, or an error and where in the text it is, in
// characters.
func (f filler) fill(text string) (string, int, error) {
	if !strings.Contains(text, "$") {
		return text, 0, nil
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch {
		case strings.HasPrefix(rest, "$$"):
			out.WriteByte('$')
			i++
		case strings.HasPrefix(rest, "${"):
			name, _, closed := strings.Cut(rest[2:], "}")
			value, err := f.value(name, closed)
			if err != nil {
				return "", utf8.RuneCountInString(text[:i]), err
			}
			out.WriteString(value)
			i += len(name) + 2
		default:
			out.WriteByte(text[i])
		}
	}
	return out.String(), 0, nil
}

func (f filler) value(name string, closed bool) (string, error) {
	if !closed {
		return "", &fillError{"${ without }", "close it, or write $${ for the characters themselves"}
	}
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		return f.file(path)
	}
	if !isVariable(name) {
		return "", &fillError{
			fmt.Sprintf("%q is not the name of a variable", name),
			"write ${NAME}, ${file:/path}, or $${ for the characters themselves",
		}
	}
	value, ok := f.env(name)
	if !ok {
		return "", &fillError{
			fmt.Sprintf("the environment variable %s is not set", name),
			"set it, or write ${file:/path} to read a file",
		}
	}
	return value, nil
}

func (f filler) file(path string) (string, error) {
	if path == "" {
		return "", &fillError{"${file:} names no file", "write ${file:/path}"}
	}
	data, err := f.readFile(path)
	if err != nil {
		return "", &fillError{fmt.Sprintf("the file %s can't be read: %v", path, cause(err)), "name a file that this user may read"}
	}
	data = bytes.TrimSuffix(data, []byte("\n"))
	return string(bytes.TrimSuffix(data, []byte("\r"))), nil
}

// cause is what the system said, without the path that a mistake names anyway.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

func isVariable(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// mask hides the ${…} of a file from the YAML parser, character by character,
// so that `{token: ${TOKEN}}` may be written without quotes and every column
// stays what it was.
type mask struct{ base rune }

// masked are the characters that mean something to YAML inside a plain text.
const masked = "{}[],:#"

// newMask chooses stand-ins from a private block that data has nothing of.
func newMask(data []byte) mask {
	for base := rune(0xE000); base < 0xF8F0; base += 16 {
		free := true
		for i := range masked {
			free = free && !bytes.ContainsRune(data, base+rune(i))
		}
		if free {
			return mask{base}
		}
	}
	return mask{}
}

func (m mask) cover(data []byte) []byte {
	if m.base == 0 || !bytes.Contains(data, []byte("${")) {
		return data
	}
	out := make([]byte, 0, len(data)+64)
	for {
		i := bytes.Index(data, []byte("${"))
		if i < 0 {
			return append(out, data...)
		}
		out = append(out, data[:i]...)
		data = data[i:]
		end := bytes.IndexAny(data, "}\n\"'")
		if end < 0 || data[end] != '}' {
			out, data = append(out, data[:2]...), data[2:]
			continue
		}
		for _, c := range data[:end+1] {
			if at := strings.IndexByte(masked, c); at >= 0 {
				out = utf8.AppendRune(out, m.base+rune(at))
			} else {
				out = append(out, c)
			}
		}
		data = data[end+1:]
	}
}

func (m mask) uncover(text string) string {
	if m.base == 0 {
		return text
	}
	return strings.Map(func(r rune) rune {
		if at := r - m.base; at >= 0 && int(at) < len(masked) {
			return rune(masked[at])
		}
		return r
	}, text)
}
