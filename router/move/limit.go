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

// limiter keeps to a Rate, which may become another at any time. What was copied is
// owed, and paid for with time afterwards, so that a part may be larger than a
// moment's share.
type limiter struct {
	rate func() Rate
	now  func() time.Time

	mu             sync.Mutex
	at             time.Time // up to when what is owed has been paid
	bytes, entries float64   // that are owed
}

// limiterLook is how often who waits looks whether the rate is another.
const limiterLook = 200 * time.Millisecond

// wait returns when everything is paid for, or with ctx's error.
func (l *limiter) wait(ctx context.Context) error {
	for {
		left := l.left()
		if left <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(min(left, limiterLook))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

func (l *limiter) pay(bytes, entries int) {
	l.left()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes, l.entries = l.bytes+float64(bytes), l.entries+float64(entries)
}

// left is for how long what is owed is still to be paid for, at the present rate.
func (l *limiter) left() time.Duration {
	rate := l.rate()
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	passed := max(0, now.Sub(l.at)).Seconds()
	l.at = now
	var left float64
	for _, owed := range []struct {
		amount *float64
		rate   int64
	}{{&l.bytes, rate.Bytes}, {&l.entries, rate.Entries}} {
		if owed.rate == 0 {
			*owed.amount = 0
			continue
		}
		*owed.amount = max(0, *owed.amount-passed*float64(owed.rate))
		left = max(left, *owed.amount/float64(owed.rate))
	}
	return time.Duration(left * float64(time.Second))
}
