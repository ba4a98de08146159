package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

func hasText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

// setScalar reads text into v by v's type.
func setScalar(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("not a duration")
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.Bool:
		if text != "true" && text != "false" {
			return errors.New("neither true nor false")
		}
		v.SetBool(text == "true")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return errors.New("not a whole number in range")
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return errors.New("not a whole number in range")
		}
		v.SetUint(i)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return errors.New("not a number")
		}
		v.SetFloat(f)
	default:
		return fmt.Errorf("not readable as a %s", v.Type())
	}
	return nil
}

// example says how a value of v's type is written.
func example(v reflect.Value) string {
	switch v.Interface().(type) {
	case time.Duration:
		return "a number with its unit, such as 500ms, 2m or 24h"
	case Size:
		return "a number of bytes, or one with its unit, such as 512KiB or 1MiB"
	case Sync:
		return "always, or a duration such as 2s"
	}
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number such as 0.5"
	case reflect.Int, reflect.Int64, reflect.Uint, reflect.Uint64:
		return "a whole number"
	}
	return "another value"
}

// any is the node as plain Go values, its scalars typed as YAML has them.
func (n *Node) any() any {
	switch n.kind {
	case mapping:
		out := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			out[e.key.text] = e.value.any()
		}
		return out
	case sequence:
		out := make([]any, 0, len(n.items))
		for _, item := range n.items {
			out = append(out, item.any())
		}
		return out
	case scalar:
		if !n.plain || n.text != n.source {
			return n.text
		}
		if n.text == "true" || n.text == "false" {
			return n.text == "true"
		}
		if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			return i
		}
		if f, err := strconv.ParseFloat(n.text, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
		return n.text
	case null:
	}
	return nil
}
