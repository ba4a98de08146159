package main

import (
	"testing"
	"time"
)

func TestFleet(t *testing.T) {
	got := measured(t, fleet{
		Workers: 2, Waiting: 4000, Delay: 50 * time.Millisecond, Rows: 5, Concurrency: 2, Shards: 4,
		Settling: time.Second, Measured: 2 * time.Second, Changing: time.Second,
	}.runs)
	within(t, got, "2 workers", 20, 400) // 2 calls at once of 5 rows each, 20 of them a second, by each of two
	within(t, got, "2 workers: of one worker's rate", 0.5, 8)
	within(t, got, "no call, while a worker leaves and another joins", 0.001, 3)
}
