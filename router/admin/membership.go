package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

const (
	// countTimeout bounds the counting for one plan, which can do without.
	countTimeout = 3 * time.Second
	// countsAtOnce is how many views are counted at a time.
	countsAtOnce = 2
)

// countMembers adds to the changes of views whose filters change what they
// would gain and lose, or a warning where that can't be counted.
func (a *Admin) countMembers(ctx context.Context, m *shardmap.Map, plan *catalog.Plan, changes []ResourceChange) {
	if a.config.CountWhere == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(countsAtOnce)
	for _, refilter := range plan.Refilters {
		name := catalog.ViewName(refilter.View)
		change := &changes[slices.IndexFunc(changes, func(c ResourceChange) bool { return c.Name == name })]
		group.Go(func() error {
			membership, err := a.membership(ctx, m, refilter)
			if err != nil {
				// The plan keeps its own warnings: they are in its fingerprint.
				change.Warnings = append(slices.Clone(change.Warnings),
					fmt.Sprintf("how many entries it would gain and lose is not known: %v", err))
				return nil
			}
			change.Membership = &membership
			return nil
		})
	}
	_ = group.Wait() // what can't be counted is a warning
}

// membership counts what a view gains and loses by another filter. A filter
// lets in only what it is true of, so that an entry of which it is unknown is
// no member; neither "not the old one" nor "not the new one" would find those.
// So what both let in is counted, and taken from what each does. Entries that
// come and go between the counts may show in the result.
func (a *Admin) membership(ctx context.Context, m *shardmap.Map, of catalog.Refilter) (Membership, error) {
	keyspace, found := m.Catalog().KeyspaceByName(of.Keyspace)
	if !found || !slices.ContainsFunc(m.Catalog().ViewsOf(keyspace.UID), func(v *catalog.View) bool { return v.Serving != nil }) {
		return Membership{}, cairn.Errorf(cairn.KindUnavailable, "VIEW_BUILDING", "no view of keyspace %s is built yet", of.Keyspace)
	}
	var before, after, both uint64
	for _, count := range []struct {
		of    string
		where string
		into  *uint64
	}{{"its members", of.Before, &before}, {"its members to be", of.After, &after}, {"those that stay", joined(of.Before, of.After), &both}} {
		var err error
		if *count.into, err = a.config.CountWhere(ctx, of.Keyspace, count.where); err != nil {
			return Membership{}, fmt.Errorf("counting %s: %w", count.of, err)
		}
	}
	return Membership{Gained: after - min(after, both), Lost: before - min(before, both)}, nil
}

// joined is the condition that both conditions hold. Each is closed on a line
// of its own, since one may end with a comment.
func joined(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return "(" + a + "\n) && (" + b + "\n)"
}
