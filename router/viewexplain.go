package router

import (
	"context"
	"slices"

	"cairn"
)

// ExplainView tells whether a key is in a view, and which clauses of the
// view's filter make it so. It asks the key's owner alone, and fails as
// CountView does; with KindInvalid, field "key", for what is no key.
func (r *Router) ExplainView(ctx context.Context, view string, key cairn.Key, freshness cairn.Freshness) (cairn.ViewMembership, error) {
	began := r.began()
	q := r.selecting(VerbExplainView, cairn.AskMembership, &cairn.Selection{})
	q.of, q.request.Key = key, key
	out, err := q.membership(ctx, view, freshness)
	defer q.close()
	r.ended(VerbExplainView, q.name, 1, 0, began, err)
	return out, err
}

func (q *question) membership(ctx context.Context, view string, freshness cairn.Freshness) (cairn.ViewMembership, error) {
	if err := checkKey("key", q.of); err != nil {
		return cairn.ViewMembership{}, err
	}
	if err := q.answer(ctx, &cairn.Selection{View: view, Freshness: freshness}); err != nil {
		return cairn.ViewMembership{}, err
	}
	p := q.parts[0]
	out := cairn.ViewMembership{
		Scattered: q.scattered(), Cluster: q.cluster(&p.part).Name,
		Version: q.version.Number, Filter: q.version.Filter, Membership: p.reply.Membership,
		Attributes: make(map[cairn.AttributeID]string),
	}
	out.Membership.Deciding = slices.Clone(out.Membership.Deciding) // the reply may be others' too
	for _, decision := range out.Membership.Deciding {
		if spec, found := q.declared.Schema.ByID(decision.Attribute); found {
			out.Attributes[spec.ID] = spec.Name
		}
	}
	return out, nil
}
