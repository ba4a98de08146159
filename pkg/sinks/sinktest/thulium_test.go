package sinktest_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/sinks"
	"github.com/custsync/custsync/pkg/sinks/sinktest"
	"github.com/custsync/custsync/pkg/sinks/thulium"
)

func TestThulium(t *testing.T) { sinktest.Run(t, thuliumCase()) }

func thuliumCase() sinktest.Case {
	return sinktest.Case{
		New: func(t *testing.T, url string, client *http.Client) sinktest.Sink {
			sink, err := thulium.New(thulium.Config{URL: url, Username: "api", Password: "not-for-logs", Caller: sinks.Caller{HTTP: client}})
			if err != nil {
				t.Fatal(err)
			}
			return sink
		},
		Provider: func() sandbox.Provider { return &sandbox.Thulium{Username: "api", Password: "not-for-logs"} },
		Key:      func(ev *events.Event) string { return ev.Customer.ID },
		Stamp: func(rec *sinks.Record, version int64) {
			rec.Set(sinks.Field{Group: "custom_fields", Name: "version", Kind: sinks.KindText, Text: strconv.FormatInt(version, 10)})
		},
		Writes:  "batch/customers",
		Secrets: []string{"not-for-logs"},
	}
}
