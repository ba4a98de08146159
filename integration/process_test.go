package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// process is a program that runs beside a test.
type process struct {
	name string
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
}

// output is all that a process has written, to both of its streams.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// launch starts a program in a folder. Whoever launches it ends it with kill.
func launch(name, dir string, env []string, program string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended is in ProcessState
	}()
	return p, nil
}

// kill ends the process, if it runs still, and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

var signals = map[string]os.Signal{
	"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT,
}

// exits waits until the process ends, and says how: its exit code, or the signal
// that ended it.
func (p *process) exits() (string, error) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-p.done:
	case <-limit.C:
		return "", fmt.Errorf("%s has not ended within %v", p.name, patience)
	}
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return status.Signal().String(), nil
	}
	return strconv.Itoa(status.ExitStatus()), nil
}

// says waits until what the process has written matches, and returns the match
// with its groups.
func (p *process) says(ctx context.Context, pattern string) ([]string, error) {
	re, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return nil, err
	}
	var found []string
	err = eventually(ctx, func(context.Context) error {
		ended := false
		select {
		case <-p.done:
			ended = true
		default:
		}
		if found = re.FindStringSubmatch(p.out.String()); found == nil && !ended {
			return fmt.Errorf("%s does not say %q", p.name, pattern)
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("%s ended and did not say %q", p.name, pattern)
	}
	return found, err
}
