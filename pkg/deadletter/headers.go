package deadletter

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/custsync/custsync/pkg/sinks"
)

// Headers of a stored letter (contract). The event is the body.
const (
	headerReason      = "Custsync-Reason"
	headerVersion     = "Custsync-Version"
	headerSeq         = "Custsync-Seq"
	headerErrors      = "Custsync-Errors"
	headerMessage     = "Custsync-Provider-Message"
	headerAttempts    = "Custsync-Attempts"
	headerFirstAt     = "Custsync-First-At"
	headerLastAt      = "Custsync-Last-At"
	headerFingerprint = "Custsync-Fingerprint"
)

// Bounds that keep all headers of a letter within 32 KiB.
const (
	maxErrors  = 24 << 10 // bytes of the field errors' JSON
	maxMessage = 4 << 10  // bytes of the provider's words
	// MaxRow is what is kept of a request row; a longer one is left out, since
	// half a row helps nobody.
	MaxRow = 256 << 10
)

// Headers are the letter's headers. Field errors and the provider's words are
// cut where they are too long.
func (l *Letter) Headers() (map[string][]string, error) {
	fields, err := capped(l.Errors)
	if err != nil {
		return nil, fmt.Errorf("encode the field errors: %w", err)
	}
	h := map[string][]string{
		headerReason:      {string(l.Reason)},
		headerVersion:     {strconv.FormatInt(l.Version, 10)},
		headerSeq:         {strconv.FormatUint(l.Seq, 10)},
		headerAttempts:    {strconv.Itoa(l.Attempts)},
		headerFirstAt:     {l.FirstAt.UTC().Format(time.RFC3339Nano)},
		headerLastAt:      {l.LastAt.UTC().Format(time.RFC3339Nano)},
		headerFingerprint: {l.Fingerprint},
		headerErrors:      {fields},
	}
	if m := Line(l.Message, maxMessage); m != "" {
		h[headerMessage] = []string{m}
	}
	return h, nil
}

// ReadHeaders fills in what Headers told; get returns a header's value.
func (l *Letter) ReadHeaders(get func(name string) string) error {
	var wrong []error
	must := func(name string, err error) {
		if err != nil {
			wrong = append(wrong, fmt.Errorf("header %s: %w", name, err))
		}
	}
	var err error
	l.Reason = Reason(get(headerReason))
	if l.Reason == "" {
		wrong = append(wrong, fmt.Errorf("header %s is missing", headerReason))
	}
	l.Version, err = strconv.ParseInt(get(headerVersion), 10, 64)
	must(headerVersion, err)
	l.Seq, err = strconv.ParseUint(get(headerSeq), 10, 64)
	must(headerSeq, err)
	l.Attempts, err = strconv.Atoi(get(headerAttempts))
	must(headerAttempts, err)
	l.FirstAt, err = time.Parse(time.RFC3339Nano, get(headerFirstAt))
	must(headerFirstAt, err)
	l.LastAt, err = time.Parse(time.RFC3339Nano, get(headerLastAt))
	must(headerLastAt, err)
	l.Errors = nil
	if e := get(headerErrors); e != "" {
		must(headerErrors, json.Unmarshal([]byte(e), &l.Errors))
	}
	l.Message = get(headerMessage)
	l.Fingerprint = get(headerFingerprint)
	return errors.Join(wrong...)
}

// capped is the JSON of as many of the errors as there is room for. What a
// single one says is cut before it is left out.
func capped(fields []sinks.FieldError) (string, error) {
	b := []byte{'['}
	for i, f := range fields {
		one, err := json.Marshal(sinks.FieldError{Field: Line(f.Field, 256), Message: Line(f.Message, 1<<10)})
		if err != nil {
			return "", err
		}
		if len(b)+len(one)+2 > maxErrors {
			break
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, one...)
	}
	return string(append(b, ']')), nil
}

// Line is s as one line of valid UTF-8 of at most size bytes, since a header
// ends with its line.
func Line(s string, size int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.TrimSpace(s)
	if len(s) <= size {
		return s
	}
	n := size - len("…")
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
