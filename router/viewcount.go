package router

import (
	"context"
	"time"

	"cairn"
)

// selecting is a question about a selection.
func (r *Router) selecting(verb Verb, asked cairn.Asked, selection *cairn.Selection) *question {
	q := &question{sweep: sweep{router: r, verb: verb}, partial: selection.Partial, pinned: selection.Pinned}
	q.request = cairn.ViewRequest{Where: selection.Where, Asked: asked}
	q.request.Now = nowOf(selection.Where, time.Now().UnixMicro())
	return q
}

// answer opens a question about a view and gathers its answers.
func (q *question) answer(ctx context.Context, selection *cairn.Selection) error {
	err := q.open(ctx, selection.View, selection.Freshness)
	if err == nil {
		_, err = q.gather(nil)
	}
	if err != nil {
		return asError(err)
	}
	return nil
}

// CountView counts the entries of a selection. The counts of all clusters are
// by one map, so that a shard which moves meanwhile is counted once. It fails
// as QueryView does.
func (r *Router) CountView(ctx context.Context, selection cairn.Selection) (cairn.ViewCount, error) {
	began := r.began()
	q := r.selecting(VerbCountView, cairn.AskCount, &selection)
	err := q.answer(ctx, &selection)
	defer q.close()
	r.ended(VerbCountView, q.name, 1, 0, began, err)
	if err != nil {
		return cairn.ViewCount{}, err
	}
	return cairn.ViewCount{Scattered: q.scattered(), Count: q.count()}, nil
}

// count is the sum of the parts' counts.
func (q *question) count() (sum uint64) {
	for _, p := range q.parts {
		if p.reply != nil {
			sum += p.reply.Count
		}
	}
	return sum
}

// CountWhere counts the entries of a keyspace of which a condition is true, all
// of them if it is empty. It needs a keyspace that has a view, whose attributes
// it is counted by, and fails as CountView does; with KindNotFound
// (KEYSPACE_NOT_FOUND) if there is no keyspace of this name.
func (r *Router) CountWhere(ctx context.Context, keyspace, where string, freshness cairn.Freshness) (uint64, error) {
	began := r.began()
	q := r.selecting(VerbCountWhere, cairn.AskCount, &cairn.Selection{Where: where})
	err := q.openAll(ctx, keyspace, freshness)
	defer q.close()
	if err == nil {
		_, err = q.gather(nil)
	}
	r.ended(VerbCountWhere, keyspace, 1, 0, began, err)
	if err != nil {
		return 0, asError(err)
	}
	return q.count(), nil
}

// AggregateView says how many entries of a selection have an attribute, which
// values are the least and the greatest, and their sum, which
// Aggregation.Sum refuses for what is no number. Parts are added in order of
// their clusters' uids, so that sums of floats come out the same each time. It
// fails as CountView does; with KindInvalid, field "attribute", for one that
// the keyspace does not have (ATTRIBUTE_UNKNOWN) or that has no index
// (ATTRIBUTE_UNINDEXED).
func (r *Router) AggregateView(ctx context.Context, selection cairn.Selection, attribute string) (cairn.ViewAggregation, error) {
	began := r.began()
	q := r.selecting(VerbAggregateView, cairn.AskAggregate, &selection)
	q.resolve = func() error {
		spec, err := q.attribute("attribute", attribute, false)
		q.request.Attributes = []cairn.AttributeID{spec.ID}
		return err
	}
	err := q.answer(ctx, &selection)
	defer q.close()
	r.ended(VerbAggregateView, q.name, 1, 0, began, err)
	if err != nil {
		return cairn.ViewAggregation{}, err
	}
	out := cairn.ViewAggregation{Scattered: q.scattered(), Attribute: attribute}
	for _, p := range q.parts { // ascending by cluster
		if p.reply != nil {
			out.Aggregation = out.Aggregation.Merge(p.reply.Aggregation)
		}
	}
	return out, nil
}
