package router

import (
	"cmp"
	"context"
	"slices"

	"cairn"
	"cairn/views/page"
)

// GroupView counts the entries of a selection by the values of one or two
// attributes, exactly: the groups of all clusters are joined before the top is
// chosen. Groups are in order of their values, an absent one last; with Top by
// size, the largest first, and by their values where that is the same.
//
// It fails as CountView does; with KindInvalid, field "group_by", for no or
// more than two attributes (GROUP_BY_ATTRIBUTES), one that is named twice
// (ATTRIBUTE_TWICE), that the keyspace does not have (ATTRIBUTE_UNKNOWN) or
// that has no index (ATTRIBUTE_UNINDEXED); with KindInvalid, field "top", if
// that is negative; with KindExhausted, field "group_by" (GROUPS_TOO_MANY), if
// there are more than cairn.MaxGroups groups.
func (r *Router) GroupView(ctx context.Context, query cairn.GroupQuery) (cairn.ViewGroups, error) {
	began := r.began()
	q := r.selecting(VerbGroupView, cairn.AskGroups, &query.Selection)
	groups, err := q.groups(ctx, &query)
	defer q.close()
	r.ended(VerbGroupView, q.name, 1, 0, began, err)
	if err != nil {
		return cairn.ViewGroups{}, err
	}
	return cairn.ViewGroups{Scattered: q.scattered(), By: query.By, Groups: groups}, nil
}

func (q *question) groups(ctx context.Context, query *cairn.GroupQuery) ([]cairn.Group, error) {
	if len(query.By) < 1 || len(query.By) > 2 {
		return nil, cairn.Invalid("group_by", "GROUP_BY_ATTRIBUTES", "%d attributes; group by one or by two different ones", len(query.By))
	}
	if query.Top < 0 {
		return nil, cairn.Invalid("top", "TOP_OUT_OF_RANGE", "a top of %d; 0 stands for all groups", query.Top)
	}
	q.resolve = func() (err error) {
		q.request.Attributes, err = q.attributes("group_by", query.By, false)
		return err
	}
	if err := q.answer(ctx, &query.Selection); err != nil {
		return nil, err
	}
	runs := make([]*page.Run[cairn.Group], 0, len(q.parts))
	for _, p := range q.parts {
		if p.reply != nil {
			runs = append(runs, &page.Run[cairn.Group]{Rows: p.reply.Groups})
		}
	}
	merged, err := mergeGroups(runs)
	if err != nil {
		return nil, err
	}
	return topOf(merged, query.Top), nil
}

// mergeGroups joins groups that are in order of their values.
func mergeGroups(runs []*page.Run[cairn.Group]) ([]cairn.Group, error) {
	most := 0
	for _, run := range runs {
		most = max(most, len(run.Rows))
	}
	merged, tooMany := make([]cairn.Group, 0, most), false
	var values []cairn.Value // of all groups: those of the runs may be others' too
	page.Merge(runs, compareGroups, func(group *cairn.Group, _ int) bool {
		if last := len(merged) - 1; last >= 0 && compareGroups(&merged[last], group) == 0 {
			merged[last].Count += group.Count
			return true
		}
		if tooMany = len(merged) == cairn.MaxGroups; tooMany {
			return false
		}
		values = append(values, group.Values...)
		own := values[len(values)-len(group.Values):]
		merged = append(merged, cairn.Group{Values: own[:len(own):len(own)], Count: group.Count})
		return true
	})
	if tooMany {
		e := cairn.Errorf(cairn.KindExhausted, "GROUPS_TOO_MANY", "more than %d groups; narrow the selection or group by an attribute with fewer values", cairn.MaxGroups)
		e.Field = "group_by"
		return nil, e
	}
	return merged, nil
}

// compareGroups orders groups by their values, absent ones last.
func compareGroups(a, b *cairn.Group) int {
	for i := range a.Values {
		if order := page.CompareValues(page.Ascending, a.Values[i], b.Values[i]); order != 0 {
			return order
		}
	}
	return 0
}

// topOf are the largest groups; all in their order if top is 0.
func topOf(groups []cairn.Group, top int) []cairn.Group {
	if top == 0 {
		return groups
	}
	slices.SortFunc(groups, func(a, b cairn.Group) int { return cmp.Or(cmp.Compare(b.Count, a.Count), compareGroups(&a, &b)) })
	return groups[:min(top, len(groups))]
}
