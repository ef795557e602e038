package move

import (
	"context"
	"sync"
	"time"
)

// Rate is how much all moves of a driver may copy together in a second; 0 for no
// bound.
type Rate struct {
	Bytes, Entries int64
}

// limiter keeps to a Rate. What was copied is paid for with time afterwards, so
// that a part may be larger than a moment's share.
type limiter struct {
	rate Rate
	now  func() time.Time

	mu   sync.Mutex
	paid time.Time // when what was copied is paid for
}

// wait returns when everything is paid for, or with ctx's error.
func (l *limiter) wait(ctx context.Context) error {
	l.mu.Lock()
	left := l.paid.Sub(l.now())
	l.mu.Unlock()
	if left <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *limiter) pay(bytes, entries int) {
	price := max(share(bytes, l.rate.Bytes), share(entries, l.rate.Entries))
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); l.paid.Before(now) {
		l.paid = now
	}
	l.paid = l.paid.Add(price)
}

func share(n int, rate int64) time.Duration {
	if rate == 0 {
		return 0
	}
	return time.Duration(float64(n) / float64(rate) * float64(time.Second))
}
