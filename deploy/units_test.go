package deploy

import (
	"path/filepath"
	"strings"
	"testing"
)

// The units call commands that are there, with flags that these have, and are
// started for as long as it takes.
func TestUnits(t *testing.T) {
	units, err := filepath.Glob("*.service")
	if err != nil || len(units) != 2 {
		t.Fatal(units, err)
	}
	s := &site{t: t, dir: t.TempDir()}
	for _, unit := range units {
		// NATS or PostgreSQL may be there later than what needs them.
		if head, _, _ := strings.Cut(read(t, unit), "[Service]"); !strings.Contains(head, "StartLimitIntervalSec=0\n") {
			t.Errorf("%s: systemd would stop to start it anew", unit)
		}
		for line := range strings.Lines(read(t, unit)) {
			command, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecStart=/usr/local/bin/")
			if !ok {
				continue
			}
			words := strings.Fields(command)
			code, help := s.run("", words[0], words[1], "--help")
			if code != 0 {
				t.Errorf("%s: %s", unit, help)
			}
			for _, word := range words[2:] {
				if strings.HasPrefix(word, "-") && !strings.Contains(help, word+" ") && !strings.Contains(help, word+",") {
					t.Errorf("%s: %s has no %s", unit, words[1], word)
				}
			}
		}
	}
}
