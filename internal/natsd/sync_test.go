package natsd

import (
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestSync(t *testing.T) {
	for name, test := range map[string]struct {
		config Config
		always bool
		every  time.Duration
	}{
		"before each answer": {Config{}, true, 2 * time.Minute}, // the interval is of no use then
		"now and then":       {Config{Unsynced: true}, false, 2 * time.Minute},
		"every ten seconds":  {Config{Unsynced: true, SyncEvery: 10 * time.Second}, false, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Listen, test.config.StoreDir, test.config.Log = "127.0.0.1:0", t.TempDir(), zerolog.Nop()
			s, err := Start(test.config)
			if err != nil {
				t.Fatal(err)
			}
			got := s.server.JetStreamConfig()
			if got.SyncAlways != test.always || got.SyncInterval != test.every {
				t.Errorf("got sync always %t, every %v; want %t, %v", got.SyncAlways, got.SyncInterval, test.always, test.every)
			}
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
		})
	}
}
