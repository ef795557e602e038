package router

import (
	"context"
	"time"

	"cairn"
	"cairn/router/collapse"
)

// Part is one cluster's part of a question about a view, as one router of a fleet asks
// another for it.
type Part struct {
	cairn.ViewRequest
	Cluster cairn.UID
	// ClusterRevision is that of the cluster's record which the asking router has:
	// another that has an older one may ask where the index is no more.
	ClusterRevision uint64
	// Shards are what the answer has to be about.
	Shards cairn.Fingerprint
	// Pinned is Selection.Pinned.
	Pinned bool
}

// Member is another router of the fleet. Any goroutine may call it.
type Member interface {
	// AnswerPart answers a part as an index would, out of what the member keeps or
	// by asking the index itself; it asks no other router. It may fail in any way: who
	// asks then asks the index. The part must not be changed before AnswerPart has
	// returned, the reply never.
	AnswerPart(ctx context.Context, part *Part) (*cairn.ViewReply, error)
}

// fleetFlightID is what parts have in common that another router may be asked for as
// one. A pinned one is by itself: its answer may be of a state that others have left.
type fleetFlightID struct {
	flightID
	shards cairn.Fingerprint
	pinned bool
}

// fleetFlights are the parts that other routers are being asked for.
type fleetFlights = collapse.Group[fleetFlightID, heard]

// ownerOf is the router of the fleet that a part is asked of; nil if the index is to be
// asked from here. The latest state would not be the latest after another hop.
func (r *Router) ownerOf(part asked) Member {
	if r.config.Fleet == nil || part.Level == cairn.Linearizable {
		return nil
	}
	return r.config.Fleet(string(part.id))
}

// boardFleet has a part answered by its owner, or by the index where that does not do:
// nothing but a good answer is taken from another router, not even a refusal. So all
// that the fleet can do wrong is to take time, of which it gets half.
func (r *Router) boardFleet(ctx context.Context, owner Member, index Index, part asked, ring func()) viewFlight {
	id := fleetFlightID{part.flight(), part.Shards, part.Pinned}
	seat := r.fleetFlights.Board(ctx, id, part.need(), func(ctx context.Context) (heard, error) {
		if reply := hear(ctx, owner, part.Part); reply != nil {
			return heard{reply, SourceFleet}, nil
		}
		return r.askPart(ctx, index, part, true)
	}, ring)
	if seat.Alone() {
		return nil
	}
	return &seat
}

// hear is a member's answer to a part, nil if it has no good one.
func hear(ctx context.Context, owner Member, part *Part) *cairn.ViewReply {
	if deadline, bounded := ctx.Deadline(); bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	reply, err := owner.AnswerPart(ctx, part)
	if err != nil || !part.answeredBy(reply) {
		return nil
	}
	return reply
}

// answeredBy tells whether a reply is about the part's shards and as fresh as it asks:
// of its map revision, and of a log up to its index.
func (p *Part) answeredBy(reply *cairn.ViewReply) bool {
	return reply != nil && reply.Fingerprint == p.Shards && reply.Revision >= p.Epoch &&
		(p.Level != cairn.AtLeast || reply.Index >= p.Index)
}

// AnswerPart implements Member for other routers of the fleet. It fails as
// Index.AskView does; with KindStale (CLUSTER_STALE) where this router's map does not
// have the cluster as the part does; and with KindInvalid for a part that no router asks
// another for, a linearizable (LEVEL_NOT_SHARED) or very long one (QUESTION_TOO_LONG).
func (r *Router) AnswerPart(ctx context.Context, part *Part) (*cairn.ViewReply, error) {
	bounded := r.bounded(ctx)
	defer bounded.end()
	if part.Level == cairn.Linearizable {
		return nil, cairn.Invalid("level", "LEVEL_NOT_SHARED", "the latest state is asked of the index itself")
	}
	own := asked{part, identify(part.Cluster, &part.ViewRequest)}
	if len(own.id) > longestQuestion {
		return nil, cairn.Invalid("question", "QUESTION_TOO_LONG", "a question of %d bytes; ask the index itself", len(own.id))
	}
	m, err := r.mapAt(bounded, 0)
	if err != nil {
		return nil, err
	}
	directory := r.connections.directory(m)
	at, found := directory.find(part.Cluster)
	if !found || directory.members[at].cluster.Revision < part.ClusterRevision {
		return nil, cairn.Errorf(cairn.KindStale, "CLUSTER_STALE", "this router's map, at revision %d, does not have the cluster as of revision %d", m.Revision(), part.ClusterRevision)
	}
	member := &directory.members[at]
	event := QuestionEvent{Verb: VerbFleetPart, Cluster: member.cluster.Name}
	if keyspace, known := m.Catalog().KeyspaceByUID(part.Keyspace); known {
		event.Keyspace = keyspace.Name
	}
	answer := heard{r.kept.answer(own), SourceKept}
	if answer.reply == nil {
		var index Index
		if index, err = member.connection.get(member.cluster); err != nil {
			return nil, err
		}
		answer, err = r.askPart(bounded, index, own, true)
	}
	event.Source = answer.from
	r.questioned(event)
	if err != nil {
		return nil, err
	}
	r.kept.keep(own, answer.reply)
	return answer.reply, nil
}
