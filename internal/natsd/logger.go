package natsd

import (
	"fmt"
	"sync"

	"github.com/rs/zerolog"
)

// logger hands the server's warnings and errors on. The server's idea of a
// fatal error, which would end the process, is kept for Start to return.
type logger struct {
	log zerolog.Logger

	mu    sync.Mutex
	first string // the first fatal error
}

func (l *logger) Noticef(string, ...any) {}
func (l *logger) Debugf(string, ...any)  {}
func (l *logger) Tracef(string, ...any)  {}

func (l *logger) Warnf(format string, v ...any) {
	l.log.Warn().Str("part", "nats").Msg(fmt.Sprintf(format, v...))
}

func (l *logger) Errorf(format string, v ...any) {
	l.log.Error().Str("part", "nats").Msg(fmt.Sprintf(format, v...))
}

func (l *logger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.first = fmt.Sprintf(format, v...)
	}
}

func (l *logger) fatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}
