package replica

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// libraryLogger hands what raft and raft-wal log to slog. What they call
// information is for debugging, and that a single voter stands for election
// when it starts is no warning.
type libraryLogger struct {
	slog *slog.Logger
	name string
	args []any
}

func (l *libraryLogger) Log(level hclog.Level, message string, args ...any) {
	as := slog.LevelDebug
	switch {
	case level >= hclog.Error:
		as = slog.LevelError
	case level == hclog.Warn && !strings.HasPrefix(message, "heartbeat timeout reached"):
		as = slog.LevelWarn
	}
	if !l.slog.Enabled(context.Background(), as) {
		return
	}
	for i, arg := range args {
		if format, ok := arg.(hclog.Format); ok && len(format) > 0 {
			args[i] = fmt.Sprintf(fmt.Sprint(format[0]), format[1:]...)
		}
	}
	l.slog.Log(context.Background(), as, l.name+": "+message, args...)
}

func (l *libraryLogger) Trace(message string, args ...any) { l.Log(hclog.Trace, message, args...) }
func (l *libraryLogger) Debug(message string, args ...any) { l.Log(hclog.Debug, message, args...) }
func (l *libraryLogger) Info(message string, args ...any)  { l.Log(hclog.Info, message, args...) }
func (l *libraryLogger) Warn(message string, args ...any)  { l.Log(hclog.Warn, message, args...) }
func (l *libraryLogger) Error(message string, args ...any) { l.Log(hclog.Error, message, args...) }

func (l *libraryLogger) IsTrace() bool { return l.IsDebug() }
func (l *libraryLogger) IsDebug() bool { return l.slog.Enabled(context.Background(), slog.LevelDebug) }
func (l *libraryLogger) IsInfo() bool  { return l.IsDebug() }
func (l *libraryLogger) IsWarn() bool  { return true }
func (l *libraryLogger) IsError() bool { return true }

func (l *libraryLogger) ImpliedArgs() []any { return l.args }
func (l *libraryLogger) Name() string       { return l.name }

func (l *libraryLogger) With(args ...any) hclog.Logger {
	return &libraryLogger{slog: l.slog.With(args...), name: l.name, args: append(l.args[:len(l.args):len(l.args)], args...)}
}

func (l *libraryLogger) Named(name string) hclog.Logger { return l.ResetNamed(l.name + "." + name) }

func (l *libraryLogger) ResetNamed(name string) hclog.Logger {
	return &libraryLogger{slog: l.slog, name: name, args: l.args}
}

// The level is slog's to choose.
func (l *libraryLogger) SetLevel(hclog.Level)  {}
func (l *libraryLogger) GetLevel() hclog.Level { return hclog.Debug }

func (l *libraryLogger) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return slog.NewLogLogger(l.slog.Handler(), slog.LevelDebug)
}

func (l *libraryLogger) StandardWriter(options *hclog.StandardLoggerOptions) io.Writer {
	return l.StandardLogger(options).Writer()
}

// walLogger is raft-wal's logger. It remembers why a segment could not be
// started: that is logged by raft-wal, and not returned.
type walLogger struct {
	libraryLogger
	mu    sync.Mutex // guards cause
	cause error
}

func newWALLogger(to *slog.Logger) *walLogger {
	return &walLogger{libraryLogger: libraryLogger{slog: to, name: "wal"}}
}

// Error logs, and remembers an error of a rotation.
func (l *walLogger) Error(message string, args ...any) {
	if strings.HasPrefix(message, "rotate") {
		for _, arg := range args {
			if err, ok := arg.(error); ok {
				l.mu.Lock()
				l.cause = err
				l.mu.Unlock()
			}
		}
	}
	l.libraryLogger.Error(message, args...)
}

// rotation is why the last segment could not be started, nil if it was.
func (l *walLogger) rotation() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}
