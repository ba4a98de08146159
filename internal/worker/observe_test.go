package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/custsync/custsync/pkg/pipeline"
)

// An outage of the stream is told by every shard at every try, and logged now and
// then: each kind at once, the rest as a number.
func TestTroubleIsToldNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := &observer{log: zerolog.New(&log)}
		for range 21 { // seconds
			for shard := range 8 {
				o.Trouble(pipeline.Trouble{Doing: "fetch", Shard: shard, Err: errors.New("away")})
			}
			o.Trouble(pipeline.Trouble{Doing: "write the ledger", Err: errors.New("away")})
			<-time.After(time.Second)
		}
		type told struct {
			Doing   string `json:"doing"`
			LeftOut int    `json:"left_out"`
		}
		var got []told
		for d := json.NewDecoder(&log); d.More(); {
			var line told
			if err := d.Decode(&line); err != nil {
				t.Fatal(err)
			}
			got = append(got, line)
		}
		want := []told{{"fetch", 0}, {"write the ledger", 0}, {"fetch", 79}, {"write the ledger", 9}, {"fetch", 79}, {"write the ledger", 9}}
		if len(got) != len(want) {
			t.Fatalf("got lines %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("line %d: got %v, want %v", i, got[i], want[i])
			}
		}
	})
}
