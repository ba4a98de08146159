package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"golang.org/x/tools/benchmark/parse"
)

// loop measures the destination loop without any network: its own benchmark,
// less what decoding the event takes.
type loop struct {
	Time string // of each run, as go test takes it
}

func (l loop) runs(ctx context.Context, s *suite) ([][]measure, error) {
	return s.repeat("loop", func(int) ([]measure, error) {
		bench := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=^BenchmarkRow$", "-benchmem", "-benchtime="+l.Time,
			"github.com/custsync/custsync/pkg/pipeline")
		said, err := bench.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("run the loop's benchmark: %w\n%s", err, said)
		}
		return l.read(said)
	})
}

func (l loop) read(said []byte) ([]measure, error) {
	set, err := parse.ParseSet(bytes.NewReader(said))
	if err != nil {
		return nil, fmt.Errorf("read the loop's benchmark: %w", err)
	}
	var whole, decode *parse.Benchmark
	for name, runs := range set {
		switch name, _, _ := strings.Cut(name, "-"); name {
		case "BenchmarkRow/loop":
			whole = runs[0]
		case "BenchmarkRow/decode":
			decode = runs[0]
		}
	}
	if whole == nil || decode == nil {
		return nil, errors.New("the loop's benchmark has no BenchmarkRow/loop and BenchmarkRow/decode")
	}
	return []measure{
		{What: "for each row, beyond decoding", Unit: "µs", Value: (whole.NsPerOp - decode.NsPerOp) / 1e3, Beside: "decoding", Raw: decode.NsPerOp / 1e3, Want: atMost(3)},
		{What: "allocations beyond decoding", Value: float64(whole.AllocsPerOp) - float64(decode.AllocsPerOp), Beside: "decoding", Raw: float64(decode.AllocsPerOp), Want: atMost(2)},
		{What: "bytes allocated beyond decoding", Value: float64(whole.AllocedBytesPerOp) - float64(decode.AllocedBytesPerOp), Beside: "decoding", Raw: float64(decode.AllocedBytesPerOp)},
	}, nil
}
