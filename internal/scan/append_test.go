package scan_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/custsync/custsync/internal/scan"
)

func TestAppendText(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"empty", "", `""`},
		{"escapes", "a\"b\\c\n\r\t\x00\x1f", `"a\"b\\c\n\r\t\u0000\u001f"`},
		{"HTML stands", "<a href='x'>&", `"<a href='x'>&"`},
		{"UTF-8 stands", "Київ\u2028", "\"Київ\u2028\""},
		{"invalid UTF-8", "a\xffb\xc3", "\"a\uFFFDb\uFFFD\""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := string(scan.AppendText(nil, tc.in)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestAppendFloatWithoutANumber(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := string(scan.AppendFloat(nil, f)); got != "null" {
			t.Errorf("%v: got %s, want null", f, got)
		}
	}
}

// FuzzAppend: whatever is appended is valid and reads back, and numbers look as
// encoding/json writes them.
func FuzzAppend(f *testing.F) {
	f.Add("plain", 1.5)
	f.Add("\xff\"\\\x01", 1e-9)
	f.Add("", 1e21)
	f.Add("é", -123456.789e-20)
	f.Fuzz(func(t *testing.T, text string, number float64) {
		out := scan.AppendText(nil, text)
		s := scan.New(out)
		if got, want := s.Text(), strings.ToValidUTF8(text, "\uFFFD"); s.End() != nil || len(got) < len(want) || strings.ReplaceAll(got, "\uFFFD", "") != strings.ReplaceAll(want, "\uFFFD", "") {
			t.Fatalf("%q became %s, read back as %q (%v)", text, out, got, s.Err())
		}
		want, err := json.Marshal(number)
		if err != nil {
			return
		}
		if got := scan.AppendFloat(nil, number); string(got) != string(want) {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}
