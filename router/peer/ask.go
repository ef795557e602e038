package peer

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"cairn"
	"cairn/router/balance"
)

// halfOf is a part of ctx, if that ends, that leaves time for another attempt.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

// read asks a question of one replica after the other. All but the last get
// half of the time that is left: one that is silent must not take it all.
func (g *Group) read(ctx context.Context, level cairn.Level, question func(context.Context, *Peer) error) error {
	left := len(g.replicas)
	return g.ask(ctx, level, func(p *Peer) error {
		left--
		if left == 0 {
			return question(ctx, p)
		}
		attempt, cancel := halfOf(ctx)
		defer cancel()
		return question(attempt, p)
	})
}

// stream is ask for answers of many pieces; question calls began with the
// first.
func (g *Group) stream(ctx context.Context, level cairn.Level, question func(p *Peer, began func()) error) error {
	delivered := false
	var failure error
	err := g.ask(ctx, level, func(p *Peer) error {
		failure = question(p, func() { delivered = true })
		if delivered {
			return nil // as far as ask is concerned
		}
		return failure
	})
	if delivered {
		return failure
	}
	return err
}

// ask asks replicas until one answers or none is left. Who answers what only the
// leader may, leads.
func (g *Group) ask(ctx context.Context, level cairn.Level, question func(*Peer) error) error {
	var asked balance.Set
	for next := g.first(level); ; {
		err := question(g.replicas[next].Peer)
		if err == nil {
			if level == cairn.Linearizable {
				g.leader.Store(int32(next))
			}
			return nil
		}
		asked = asked.With(next)
		if errors.Is(ctx.Err(), context.Canceled) {
			return err // which says nothing about the replica
		}
		another := g.mayAskAnother(next, err)
		if ctx.Err() != nil || !another {
			return err
		}
		var more bool
		if next, more = g.after(err, asked); !more {
			return err
		}
	}
}

// mayAskAnother tells whether another replica may answer what one failed to,
// and has those rest that do not answer at all. What may have been done is not
// asked of another here.
func (g *Group) mayAskAnother(failed int, err error) bool {
	another, unreachable := learn(err)
	if unreachable {
		g.mu.Lock()
		g.balance.Unreachable(failed, g.now())
		g.mu.Unlock()
	}
	return another
}

// learn is what a failure means: whether another replica may do better, and
// whether the one that was asked is not to be asked for a while.
func learn(err error) (another, unreachable bool) {
	switch kind := cairn.KindOf(err); kind {
	case cairn.KindUnavailable, cairn.KindDeadline, cairn.KindUnknown:
		return kind != cairn.KindUnknown, cairn.ReasonOf(err) != "NOT_LEADER"
	case cairn.KindNotYet:
		return true, false
	case cairn.KindCorrupt:
		return false, true
	}
	return false, false
}

// first is whom to ask first at a level. What the leader has to answer is asked of it
// even where it is slow: no other replica would answer it.
func (g *Group) first(level cairn.Level) int {
	if level == cairn.Eventual {
		g.mu.Lock()
		defer g.mu.Unlock()
		at, _ := g.balance.Choose(g.now(), rand.Uint64(), 0)
		return at
	}
	leader := int(g.leader.Load())
	if g.isSilent(leader) {
		if at, more := g.choose(balance.Set(0).With(leader)); more {
			return at
		}
	}
	return leader
}

// after is whom to ask next: the leader that the refusal names, else who is left.
func (g *Group) after(err error, asked balance.Set) (next int, more bool) {
	if at := g.named(err); at >= 0 {
		g.leader.Store(int32(at))
		if !asked.Has(at) {
			return at, true
		}
	}
	return g.choose(asked)
}

func (g *Group) choose(except balance.Set) (at int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.balance.Choose(g.now(), rand.Uint64(), except)
}

func (g *Group) isEjected(at int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.balance.Ejected(at, g.now())
}

func (g *Group) isSilent(at int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.balance.Silent(at, g.now())
}

// named is the position of the leader that a refusal names, -1 if it names none
// of these.
func (g *Group) named(err error) int {
	refusal, is := errors.AsType[*cairn.Error](err)
	if !is || refusal.Instead == "" {
		return -1
	}
	for i := range g.replicas {
		if g.replicas[i].Address() == refusal.Instead {
			return i
		}
	}
	return -1
}
