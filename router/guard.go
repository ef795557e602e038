package router

import (
	"context"
	"time"

	"cairn"
	"cairn/router/admit"
	"cairn/shardmap/catalog"
)

// guarded is a cluster's index that is neither asked in vain for ever nor for more
// than it can answer:
//
//   - When no replica could be reached for outageGrace, requests fail at once with
//     cairn.ReasonClusterUnreachable (KindUnavailable), but for a few every outageProbe.
//   - Where more are under way than will be answered in time, those that come too late
//     are refused with OVERLOADED (KindExhausted) and when to try again. What waits in
//     the router for its next try is not under way, and one cluster's queue is not
//     another's.
//
// Watches, exports and the index's status are outside of both.
type guarded struct {
	Index
	cluster string
	began   time.Time // where its time begins
	// Each kind of request is by itself: they take differently long, and where there
	// is no majority reads may still be answered.
	reads, writes, views way
}

// reconnect has connections to the index made anew at once, whatever has failed before.
func (g *guarded) reconnect() {
	if remote, is := g.Index.(interface{ Reconnect() }); is {
		remote.Reconnect()
	}
}

// way is what one kind of request to an index goes by.
type way struct {
	outage outage
	gate   admit.Gate
}

func guard(index Index, cluster *catalog.Cluster) *guarded {
	return &guarded{Index: index, cluster: cluster.Name, began: time.Now()}
}

// enter lets a request go a way, if it may, and says when it did. Who is let in has
// to leave.
func (g *guarded) enter(ctx context.Context, way *way) (began time.Duration, err error) {
	now := time.Now()
	began = now.Sub(g.began) + 1 // never 0
	left := 2 * admit.Patience
	if deadline, bounded := ctx.Deadline(); bounded {
		left = deadline.Sub(now)
	}
	// Whom the server's gate has let in is refused only where it is hopeless: what
	// other indexes do for a request that one refuses is done in vain.
	if retry, ok := way.gate.Enter(began, 2*left); !ok {
		return 0, overloaded(g.cluster, way.gate.InFlight(), retry)
	}
	if err := way.outage.refusal(g.cluster, began, g.reconnect); err != nil {
		way.gate.Leave(began, began, false)
		return 0, err
	}
	return began, nil
}

// leave notes how a request ended that was let in.
func (g *guarded) leave(way *way, began time.Duration, err *error) {
	now := time.Since(g.began) + 1
	way.gate.Leave(began, now, *err == nil)
	way.outage.heard(*err, now)
}

// reasonOverloaded is why a request is refused that an index would not answer in time.
const reasonOverloaded = "OVERLOADED"

func overloaded(cluster string, inFlight int, retry time.Duration) error {
	refusal := cairn.Errorf(cairn.KindExhausted, reasonOverloaded,
		"the index of cluster %s has more to answer than it can in time, %d requests; try again in %s", cluster, inFlight, retry.Round(time.Millisecond))
	refusal.RetryAfter = retry
	return refusal
}

// Locate is Index.Locate.
func (g *guarded) Locate(ctx context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) (err error) {
	began, err := g.enter(ctx, &g.reads)
	if err != nil {
		return err
	}
	defer g.leave(&g.reads, began, &err)
	return g.Index.Locate(ctx, req, reply)
}

// List is Index.List.
func (g *guarded) List(ctx context.Context, req *cairn.ListRequest) (reply *cairn.ListReply, err error) {
	began, err := g.enter(ctx, &g.reads)
	if err != nil {
		return nil, err
	}
	defer g.leave(&g.reads, began, &err)
	return g.Index.List(ctx, req)
}

// Write is Index.Write.
func (g *guarded) Write(ctx context.Context, req *cairn.WriteRequest) (reply *cairn.WriteReply, err error) {
	began, err := g.enter(ctx, &g.writes)
	if err != nil {
		return nil, err
	}
	defer g.leave(&g.writes, began, &err)
	return g.Index.Write(ctx, req)
}

// AskView is Index.AskView.
func (g *guarded) AskView(ctx context.Context, req *cairn.ViewRequest) (reply *cairn.ViewReply, err error) {
	began, err := g.enter(ctx, &g.views)
	if err != nil {
		return nil, err
	}
	defer g.leave(&g.views, began, &err)
	return g.Index.AskView(ctx, req)
}
