package daemon

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// SignalContext is parent until SIGINT or SIGTERM arrives, which ends it with
// a clean shutdown to follow. A second signal ends the process at once, as it
// would without this. Call stop to give the signals back.
func SignalContext(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
	release := context.AfterFunc(ctx, cancel)
	return ctx, func() {
		release()
		cancel()
	}
}
