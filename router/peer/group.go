package peer

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"cairn"
)

// Group is a client of all replicas of one index. What the leader must answer
// is asked of it first, as far as it is known, and who refuses says who it is;
// what any replica may answer is asked of each in turn.
//
// It asks another replica where one surely did nothing (KindUnavailable) or,
// for reads, is behind (KindNotYet) or silent.
type Group struct {
	replicas []replica
	leader   atomic.Int32  // position of the one that led last
	turn     atomic.Uint32 // picks the next of all
}

type replica struct {
	*Peer
	// rests until then, in nanoseconds since 1970: it failed, so others are
	// asked first.
	rests atomic.Int64
}

// restFor is how long a replica that failed is not asked first.
const restFor = time.Second

// NewGroup makes a Group of Peers, which stay the caller's to close.
func NewGroup(peers []*Peer) *Group {
	g := &Group{replicas: make([]replica, len(peers))}
	for i, p := range peers {
		g.replicas[i].Peer = p
	}
	return g
}

// Locate is Peer.Locate.
func (g *Group) Locate(ctx context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) error {
	return g.read(ctx, req.Level, func(ctx context.Context, p *Peer) error { return p.Locate(ctx, req, reply) })
}

// List is Peer.List.
func (g *Group) List(ctx context.Context, req *cairn.ListRequest) (reply *cairn.ListReply, err error) {
	err = g.read(ctx, req.Level, func(ctx context.Context, p *Peer) (err error) {
		reply, err = p.List(ctx, req)
		return err
	})
	return reply, err
}

// AskView is Peer.AskView.
func (g *Group) AskView(ctx context.Context, req *cairn.ViewRequest) (reply *cairn.ViewReply, err error) {
	err = g.read(ctx, req.Level, func(ctx context.Context, p *Peer) (err error) {
		reply, err = p.AskView(ctx, req)
		return err
	})
	return reply, err
}

// ExportView is Peer.ExportView. Once a piece was delivered no other replica is
// asked.
func (g *Group) ExportView(ctx context.Context, req *cairn.ExportRequest, deliver func(cairn.ExportPiece) error) error {
	return g.stream(ctx, req.Level, func(p *Peer, began func()) error {
		return p.ExportView(ctx, req, func(piece cairn.ExportPiece) error {
			began()
			return deliver(piece)
		})
	})
}

// Watch is Peer.Watch. Once a batch was delivered no other replica is asked.
func (g *Group) Watch(ctx context.Context, req cairn.WatchRequest, deliver func(cairn.WatchBatch) error) error {
	return g.stream(ctx, cairn.AtLeast, func(p *Peer, began func()) error {
		return p.Watch(ctx, req, func(batch cairn.WatchBatch) error {
			began()
			return deliver(batch)
		})
	})
}

// Backup is Peer.Backup. Once a piece was delivered no other replica is asked.
func (g *Group) Backup(ctx context.Context, cluster string, deliver func(data []byte) error) error {
	return g.stream(ctx, cairn.Linearizable, func(p *Peer, began func()) error {
		return p.Backup(ctx, cluster, func(data []byte) error {
			began()
			return deliver(data)
		})
	})
}

// Status is Peer.Status, of the leader if it can be.
func (g *Group) Status(ctx context.Context, epoch uint64) (status cairn.IndexStatus, err error) {
	err = g.read(ctx, cairn.AtLeast, func(ctx context.Context, p *Peer) (err error) {
		status, err = p.Status(ctx, epoch)
		return err
	})
	return status, err
}

// Write is Peer.Write. A request with an id, which may be repeated, waits for a
// silent replica for half of the time that is left.
func (g *Group) Write(ctx context.Context, req *cairn.WriteRequest) (reply *cairn.WriteReply, err error) {
	err = g.ask(ctx, cairn.Linearizable, func(p *Peer) (err error) {
		attempt, cancel := ctx, context.CancelFunc(func() {})
		if !req.RequestID.IsZero() {
			attempt, cancel = halfOf(ctx)
		}
		defer cancel()
		reply, err = p.Write(attempt, req)
		return err
	})
	return reply, err
}

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
	var asked uint64
	for next := g.first(level); ; {
		err := question(g.replicas[next].Peer)
		if err == nil {
			if level == cairn.Linearizable {
				g.leader.Store(int32(next))
			}
			return nil
		}
		asked |= 1 << next
		if errors.Is(ctx.Err(), context.Canceled) {
			return err // which says nothing about the replica
		}
		another := g.mayAskAnother(next, err)
		if ctx.Err() != nil || !another {
			return err
		}
		var more bool
		if next, more = g.after(next, err, asked); !more {
			return err
		}
	}
}

// mayAskAnother tells whether another replica may answer what one failed to,
// and has those rest that do not answer at all. What may have been done is not
// asked of another here.
func (g *Group) mayAskAnother(failed int, err error) bool {
	kind := cairn.KindOf(err)
	switch kind {
	case cairn.KindUnavailable, cairn.KindDeadline, cairn.KindUnknown:
		if cairn.ReasonOf(err) != "NOT_LEADER" {
			g.replicas[failed].rests.Store(time.Now().Add(restFor).UnixNano())
		}
		return kind != cairn.KindUnknown
	case cairn.KindNotYet:
		return true
	}
	return false
}

// first is whom to ask first at a level. A replica that follows lags a little,
// so that what must be as new as something is asked of the leader.
func (g *Group) first(level cairn.Level) int {
	n := len(g.replicas)
	wanted := int(g.leader.Load())
	if level == cairn.Eventual {
		wanted = int(g.turn.Add(1) % uint32(n))
	}
	now := time.Now().UnixNano()
	for i := range n {
		if at := (wanted + i) % n; g.replicas[at].rests.Load() < now {
			return at
		}
	}
	return wanted
}

// after is whom to ask next: the leader that the refusal names, else one that
// does not rest, else any that was not asked yet.
func (g *Group) after(failed int, err error, asked uint64) (next int, more bool) {
	unasked := func(at int) bool { return asked&(1<<at) == 0 }
	if at := g.named(err); at >= 0 {
		g.leader.Store(int32(at))
		if unasked(at) {
			return at, true
		}
	}
	now := time.Now().UnixNano()
	next = -1
	for i := range g.replicas {
		at := (failed + 1 + i) % len(g.replicas)
		if !unasked(at) {
			continue
		}
		if g.replicas[at].rests.Load() < now {
			return at, true
		}
		if next < 0 {
			next = at
		}
	}
	return next, next >= 0
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
