package shardmap

import (
	"context"
	"time"

	"cairn"
	"cairn/shardmap/catalog"
)

// Author is who makes a change, and Why.
type Author struct{ Who, Why string }

type authorKey struct{}

// WithAuthor has changes that are committed with ctx be an author's.
func WithAuthor(ctx context.Context, author Author) context.Context {
	return context.WithValue(ctx, authorKey{}, author)
}

// AuthorFrom is who changes with ctx are by; the zero Author where nobody said.
func AuthorFrom(ctx context.Context) Author {
	author, _ := ctx.Value(authorKey{}).(Author)
	return author
}

// Happened is a change of the Map as it is remembered.
type Happened struct {
	// Revision is that of the transaction, Time by the clock of who made it.
	Revision uint64
	Time     time.Time
	Author
	Resources []ResourceHappened
	Shards    []ShardHappened
}

// ResourceHappened is what became of a keyspace, a cluster or a view.
type ResourceHappened struct {
	// Name is as in "keyspaces/runways".
	Name string
	// What is "created", "changed" or "deleted".
	What string
}

// ShardHappened is what became of a shard. Those that are created with their
// keyspace, and go with it, are not told one by one.
type ShardHappened struct {
	Keyspace cairn.UID
	// KeyspaceName is the keyspace's then.
	KeyspaceName string
	ID           cairn.ShardID
	// Before is nil of one that came to be, After of one that is gone.
	Before, After *ShardWas
}

// ShardWas is a shard at a time. Names are those of that time.
type ShardWas struct {
	Cluster    string
	Start, End []byte
	// Epoch is 0 in a change that has no revision yet, where it is that.
	Epoch  uint64
	Pinned bool
}

// Happens is what a change does to a Map that it was decided on, without its
// revision, time and author; false if that is nothing to remember, as the steps of a
// move that leave its shard where it is.
func (c Change) Happens(m *Map) (h Happened, something bool) {
	whole := make(map[cairn.UID]bool) // keyspaces that come or go
	resource := func(name string, expected uint64, put, deleted bool) {
		what := "changed"
		switch {
		case deleted:
			what = "deleted"
		case !put:
			return
		case expected == 0:
			what = "created"
		}
		h.Resources = append(h.Resources, ResourceHappened{name, what})
	}
	for _, k := range c.Keyspaces {
		if k.Put != nil && k.Expected == 0 {
			whole[k.Put.UID] = true
		}
		if standing, found := m.catalog.KeyspaceByName(k.Name); found && k.Delete {
			whole[standing.UID] = true
		}
		// A split puts the keyspace's record too: the next shard's id is in it.
		if k.Delete || k.Put != nil && (k.Expected == 0 || k.Put.Revision == 0 || k.Put.Deleting) {
			resource(catalog.KeyspaceName(k.Name), k.Expected, k.Put != nil, k.Delete)
		}
	}
	for _, each := range c.Clusters {
		resource(catalog.ClusterName(each.Name), each.Expected, each.Put != nil, each.Delete)
	}
	for _, v := range c.Views {
		resource(catalog.ViewName(v.Name), v.Expected, v.Put != nil, v.Delete)
	}
	for _, s := range c.Shards {
		if whole[s.Keyspace] {
			continue
		}
		k, found := m.catalog.KeyspaceByUID(s.Keyspace)
		if !found {
			continue
		}
		is := ShardHappened{Keyspace: s.Keyspace, KeyspaceName: k.Name, ID: s.ID}
		if before, found := m.Shard(s.Keyspace, s.ID); found {
			is.Before = m.was(before)
		}
		if s.Put != nil {
			is.After = m.was(*s.Put)
		} else if !s.Delete {
			continue
		}
		if is.Before != nil && is.After != nil && is.Before.Epoch == is.After.Epoch && is.Before.Pinned == is.After.Pinned {
			continue // neither owner nor bounds changed
		}
		h.Shards = append(h.Shards, is)
	}
	return h, len(h.Resources)+len(h.Shards) > 0
}

func (m *Map) was(s Shard) *ShardWas {
	return &ShardWas{Cluster: m.clusterName(s.Cluster), Start: s.Start, End: s.End, Epoch: s.Epoch, Pinned: s.Pinned}
}
