package daemon

import (
	"io"
	"log/slog"

	"cairn"
)

// NewLogger makes the log of a server: format "logfmt" (key=value) or "json",
// level "debug", "info", "warn" or "error".
func NewLogger(out io.Writer, format, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, cairn.Invalid("log-level", "LOG_LEVEL", "%q is not a level; the levels are debug, info, warn and error", level)
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "logfmt":
		return slog.New(slog.NewTextHandler(out, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(out, options)), nil
	}
	return nil, cairn.Invalid("log-format", "LOG_FORMAT", "%q is not a format; the formats are logfmt and json", format)
}
