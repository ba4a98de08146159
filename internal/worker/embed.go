package worker

import (
	"time"

	"github.com/custsync/custsync/internal/natsd"
)

// embed starts the server inside this process, where no other one is configured.
func (w *Worker) embed() (*natsd.Server, error) {
	n := &w.Config.NATS
	if !n.IsEmbedded() {
		return nil, nil
	}
	w.Log.Info().Str("listen", n.Embedded.Listen).Str("store", n.Embedded.Store).Msg("embedded nats")
	return natsd.Start(natsd.Config{
		Listen: n.Embedded.Listen, StoreDir: n.Embedded.Store, Log: w.Log,
		Unsynced: !n.Embedded.Sync.Always(), SyncEvery: time.Duration(n.Embedded.Sync),
	})
}
