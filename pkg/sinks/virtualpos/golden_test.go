package virtualpos

import (
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/custsync/custsync/pkg/sinks/internal/golden"
)

var rewrite = golden.UpdateFlag()

func TestGolden(t *testing.T) {
	golden.Run(t, rewrite, func(t *testing.T, url string, options []byte) golden.Sink {
		cfg := Config{URL: url, APIKey: "MySecret"}
		if err := yaml.UnmarshalWithOptions(options, &cfg.Options, yaml.Strict()); err != nil {
			t.Fatal(err)
		}
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
