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
//   - When no replica could be reached for outageGrace, and nobody listens there,
//     requests fail at once with cairn.ReasonClusterUnreachable (KindUnavailable).
//   - Where more are under way than will be answered in time, those that come too late
//     are refused with CLUSTER_OVERLOADED (KindExhausted) and when to try again. What waits in
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

// Remote is an Index that others listen for.
type Remote interface {
	Index
	// Listening tells whether somebody listens where a replica should, and if so has
	// connections made at once that are not there, however short ago that has failed.
	Listening(ctx context.Context) bool
}

// listening tells whether the index may be in reach.
func (g *guarded) listening(ctx context.Context) bool {
	remote, is := g.Index.(Remote)
	return !is || remote.Listening(ctx)
}

// way is what one kind of request to an index goes by.
type way struct {
	outage outage
	gate   admit.Gate
}

func guard(index Index, cluster *catalog.Cluster) *guarded {
	return &guarded{Index: index, cluster: cluster.Name, began: time.Now()}
}

// at is a moment of its time, never 0.
func (g *guarded) at(moment time.Time) time.Duration { return moment.Sub(g.began) + 1 }

// enter lets a request go a way, if it may, and says when it did. Who is let in has
// to leave.
func (g *guarded) enter(ctx context.Context, way *way) (began time.Duration, err error) {
	now := time.Now()
	began = g.at(now)
	left := 2 * admit.Patience
	if deadline, bounded := ctx.Deadline(); bounded {
		left = deadline.Sub(now)
	}
	// Whom the server's gate has let in is refused only where it is hopeless: what
	// other indexes do for a request that one refuses is done in vain.
	if retry, ok := way.gate.Enter(began, 2*left); !ok {
		return 0, overloaded(g.cluster, way.gate.InFlight(), retry)
	}
	if err := way.outage.refusal(ctx, g.cluster, began, func() time.Duration { return g.at(time.Now()) }, g.listening); err != nil {
		way.gate.Leave(began, began, false)
		return 0, err
	}
	return began, nil
}

// leave notes how a request ended that was let in.
func (g *guarded) leave(way *way, began time.Duration, err *error) {
	now := g.at(time.Now())
	way.gate.Leave(began, now, *err == nil)
	way.outage.heard(*err, now)
}

// reasonOverloaded is why a request is refused that an index would not answer in time.
const reasonOverloaded = "CLUSTER_OVERLOADED"

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
