//go:build unix

package sinks

import (
	"net"
	"syscall"
)

// writeAsking writes like conn.Write, but asks before each system call, also
// between those that a full buffer makes necessary: what a frozen process has
// given to the kernel goes out, and nothing else of the call.
func writeAsking(conn net.Conn, p []byte, ask func() error) (n int, err error) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		if err := ask(); err != nil {
			return 0, err
		}
		return conn.Write(p)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		for n < len(p) {
			if failed = ask(); failed != nil {
				return true
			}
			k, err := syscall.Write(int(fd), p[n:])
			n += max(k, 0)
			switch err {
			case nil, syscall.EINTR:
			case syscall.EAGAIN:
				return false
			default:
				failed = err
				return true
			}
		}
		return true
	})
	if failed != nil {
		err = failed
	}
	return n, err
}
