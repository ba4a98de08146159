// Package pgtest gives tests a real PostgreSQL of their own, on a free port of
// 127.0.0.1 and in a folder that goes with the tests.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Password is the one that all databases ask for.
const Password = "s3cret-pgtest"

// Cluster is a PostgreSQL server. It starts with the first test that asks for a
// database; TestMain stops it.
type Cluster struct {
	once    sync.Once
	err     error
	dir     string
	port    int
	as      *syscall.Credential // nil: who runs the tests
	process *exec.Cmd
	stopped chan error
	made    atomic.Int64
}

var errAbsent = errors.New("PostgreSQL is not installed: apt-get install postgresql")

// Database makes an empty database and returns its DSN. Without PostgreSQL the
// test is skipped; where CI is true it fails.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	c.once.Do(func() { c.err = c.start() })
	switch {
	case errors.Is(c.err, errAbsent) && os.Getenv("CI") != "true":
		t.Skip(c.err)
	case c.err != nil:
		t.Fatal(c.err)
	}
	name := fmt.Sprintf("shop%d", c.made.Add(1))
	conn, err := pgx.Connect(t.Context(), c.dsn("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return c.dsn(name)
}

func (c *Cluster) dsn(database string) string {
	return fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/%s?sslmode=disable", Password, c.port, database)
}

// Port is where the server listens.
func (c *Cluster) Port() int { return c.port }

func (c *Cluster) start() (err error) {
	initdb, postgres := find("initdb"), find("postgres")
	if initdb == "" || postgres == "" {
		return errAbsent
	}
	if c.dir, err = os.MkdirTemp("", "custsync-pg-"); err != nil {
		return err
	}
	if err := c.another(); err != nil {
		return err
	}
	secret := filepath.Join(c.dir, "password")
	if err := os.WriteFile(secret, []byte(Password+"\n"), 0o644); err != nil {
		return err
	}
	data := filepath.Join(c.dir, "data")
	made := c.command(initdb, "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := made.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if c.port, err = free(); err != nil {
		return err
	}
	return c.run(postgres, data)
}

// another has the server run as somebody else where the tests run as root, which
// PostgreSQL refuses.
func (c *Cluster) another() error {
	if os.Getuid() != 0 {
		return nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("as root the tests need the user postgres: %w", err)
	}
	uid, err := strconv.Atoi(who.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(who.Gid)
	if err != nil {
		return err
	}
	c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(c.dir, uid, gid)
}

// command runs in the folder, which the server may read.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	return cmd
}

func (c *Cluster) run(postgres, data string) error {
	c.process = c.command(postgres, "-D", data, "-p", strconv.Itoa(c.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories="+c.dir, "-c", "fsync=off", "-c", "max_connections=50")
	var log bytes.Buffer
	c.process.Stderr = &log
	if err := c.process.Start(); err != nil {
		return err
	}
	c.stopped = make(chan error, 1)
	go func() { c.stopped <- c.process.Wait() }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.dsn("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case ended := <-c.stopped:
			c.stopped <- ended
			return fmt.Errorf("postgres: %w\n%s", errors.Join(ended, err), log.String())
		case <-ctx.Done():
			return fmt.Errorf("postgres: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server and removes its folder.
func (c *Cluster) Stop() {
	if c.process != nil && c.process.Process != nil {
		_ = c.process.Process.Signal(syscall.SIGQUIT) // at once: nothing of it is needed any more
		<-c.stopped
	}
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}

// find looks for a program of PostgreSQL where packages put it.
func find(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return ""
	}
	newest := found[0]
	for _, path := range found {
		if major(path) > major(newest) {
			newest = path
		}
	}
	return newest
}

func major(path string) int {
	n, err := strconv.Atoi(strings.Split(path, "/")[4])
	if err != nil {
		return 0
	}
	return n
}

func free() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
