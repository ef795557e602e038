package router

import (
	"context"
	"slices"

	"cairn"
)

// ViewProgress tells how far a view is, by what every owner of its keyspace
// says of itself. Clusters that can't be asked are missing. Done and Total are
// of the version that is being built or, if none is, of the one that serves.
// It fails with KindNotFound (VIEW_NOT_FOUND) if there is no view of this name,
// and as CountView does with Partial.
func (r *Router) ViewProgress(ctx context.Context, view string) (cairn.ViewProgress, error) {
	began := r.began()
	q := &question{sweep: sweep{router: r, verb: VerbViewProgress}, partial: true, status: true}
	err := q.answer(ctx, &cairn.Selection{View: view})
	defer q.close()
	r.ended(VerbViewProgress, q.name, 1, 0, began, err)
	if err != nil {
		return cairn.ViewProgress{}, err
	}
	out := cairn.ViewProgress{Missing: q.scattered().Missing}
	if q.view.Serving != nil {
		out.Serving = q.view.Serving.Number
	}
	if q.view.Building != nil {
		out.Building = q.view.Building.Number
	}
	for _, p := range q.parts {
		if p.status != nil && p.missing == nil {
			q.progressOf(p.status, &out)
		}
	}
	return out, nil
}

// progressOf adds what one index says.
func (q *question) progressOf(status *cairn.IndexStatus, out *cairn.ViewProgress) {
	stateOf := func(version uint64) (cairn.ViewState, bool) {
		at := slices.IndexFunc(status.Views, func(v cairn.ViewState) bool { return v.View == q.view.UID && v.Version == version })
		if at < 0 {
			return cairn.ViewState{}, false
		}
		return status.Views[at], true
	}
	if serving, found := stateOf(out.Serving); found {
		out.Members += serving.Members
		out.Bytes += serving.Bytes
	}
	declared, found := stateOf(q.view.Declared().Number)
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
