package suggest

import "testing"

func TestHint(t *testing.T) {
	known := []string{"name", "provider", "shards", "on_leave", "timeout"}
	for word, want := range map[string]string{
		"shard":    `did you mean "shards"?`,
		"naem":     `did you mean "name"?`,
		"onleave":  `did you mean "on_leave"?`,
		"time_out": `did you mean "timeout"?`,
		"PROVIDER": `did you mean "provider"?`,
		"colour":   "known here: name, provider, shards, on_leave, timeout",
		"":         "known here: name, provider, shards, on_leave, timeout",
	} {
		if got := Hint(word, known); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
	if got := Hint("x", nil); got != "" {
		t.Errorf("nothing known: got %q", got)
	}
}
