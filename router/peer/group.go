package peer

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"cairn"
	"cairn/router/balance"
)

// Group is a client of all replicas of one index.
//
// Writes, and what else the leader must answer, are asked of it, as far as it is
// known; who refuses says who it is. Another replica is asked only where one surely
// did nothing (KindUnavailable).
//
// Reads that any replica may answer are asked of the one that package balance
// chooses, and of another where one can't be reached, is behind (KindNotYet), is
// silent, or merely slow: see askFirst.
type Group struct {
	replicas []replica
	leader   atomic.Int32 // position of the one that led last
	began    time.Time    // where the balance's time begins

	mu      sync.Mutex // never held while anything is asked
	balance *balance.Replicas
}

type replica struct {
	*Peer
	// reached is the highest log index that it has answered at.
	reached atomic.Uint64
}

// NewGroup makes a Group of Peers, which stay the caller's to close. There are at
// most balance.Most. near tells which addresses are in the caller's zone; those are
// asked first. With nil all are as good.
func NewGroup(peers []*Peer, near func(address string) bool) *Group {
	g := &Group{replicas: make([]replica, len(peers)), began: time.Now()}
	isNear := make([]bool, len(peers))
	for i, p := range peers {
		g.replicas[i].Peer = p
		isNear[i] = near != nil && near(p.Address())
	}
	g.balance = balance.New(isNear)
	return g
}

// Listening is Peer.Listening of any of the replicas; all are looked for.
func (g *Group) Listening(ctx context.Context) bool {
	var found atomic.Bool
	var looking sync.WaitGroup
	for i := range g.replicas {
		looking.Go(func() {
			if g.replicas[i].Listening(ctx) {
				found.Store(true)
			}
		})
	}
	looking.Wait()
	return found.Load()
}

// Locate is Peer.Locate.
func (g *Group) Locate(ctx context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) error {
	if req.Level == cairn.Linearizable {
		return g.read(ctx, req.Level, func(ctx context.Context, p *Peer) error { return p.Locate(ctx, req, reply) })
	}
	question := locating{req}
	answer, p, failure := askFirst(ctx, g, req.Read, question)
	if failure != nil {
		return failure
	}
	return question.read(p, answer, reply)
}

// AskView is Peer.AskView.
func (g *Group) AskView(ctx context.Context, req *cairn.ViewRequest) (reply *cairn.ViewReply, err error) {
	if req.Level == cairn.Linearizable {
		err = g.read(ctx, req.Level, func(ctx context.Context, p *Peer) (err error) {
			reply, err = p.AskView(ctx, req)
			return err
		})
		return reply, err
	}
	question := asking{req}
	answer, p, failure := askFirst(ctx, g, req.Read, question)
	if failure != nil {
		return question.read(p, answer.got(), failure)
	}
	return question.read(p, answer.got(), nil)
}

// List is Peer.List.
func (g *Group) List(ctx context.Context, req *cairn.ListRequest) (reply *cairn.ListReply, err error) {
	err = g.read(ctx, req.Level, func(ctx context.Context, p *Peer) (err error) {
		reply, err = p.List(ctx, req)
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
