package replica

import (
	"context"
	"time"
)

const (
	// asideInterval is how often a leader that can't take writes tries to hand
	// over: whoever leads then may not be able to either.
	asideInterval = 5 * time.Second
	// asideTimeout bounds one attempt.
	asideTimeout = 2 * time.Second
)

// stepAside has another voter lead while this replica, which leads, refuses
// writes: its disk is full, or what it holds is not to be believed.
func (r *Replica) stepAside(last time.Time) (tried time.Time) {
	refuses := r.refusals.get() != nil || r.index.Diverged() != nil
	if leads, _ := r.Standing(); !refuses || !leads || r.log.Load().alone() || time.Since(last) < asideInterval {
		return last
	}
	ctx, cancel := context.WithTimeout(r.ctx, asideTimeout)
	defer cancel()
	if err := r.HandOver(ctx); err != nil && r.ctx.Err() == nil {
		r.config.Logger.Warn("this replica takes no writes, and no other could be made to lead", "err", err)
	}
	return time.Now()
}
