package admin

import (
	"bytes"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/placement"
)

// ShardsAfter is where a page of shards begins: at the first shard that starts
// at Start or after it. The zero ShardsAfter is the beginning.
type ShardsAfter struct {
	// Keyspace tells the keyspace from another of its name.
	Keyspace cairn.UID
	Start    []byte
}

// maxPageBytes bounds the bounds of a page's shards, which are the most of it.
const maxPageBytes = 512 << 10

// ListShards shows a page of a keyspace's shards in placement order: at most
// size, and fewer where their bounds are long, from where the page before said. next is where the next page begins,
// nil after the last shard. A listing shows no shard twice, and each that
// stands throughout once. How many entries a shard has is asked of its owner;
// where the owner can't be asked, it is not known.
//
// KindNotFound if there is no keyspace of that name; KindInvalid
// (PAGE_TOKEN_MISMATCH) if from is of another keyspace.
func (a *Admin) ListShards(ctx context.Context, keyspace string, from ShardsAfter, size int) (page []ShardInfo, next *ShardsAfter, err error) {
	m, k, err := a.keyspace(ctx, keyspace)
	if err != nil {
		return nil, nil, err
	}
	if from.Keyspace != 0 && from.Keyspace != k.UID {
		return nil, nil, cairn.Invalid("page_token", "PAGE_TOKEN_MISMATCH", "the page token is of another keyspace, or of one that had this name before")
	}
	room := maxPageBytes
	for shard := range m.ShardsFrom(k.UID, from.Start) {
		if bytes.Compare(shard.Start, from.Start) < 0 {
			// What began the page has since been merged into a shard that the
			// page before has shown.
			continue
		}
		room -= len(shard.Start) + len(shard.End)
		if len(page) == size || len(page) > 0 && room < 0 {
			next = &ShardsAfter{k.UID, shard.Start}
			break
		}
		page = append(page, shardInfo(m, shard))
	}
	a.describe(ctx, m, page)
	return page, next, nil
}

// SplitShard divides a shard in two; both stay with its cluster. KindNotFound
// if there is no such shard; KindInvalid if it can't be divided there, or is
// of a range keyspace and at is empty; KindPrecondition (SHARD_MOVING) while it
// moves; KindConflict if it was changed
// meanwhile.
func (a *Admin) SplitShard(ctx context.Context, keyspace string, id cairn.ShardID, at SplitAt) (left, right ShardInfo, err error) {
	m, k, err := a.keyspace(ctx, keyspace)
	if err != nil {
		return left, right, err
	}
	shard, found := m.Shard(k.UID, id)
	if !found {
		return left, right, noShard(k, id)
	}
	where, err := at.resolve(k, shard)
	if err != nil {
		return left, right, err
	}
	change, err := shardmap.Split(m, k.UID, id, where)
	if err != nil {
		return left, right, err
	}
	shards, err := a.commitShards(ctx, k, change, id, k.NextShard)
	if err != nil {
		return left, right, err
	}
	return shards[0], shards[1], nil
}

// resolve is the placement key to split at.
func (s SplitAt) resolve(k *catalog.Keyspace, shard shardmap.Shard) ([]byte, error) {
	switch {
	case s.PlacementKey != nil && s.Key != nil:
		return nil, cairn.Invalid("at", "SPLIT_AT_TWICE", "give a placement key or a key, not both")
	case s.PlacementKey != nil:
		return s.PlacementKey, nil
	case s.Key != nil:
		if err := s.Key.Validate(); err != nil {
			return nil, err
		}
		return placement.Key(k.Placement, s.Key, nil), nil
	case k.Placement.Scheme != cairn.SchemeHash:
		return nil, cairn.Invalid("at", "SPLIT_AT_MISSING", "say where to split: the middle of a range of keys is not known")
	}
	middle, ok := placement.Middle(shard.Start, shard.End)
	if !ok {
		return nil, cairn.Invalid("at", "SPLIT_TOO_SMALL", "shard %s has one placement key only; it can't be divided", shard.ID)
	}
	return middle, nil
}

// MergeShards joins a shard with the one after it; the first one's id stays.
// KindNotFound if there is no such shard; KindPrecondition if it is the last,
// or the one after it is of another cluster, or either moves or is withheld
// (SHARD_WITHHELD); KindConflict if either was changed meanwhile. Where a move
// brought either, their owner's index has to answer.
func (a *Admin) MergeShards(ctx context.Context, keyspace string, id cairn.ShardID) (ShardInfo, error) {
	m, k, err := a.keyspace(ctx, keyspace)
	if err != nil {
		return ShardInfo{}, err
	}
	change, err := a.merge(ctx, m, k.UID, id)
	if err != nil {
		return ShardInfo{}, err
	}
	return a.commitShard(ctx, k, change, id)
}

