package move

import (
	"context"
	"sync"
	"time"
)

// limiter spreads what all moves copy over time. What it lets through is paid for
// afterwards, so that a part may be larger than a moment's share.
type limiter struct {
	bytes float64 // a second; 0 for no limit
	now   func() time.Time

	mu   sync.Mutex
	free time.Time // when what was let through is paid for
}

// wait lets some bytes through, and returns when those before are paid for. It
// fails with ctx's error.
func (l *limiter) wait(ctx context.Context, bytes int) error {
	if l.bytes == 0 {
		return ctx.Err()
	}
	l.mu.Lock()
	now := l.now()
	begin := l.free
	if begin.Before(now) {
		begin = now
	}
	l.free = begin.Add(time.Duration(float64(bytes) / l.bytes * float64(time.Second)))
	l.mu.Unlock()
	return sleep(ctx, begin.Sub(now))
}

func sleep(ctx context.Context, length time.Duration) error {
	if length <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
