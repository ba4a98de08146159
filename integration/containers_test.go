package integration

import "testing"

// TestContainers takes away, one after another, what a fleet stands on. Every
// time all customers end at their newest version at every provider; nobody is
// there twice, and no version ever went back.
func TestContainers(t *testing.T) {
	e := openEngine(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *fleet)
	}{
		{"the broker is killed and comes back", brokerDies},
		{"a worker is killed and comes back", workerDies},
		{"one of two workers is killed", oneOfTwoDies},
		{"a worker loses NATS but not the providers", workerLosesNATS},
		{"a worker loses the providers but not NATS", workerLosesProviders},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newFleet(t, e)) })
	}
}

func brokerDies(t *testing.T, f *fleet) {
	w := f.worker("worker")
	f.slow(true)
	f.publish(400, 1)
	f.publish(400, 2)
	f.awaitRows()
	f.must(f.nats.kill(t.Context()))
	f.slow(false)
	f.must(f.nats.Start(t.Context()))
	f.awaitNATS()
	f.publish(400, 3)
	f.awaitInStep(400, 3)

	// It is the same worker, which has found its way back.
	f.awaitReady(w)
}

func workerDies(t *testing.T, f *fleet) {
	w := f.worker("worker")
	f.slow(true)
	f.publish(400, 1)
	f.publish(400, 2)
	f.awaitRows()
	f.must(w.kill(t.Context()))
	f.slow(false)
	f.publish(400, 3)
	f.must(w.Start(t.Context()))
	f.awaitInStep(400, 3)
	f.awaitReady(w)
}

func oneOfTwoDies(t *testing.T, f *fleet) {
	first, second := f.worker("first"), f.worker("second")
	f.slow(true)
	f.publish(400, 1)
	f.publish(400, 2)
	f.awaitRows()
	f.must(first.kill(t.Context()))
	f.slow(false)
	f.publish(400, 3)
	f.awaitInStep(400, 3) // the other has taken over
	f.awaitReady(second)

	// The dead one comes back and gets a share again.
	f.must(first.Start(t.Context()))
	f.awaitReady(first)
	f.publish(400, 4)
	f.awaitInStep(400, 4)
}

// A worker that is cut off can't know that others took over its shards, and it
// still reaches the providers: only its own clock can tell it to be silent.
func workerLosesNATS(t *testing.T, f *fleet) {
	first, second := f.worker("first"), f.worker("second")
	f.slow(true)
	f.publish(400, 1)
	f.awaitRows()
	f.must(first.cut(t.Context(), f.bus))
	f.publish(400, 2)
	f.awaitInStep(400, 2)
	f.awaitReady(second)

	f.must(first.join(t.Context(), f.bus))
	f.publish(400, 3)
	f.slow(false)
	f.awaitInStep(400, 3)
	f.awaitReady(first)
}

func workerLosesProviders(t *testing.T, f *fleet) {
	w := f.worker("worker")
	f.slow(true)
	f.publish(400, 1)
	f.awaitRows()
	f.must(w.cut(t.Context(), f.outside))
	f.slow(false)
	f.publish(400, 2)
	f.must(w.join(t.Context(), f.outside))
	f.awaitInStep(400, 2)
	f.awaitReady(w)
}
