package router

import (
	"context"
	"time"

	"cairn"
	"cairn/shardmap/catalog"
)

// ExportView delivers all members of a view that one cluster has, from one
// state of its index: their ordinals as a bitmap, in pieces, and then their
// keys in ascending order of these. An export takes as long as its context
// lets it; only its beginning is bounded by Config.Timeout where the context
// has no deadline.
//
// It fails with the error of deliver; with KindNotFound (VIEW_NOT_FOUND,
// CLUSTER_NOT_FOUND) for names that there are not; with KindPrecondition
// (CLUSTER_OWNS_NOTHING) for a cluster that owns no part of the view's
// keyspace; with KindUnavailable (VIEW_BUILDING) while no version of the view
// has been built; and otherwise as QueryView does. What fails after the first
// piece is not tried again: a new export may be of another state.
func (r *Router) ExportView(ctx context.Context, view, cluster string, deliver func(cairn.ExportPiece) error) error {
	began := r.began()
	x := &export{router: r, outer: ctx, ctx: ctx, view: view, cluster: cluster, deliver: deliver}
	err := x.run()
	r.ended(VerbExportView, x.keyspace, 1, 0, began, err)
	return err
}

// export is one export under way.
type export struct {
	router        *Router
	view, cluster string
	deliver       func(cairn.ExportPiece) error
	keyspace      string
	trial         trial
	// outer is the caller's context, ctx the export's own.
	outer, ctx context.Context
	beginning  *time.Timer
	begun      bool
	refused    error // of deliver
}

func (x *export) run() error {
	deadline, has := x.ctx.Deadline()
	if !has {
		deadline = time.Now().Add(x.router.timeout)
	}
	var stop context.CancelFunc
	x.ctx, stop = context.WithCancel(x.ctx)
	defer stop()
	// It bounds the beginning alone: the first piece stops it.
	x.beginning = time.AfterFunc(time.Until(deadline), stop)
	defer x.beginning.Stop()
	for {
		learnt := x.attempt()
		switch {
		case learnt.refusal == nil:
			return nil
		case x.refused != nil:
			return x.refused
		case x.begun:
			return learnt.refusal
		}
		event := RetryEvent{Verb: VerbExportView, Keyspace: x.keyspace, Cluster: x.cluster}
		if x.ctx.Err() != nil || !x.router.prepareNext(x.ctx, event, learnt, &x.trial) {
			if learnt.action == giveUp && learnt.refusal.Kind != cairn.KindDeadline {
				return learnt.refusal
			}
			ended := x.outer.Err()
			if ended == nil {
				ended = context.DeadlineExceeded // of the beginning
			}
			return gaveUpBy(ended, x.trial.tries, x.trial.last)
		}
	}
}

// attempt exports once, by a map at least as new as what was learnt asks for.
func (x *export) attempt() verdict {
	m, err := x.router.mapAt(x.ctx, x.trial.revision)
	if err != nil {
		return learnRead(err, cairn.Answer{}, x.trial.revision)
	}
	final := func(err *cairn.Error) verdict { return verdict{action: giveUp, refusal: err} }
	view, found := m.Catalog().ViewByName(x.view)
	if !found {
		return final(viewUnknown(x.view))
	}
	keyspace, found := m.Catalog().KeyspaceByUID(view.Keyspace)
	if !found {
		return final(viewUnknown(x.view))
	}
	x.keyspace = keyspace.Name
	if view.Serving == nil {
		return final(viewBuilding(view))
	}
	cluster, found := m.Catalog().ClusterByName(x.cluster)
	if !found {
		return final(clusterNotFound(x.cluster))
	}
	owner, found := m.Owner(view.Keyspace, cluster.UID)
	if !found {
		return final(cairn.Errorf(cairn.KindPrecondition, "CLUSTER_OWNS_NOTHING", "cluster %s owns no part of keyspace %s", cluster.Name, keyspace.Name))
	}
	d := x.router.connections.directory(m)
	at, _ := d.find(cluster.UID)
	index, err := d.members[at].connection.get(d.members[at].cluster)
	if err != nil {
		return learnRead(err, cairn.Answer{}, m.Revision())
	}
	request := &cairn.ExportRequest{
		Read: readOf(keyspace, max(owner.MaxEpoch, keyspace.Revision, view.Revision, x.trial.revision), cluster, cairn.Freshness{}),
		View: view.UID, Version: view.Serving.Number,
	}
	err = index.ExportView(x.ctx, request, func(piece cairn.ExportPiece) error {
		if !x.begun {
			x.begun = true
			x.beginning.Stop()
		}
		x.refused = x.deliver(piece)
		return x.refused
	})
	if err == nil {
		return verdict{}
	}
	err = versionMoved(err)
	var answer cairn.Answer
	if cairn.KindOf(err) == cairn.KindStale && !x.begun {
		// By which map it says so, a stream has no place to tell.
		if status, err := index.Status(x.ctx, 0); err == nil {
			answer.Revision = status.MapRevision
		}
	}
	return learnRead(err, answer, m.Revision())
}

func viewBuilding(view *catalog.View) *cairn.Error {
	return cairn.Errorf(cairn.KindUnavailable, "VIEW_BUILDING",
		"view %s is being built for the first time; `cairn get views` shows how far it is", view.Name)
}

func clusterNotFound(name string) *cairn.Error {
	e := cairn.Errorf(cairn.KindNotFound, "CLUSTER_NOT_FOUND", "there is no cluster %q", name)
	e.Field = "cluster"
	return e
}
