package main

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// cpuOfSelf is the processor time, user and system, that this process has used.
func cpuOfSelf() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0 // can't be, with a valid who and pointer
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// cpuOfMachine is the processor time that all processes together have used; 0
// where the system doesn't say.
func cpuOfMachine() time.Duration {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	return busy(bytes.Fields(line))
}

// busy sums the first line of /proc/stat without what is idle.
func busy(fields [][]byte) time.Duration {
	const user, nice, system, irq, softirq, steal = 1, 2, 3, 6, 7, 8
	if len(fields) <= steal {
		return 0
	}
	var ticks int64
	for _, i := range []int{user, nice, system, irq, softirq, steal} {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs on Linux
	return time.Duration(ticks) * tick
}

// sample is one measured run.
type sample struct {
	Count  int
	Took   time.Duration
	Client time.Duration // processor time of this process
	Server time.Duration // of the broker
	Others time.Duration // of everybody else on the machine
}

func (s sample) perSecond() float64 { return float64(s.Count) / s.Took.Seconds() }

// meter takes a sample between startMeter and stop.
type meter struct {
	server *server

	begin                   time.Time
	client, broker, machine time.Duration
}

func startMeter(s *server) (*meter, error) {
	broker, err := s.cpu()
	if err != nil {
		return nil, err
	}
	return &meter{server: s, broker: broker, client: cpuOfSelf(), machine: cpuOfMachine(), begin: time.Now()}, nil
}

// stop returns what it took to do count.
func (m *meter) stop(count int) (sample, error) {
	s := sample{Count: count, Took: time.Since(m.begin)}
	machine := cpuOfMachine()
	s.Client = cpuOfSelf() - m.client
	broker, err := m.server.cpu()
	if err != nil {
		return sample{}, err
	}
	s.Server = broker - m.broker
	s.Others = max(0, machine-m.machine-s.Client-s.Server)
	return s, nil
}
