package admin

import (
	"context"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// HistoryFilter says which changes of the map are asked for; its zero value, all.
type HistoryFilter struct {
	// Keyspace is a keyspace's name, also of one that is gone; Shard one of it.
	Keyspace string
	Shard    cairn.ShardID
	// Since and Until bound the times of changes, by the clocks of who made them.
	Since, Until time.Time
	// Before is a revision that they come before; 0 for the last.
	Before uint64
}

// ListHistory is at most size changes of the map that a filter lets through, the last
// first, each with only the shards that it asks for; more tells whether others may
// follow. The store keeps a number of them.
func (a *Admin) ListHistory(ctx context.Context, f HistoryFilter, size int) (page []shardmap.Happened, more bool, err error) {
	err = a.store.History(ctx, f.Before, func(h shardmap.Happened) bool {
		if h, wanted := f.take(h); wanted {
			if len(page) == size {
				more = true
				return false
			}
			page = append(page, h)
		}
		return true
	})
	return page, more, err
}

// take is what a filter leaves of a change; false for nothing.
func (f HistoryFilter) take(h shardmap.Happened) (shardmap.Happened, bool) {
	if !f.Since.IsZero() && h.Time.Before(f.Since) || !f.Until.IsZero() && !h.Time.Before(f.Until) {
		return h, false
	}
	if f.Keyspace == "" {
		return h, true
	}
	var shards []shardmap.ShardHappened
	for _, s := range h.Shards {
		if s.KeyspaceName == f.Keyspace && (f.Shard == 0 || f.Shard == s.ID) {
			shards = append(shards, s)
		}
	}
	var resources []shardmap.ResourceHappened
	for _, r := range h.Resources {
		if f.Shard == 0 && r.Name == catalog.KeyspaceName(f.Keyspace) {
			resources = append(resources, r)
		}
	}
	h.Shards, h.Resources = shards, resources
	return h, len(shards)+len(resources) > 0
}
