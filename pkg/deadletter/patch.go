package deadletter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"unicode/utf8"
)

// MaxPatch bounds a patch, in bytes.
const MaxPatch = 64 << 10

// Errors of CheckPatch; their words say what to do.
var (
	errPatchShape = errors.New("the patch is no JSON object: give a merge patch of the customer's data, such as {\"phone\":\"+48123456789\"}")
	errPatchText  = errors.New("the patch is no UTF-8: what it holds would reach the provider mangled")
	errPatchSize  = fmt.Errorf("the patch is larger than %d KiB", MaxPatch>>10)
)

// CheckPatch reads a JSON merge patch (RFC 7396) of a customer's data. Who the
// customer is, and at which version, is not a person's to change.
func CheckPatch(patch []byte) (map[string]any, error) {
	if len(patch) > MaxPatch {
		return nil, errPatchSize
	}
	if !utf8.Valid(patch) {
		return nil, errPatchText
	}
	value, err := decode(patch)
	if err != nil {
		return nil, fmt.Errorf("the patch is no JSON: %w", err)
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errPatchShape
	}
	for _, name := range []string{"id", "version"} {
		if _, there := object[name]; there {
			return nil, fmt.Errorf("the patch changes %q, which says what the letter is of: leave it out", name)
		}
	}
	return object, nil
}

// decode reads one JSON value and keeps its numbers as they are written.
func decode(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		if _, syntax := errors.AsType[*json.SyntaxError](err); syntax || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.New("it can't be read") // its own words repeat what is there
		}
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows it")
	}
	return value, nil
}

func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// merge applies a merge patch (RFC 7396) and returns the result. The target is
// not to be used any more.
func merge(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	for name, value := range p {
		if value == nil {
			delete(t, name)
		} else {
			t[name] = merge(t[name], value)
		}
	}
	return t
}

// differ returns the patch that makes one object of another. What a merge patch
// has made of from can always be told by one.
func differ(from, to map[string]any) map[string]any {
	patch := map[string]any{}
	for name := range from {
		if _, stays := to[name]; !stays {
			patch[name] = nil
		}
	}
	for name, value := range to {
		old, known := from[name]
		if known && reflect.DeepEqual(old, value) {
			continue
		}
		below, isObject := value.(map[string]any)
		if before, was := old.(map[string]any); isObject && was {
			patch[name] = differ(before, below)
		} else {
			patch[name] = value
		}
	}
	return patch
}

// Touched names the fields of data that a patch changes, without values.
func Touched(patch []byte) []string {
	value, err := decode(patch)
	object, ok := value.(map[string]any)
	if err != nil || !ok {
		return nil
	}
	var names []string
	for name, value := range object {
		below, nested := value.(map[string]any)
		if !nested || len(below) == 0 {
			names = append(names, name)
		}
		for inner := range below {
			names = append(names, name+"."+inner)
		}
	}
	slices.Sort(names)
	return names
}
