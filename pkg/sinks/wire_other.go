//go:build !unix

package sinks

import "net"

// writeAsking asks before it writes. Unlike on Unix, a write that waits for room
// is not asked again.
func writeAsking(conn net.Conn, p []byte, ask func() error) (int, error) {
	if err := ask(); err != nil {
		return 0, err
	}
	return conn.Write(p)
}