// merge decides a merge, of shards that their owner's index serves: one that it
// withholds has nothing to bring along, and would pass for empty.
func (a *Admin) merge(ctx context.Context, m *shardmap.Map, keyspace cairn.UID, id cairn.ShardID) (shardmap.Change, error) {
	change, err := shardmap.Merge(m, keyspace, id)
	if err != nil {
		return shardmap.Change{}, err
	}
	var brought []shardmap.Shard // at least one of them by a move
	var epoch uint64
	byMove := false
	for _, each := range change.Shards {
		shard, _ := m.Shard(keyspace, each.ID) // it was decided on this Map
		brought, epoch, byMove = append(brought, shard), max(epoch, shard.Epoch), byMove || shard.Move != 0
	}
	if !byMove {
		return change, nil
	}
	cluster, found := m.Catalog().ClusterByUID(brought[0].Cluster)
	if !found {
		return shardmap.Change{}, cairn.Errorf(cairn.KindPrecondition, "CLUSTER_GONE", "there is no cluster %s any more", brought[0].Cluster)
	}
	status, err := a.status(ctx, cluster, epoch)
	if err != nil {
		return shardmap.Change{}, askIndex(cluster, err)
	}
	for _, shard := range brought {
		serves := slices.ContainsFunc(status.Shards, func(s cairn.ShardStatus) bool {
			return s.Keyspace == keyspace && s.Shard == shard.ID && s.Epoch == shard.Epoch
		})
		if !serves {
			return shardmap.Change{}, cairn.Errorf(cairn.KindPrecondition, "SHARD_WITHHELD",
				"the index of cluster %s does not serve shard %s in epoch %d, since what it holds did not arrive as a whole; merged, it would pass for empty", cluster.Name, shard.ID, shard.Epoch)
		}
	}
	return change, nil
}

// IsolateKey gives the keys that are placed where a key is a shard of their own,
// which stays with its cluster: one that they have already is shown as it is.
// KindInvalid for a key that is none; KindPrecondition if they are in a shard that
// moves; KindConflict if it was changed meanwhile.
func (a *Admin) IsolateKey(ctx context.Context, keyspace string, key cairn.Key) (ShardInfo, error) {
	if err := key.Validate(); err != nil {
		return ShardInfo{}, err
	}
	m, k, err := a.keyspace(ctx, keyspace)
	if err != nil {
		return ShardInfo{}, err
	}
	at := placement.Key(k.Placement, key, nil)
	change, id, err := shardmap.Isolate(m, k.UID, at, placement.After(k.Placement.Scheme, at))
	if err != nil {
		return ShardInfo{}, err
	}
	return a.commitShard(ctx, k, change, id)
}

// commitShard makes a change and shows a shard as it stands after it.
func (a *Admin) commitShard(ctx context.Context, k *catalog.Keyspace, change shardmap.Change, id cairn.ShardID) (ShardInfo, error) {
	shards, err := a.commitShards(ctx, k, change, id)
	if err != nil {
		return ShardInfo{}, err
	}
	return shards[0], nil
}

// commitShards makes a change and shows some shards as they stand after it.
func (a *Admin) commitShards(ctx context.Context, k *catalog.Keyspace, change shardmap.Change, ids ...cairn.ShardID) ([]ShardInfo, error) {
	revision, err := a.store.Commit(ctx, change)
	if err != nil {
		return nil, err
	}
	m, err := a.await(ctx, revision)
	if err != nil {
		return nil, err
	}
	out := make([]ShardInfo, len(ids))
	for i, id := range ids {
		shard, found := m.Shard(k.UID, id)
		if !found {
			return nil, cairn.Errorf(cairn.KindConflict, "MAP_CHANGED", "done at revision %d, but shard %s was changed again since", revision, id)
		}
		out[i] = shardInfo(m, shard)
	}
	a.describe(ctx, m, out)
	return out, nil
}

func shardInfo(m *shardmap.Map, shard shardmap.Shard) ShardInfo {
	held, _ := m.MoveOf(shard.Keyspace, shard.ID)
	return ShardInfo{Shard: shard, HeldBy: held.UID}
}

// describe adds to shards their owners' names, and what the owners hold of
// them: each is asked once, all at the same time.
func (a *Admin) describe(ctx context.Context, m *shardmap.Map, shards []ShardInfo) {
	byOwner := map[cairn.UID][]int{}
	for i := range shards {
		byOwner[shards[i].Cluster] = append(byOwner[shards[i].Cluster], i)
	}
	var group errgroup.Group
	for uid, places := range byOwner {
		cluster, found := m.Catalog().ClusterByUID(uid)
		if !found {
			continue
		}
		group.Go(func() error {
			a.describeOwned(ctx, cluster, shards, places)
			return nil
		})
	}
	_ = group.Wait() // what can't be asked stays unknown
}

func (a *Admin) describeOwned(ctx context.Context, cluster *catalog.Cluster, shards []ShardInfo, places []int) {
	var epoch uint64
	for _, i := range places {
		shards[i].ClusterName = cluster.Name
		epoch = max(epoch, shards[i].Epoch)
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	status, err := a.status(ctx, cluster, epoch)
	if err != nil {
		return
	}
	held := make(map[shardRef]uint64, len(status.Shards))
	for _, s := range status.Shards {
		held[shardRef{s.Keyspace, s.Shard, s.Epoch}] = s.Entries
	}
	for _, i := range places {
		s := &shards[i]
		s.Entries, s.EntriesKnown = held[shardRef{s.Keyspace, s.ID, s.Epoch}]
	}
}

func noShard(k *catalog.Keyspace, id cairn.ShardID) error {
	return cairn.Errorf(cairn.KindNotFound, "SHARD_NOT_FOUND", "keyspace %s has no shard %s", k.Name, id)
}
