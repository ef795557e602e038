package router

import (
	"context"
	"slices"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// ViewProgress tells how far views are, in the order of their names, by what
// every owner of their keyspaces says of itself; it is asked once for all of
// them. Clusters that can't be asked are missing. Done and Total are of the
// version that is being built or, if none is, of the one that serves. A view's
// Err is KindNotFound (VIEW_NOT_FOUND) if there is none of the name, and as of
// CountView with Partial.
func (r *Router) ViewProgress(ctx context.Context, views ...string) []cairn.ViewProgress {
	out := make([]cairn.ViewProgress, len(views))
	m, err := r.mapAt(ctx, 0)
	if err != nil {
		for i := range out {
			out[i].Err = asError(err)
		}
		return out
	}
	of := make(map[cairn.UID][]int) // places in views, by keyspace
	for i, name := range views {
		if view, found := m.Catalog().ViewByName(name); found {
			of[view.Keyspace] = append(of[view.Keyspace], i)
		} else {
			out[i].Err = viewUnknown(name)
		}
	}
	keyspaces := make([]cairn.UID, 0, len(of))
	asked := &census{}
	for keyspace := range of {
		keyspaces = append(keyspaces, keyspace)
		asked.epoch = max(asked.epoch, epochOf(m, keyspace))
	}
	together(len(keyspaces), func(i int) {
		keyspace, found := m.Catalog().KeyspaceByUID(keyspaces[i])
		if !found {
			return // a catalog has no view without
		}
		r.progressOf(ctx, keyspace.Name, asked, func(q *question, err error) {
			for _, at := range of[keyspace.UID] {
				if out[at].Err = err; err == nil {
					out[at] = q.progress(views[at])
				}
			}
		})
	})
	return out
}

// epochOf is which map revision all owners of a keyspace must have noted to know
// of its shards and views.
func epochOf(m *shardmap.Map, keyspace cairn.UID) (epoch uint64) {
	for _, owner := range m.Owners(keyspace) {
		epoch = max(epoch, owner.MaxEpoch)
	}
	for _, view := range m.Catalog().ViewsOf(keyspace) {
		epoch = max(epoch, view.Revision)
	}
	return epoch
}

// progressOf asks all owners of a keyspace how they are, and hands over what
// they say.
func (r *Router) progressOf(ctx context.Context, keyspace string, asked *census, tell func(*question, error)) {
	began := r.began()
	q := &question{sweep: sweep{router: r, verb: VerbViewProgress}, partial: true, census: asked}
	err := q.openAll(ctx, keyspace, cairn.Freshness{})
	defer q.close()
	if err == nil {
		_, err = q.gather(nil)
	}
	if err != nil {
		err = asError(err)
	}
	r.ended(VerbViewProgress, keyspace, 1, 0, began, err)
	tell(q, err)
}

// progress is what all indexes say of a view.
func (q *question) progress(name string) cairn.ViewProgress {
	view, found := q.directory.m.Catalog().ViewByName(name)
	if !found {
		return cairn.ViewProgress{Err: viewUnknown(name)}
	}
	out := cairn.ViewProgress{Missing: q.scattered().Missing}
	if view.Serving != nil {
		out.Serving = view.Serving.Number
	}
	if view.Building != nil {
		out.Building = view.Building.Number
	}
	for _, p := range q.parts {
		if p.status != nil && p.missing == nil {
			q.addProgress(view, p.status, &out)
		}
	}
	return out
}

// addProgress adds what one index says of a view.
func (q *question) addProgress(view *catalog.View, status *cairn.IndexStatus, out *cairn.ViewProgress) {
	stateOf := func(version uint64) (cairn.ViewState, bool) {
		at := slices.IndexFunc(status.Views, func(v cairn.ViewState) bool { return v.View == view.UID && v.Version == version })
		if at < 0 {
			return cairn.ViewState{}, false
		}
		return status.Views[at], true
	}
	if serving, found := stateOf(out.Serving); found {
		out.Members += serving.Members
		out.Bytes += serving.Bytes
	}
	declared, found := stateOf(view.Declared().Number)
	if !found {
		// It has not begun: all of its entries are to be gone through.
		for _, shard := range status.Shards {
			if shard.Keyspace == q.keyspace {
				declared.Total += shard.Entries
			}
		}
	}
	out.Done += declared.Done
	out.Total += declared.Total
	if out.Refusal == "" {
		out.Refusal = declared.Refusal
	}
}
