package router

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// deadlineContext is context.WithDeadline for calls that mostly end without
// waiting for anything: it has no timer until someone asks for Done.
type deadlineContext struct {
	parent   context.Context
	deadline time.Time

	stopped atomic.Bool

	once   sync.Once
	inner  context.Context
	cancel context.CancelFunc
	// begun is set when inner is: from then on what that says holds.
	begun atomic.Bool
}

// bound is ctx with the router's timeout if it has no deadline. Its second
// result, if not nil, must be ended after the request.
func (r *Router) bound(ctx context.Context) (context.Context, *deadlineContext) {
	if _, has := ctx.Deadline(); has {
		return ctx, nil
	}
	c := &deadlineContext{parent: ctx, deadline: time.Now().Add(r.timeout)}
	return c, c
}

// bounded is bound for requests that may have to be stopped, or that give
// their parts only a share of the time that is left.
func (r *Router) bounded(ctx context.Context) *deadlineContext {
	deadline, has := ctx.Deadline()
	if !has {
		deadline = time.Now().Add(r.timeout)
	}
	return &deadlineContext{parent: ctx, deadline: deadline}
}

// share is a context for all but a fifth of the time that is left.
func (c *deadlineContext) share() *deadlineContext {
	return &deadlineContext{parent: c, deadline: c.deadline.Add(-time.Until(c.deadline) / 5)}
}

// stop cancels whatever goes on under the context.
func (c *deadlineContext) stop() {
	c.stopped.Store(true)
	c.end()
}

func (c *deadlineContext) start() context.Context {
	c.once.Do(func() {
		c.inner, c.cancel = context.WithDeadline(c.parent, c.deadline)
		c.begun.Store(true)
	})
	return c.inner
}

// end gives the timer back, if there is one. Whoever still asks for Done after
// it gets a channel that is closed.
func (c *deadlineContext) end() {
	if c == nil {
		return
	}
	c.once.Do(func() {
		c.inner, c.cancel = endedContext, func() {}
		c.begun.Store(true)
	})
	c.cancel()
}

var endedContext = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func (c *deadlineContext) Deadline() (time.Time, bool) { return c.deadline, true }

func (c *deadlineContext) Done() <-chan struct{} { return c.start().Done() }

func (c *deadlineContext) Value(key any) any { return c.parent.Value(key) }

// Err does not start the timer while the deadline is ahead. It is never nil once
// Done is closed: contexts that are made of this one panic over that.
func (c *deadlineContext) Err() error {
	if err := c.parent.Err(); err != nil {
		return err
	}
	if c.stopped.Load() {
		return context.Canceled
	}
	if c.begun.Load() {
		return c.inner.Err()
	}
	if time.Now().Before(c.deadline) {
		return nil
	}
	// Through the timer's context, so that Done is closed once this says so.
	return c.start().Err()
}
