package router

import (
	"context"

	"cairn"
	"cairn/shardmap/placement"
)

// WatchSnapshot is Watch that begins with what there is: every entry, as a
// change without Before and without a time, in deliveries without a token. The
// first delivery with one has no changes, and says that all entries have been
// told; what follows are the changes since the call began. An entry may be told
// as it was a little later: those changes then come again. Who applies
// everything in turn has in the end what there is.
//
// It fails as Watch does, and, while entries are told, as List does.
func (r *Router) WatchSnapshot(ctx context.Context, keyspace string, deliver func(cairn.Changes) error) error {
	began := r.began()
	err := r.watch(ctx, keyspace, cairn.Token{}, true, deliver)
	r.ended(VerbWatch, keyspace, 0, 0, began, err)
	return err
}

// tellEntries delivers every entry as of the watch's token or later.
func (w *watching) tellEntries(ctx context.Context) error {
	over, freshness := cairn.Range{}, cairn.Freshness{Level: cairn.AtLeast, Token: w.token}
	for {
		page, err := w.router.list(ctx, w.name, over, freshness)
		if err != nil {
			return err
		}
		if len(page.Entries) > 0 {
			if err := w.deliver(cairn.Changes{Changes: w.asChanges(page.Entries)}); err != nil {
				return err
			}
		}
		if page.NextPageToken == "" {
			return nil
		}
		over.PageToken = page.NextPageToken
	}
}

func (w *watching) asChanges(entries []cairn.NamedEntry) []cairn.NamedChange {
	declared, _ := w.m.Catalog().KeyspaceByUID(w.keyspace)
	out := make([]cairn.NamedChange, len(entries))
	var buffer [placement.HashLength]byte
	for i := range entries {
		e := &entries[i]
		out[i] = cairn.NamedChange{Key: e.Key, After: e}
		if declared != nil {
			shard, _ := w.m.Lookup(w.keyspace, placement.Key(declared.Placement, e.Key, buffer[:0]))
			out[i].Shard = shard.ID
		}
	}
	return out
}
