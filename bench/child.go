package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// A child is this same program with a hidden verb, as a process of its own, so
// that its processor time is counted apart. It says its URL on the first line of
// stdout, answers each line on stdin with one line of JSON, and ends with stdin:
// so it can't outlive the benchmark that started it.
type child struct {
	URL string

	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers *json.Decoder
}

// greeting is a child's first line.
type greeting struct {
	URL string `json:"url"`
}

// startChild starts the verb and waits for its greeting. The caller stops it.
func startChild(ctx context.Context, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	c := &child{cmd: exec.CommandContext(ctx, self, args...)}
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	c.answers = json.NewDecoder(stdout)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	var hello greeting
	if err := c.answers.Decode(&hello); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", args[0], err), c.stop())
	}
	c.URL = hello.URL
	return c, nil
}

// ask has the child say how it is.
func (c *child) ask(answer any) error {
	if _, err := io.WriteString(c.stdin, "\n"); err != nil {
		return fmt.Errorf("ask %s: %w", c.cmd.Args[1], err)
	}
	if err := c.answers.Decode(answer); err != nil {
		return fmt.Errorf("ask %s: %w", c.cmd.Args[1], err)
	}
	return nil
}

// stop ends the child and waits for it.
func (c *child) stop() error {
	if err := errors.Join(c.stdin.Close(), c.cmd.Wait()); err != nil {
		return fmt.Errorf("stop %s: %w", c.cmd.Args[1], err)
	}
	return nil
}

// answerParent is the child's side: it greets, answers every line with what
// state returns, and returns when the parent is done or gone.
func answerParent(in io.Reader, out io.Writer, url string, state func() any) error {
	answer := json.NewEncoder(out)
	if err := answer.Encode(greeting{URL: url}); err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := answer.Encode(state()); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
	return lines.Err()
}
