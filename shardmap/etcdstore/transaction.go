package etcdstore

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// etcd refuses transactions of more than 128 operations or compares by
// default. A nested transaction's operations count with those around it.
const (
	maxOperations = 128
	nestedChunk   = 60
)

// deletionsKey is put by every transaction that deletes a keyspace, a cluster or
// a view, so that one compare covers all of them.
const deletionsKey = "deletions"

// transaction is a change in etcd's terms.
type transaction struct {
	compares []clientv3.Cmp
	ops      []clientv3.Op
	// looks are for the failed branch: what stands at each compared key.
	looks  []clientv3.Op
	looked []look
	// staged are shards to write in transactions of their own, before.
	staged map[generation][]shardmap.Shard
}

type look struct {
	name     string
	expected uint64
}

// transaction translates a change. One with many records is decided against
// the present Map, which the transaction then compares as a whole.
func (s *Store) transaction(ctx context.Context, change shardmap.Change) (*transaction, error) {
	t := &transaction{staged: map[generation][]shardmap.Shard{}}
	created, deleted := map[cairn.UID]bool{}, map[cairn.UID]bool{}
	m := s.Map()
	for _, k := range change.Keyspaces {
		if k.Put != nil && k.Expected == 0 {
			created[k.Put.UID] = true
		}
		if standing, found := m.Catalog().KeyspaceByName(k.Name); found && k.Delete {
			deleted[standing.UID] = true
		}
	}
	const ownOperations = 3 // the committer's, the history's and the deletions key
	stage := len(created) > 0 && len(change.Keyspaces)+len(change.Clusters)+len(change.Views)+len(change.Shards)+ownOperations > maxOperations
	deletes := false
	for _, k := range change.Keyspaces {
		key := keyspacesFolder + k.Name
		s.compare(t, key, catalog.KeyspaceName(k.Name), k.Expected)
		switch {
		case k.Put != nil:
			t.ops = append(t.ops, clientv3.OpPut(s.config.Prefix+key, string(catalog.EncodeKeyspace(k.Put))))
		case k.Delete:
			t.ops = append(t.ops, clientv3.OpDelete(s.config.Prefix+key))
			deletes = true
		}
	}
	for _, c := range change.Clusters {
		key := clustersFolder + c.Name
		s.compare(t, key, catalog.ClusterName(c.Name), c.Expected)
		switch {
		case c.Put != nil:
			t.ops = append(t.ops, clientv3.OpPut(s.config.Prefix+key, string(catalog.EncodeCluster(c.Put))))
		case c.Delete:
			t.ops = append(t.ops, clientv3.OpDelete(s.config.Prefix+key))
			deletes = true
		}
	}
	for _, v := range change.Views {
		key := viewsFolder + v.Name
		s.compare(t, key, catalog.ViewName(v.Name), v.Expected)
		switch {
		case v.Put != nil:
			t.ops = append(t.ops, clientv3.OpPut(s.config.Prefix+key, string(catalog.EncodeView(v.Put))))
		case v.Delete:
			t.ops = append(t.ops, clientv3.OpDelete(s.config.Prefix+key))
			deletes = true
		}
	}
	for _, shard := range change.Shards {
		g := generation{shard.Keyspace, shard.Generation}
		if deleted[shard.Keyspace] {
			continue // they go with their keyspace, and are swept
		}
		if stage && created[shard.Keyspace] && shard.Put != nil {
			t.staged[g] = append(t.staged[g], *shard.Put)
			continue
		}
		key := shardKey(g, shard.ID)
		s.compare(t, key, "shard "+shard.ID.String(), shard.Expected)
		switch {
		case shard.Put != nil:
			t.ops = append(t.ops, clientv3.OpPut(s.config.Prefix+key, string(encodeShard(*shard.Put))))
		case shard.Delete:
			t.ops = append(t.ops, clientv3.OpDelete(s.config.Prefix+key))
		}
	}
	for _, move := range change.Moves {
		key := moveKey(move.UID)
		s.compare(t, key, "move "+move.UID.String(), move.Expected)
		switch {
		case move.Put != nil:
			t.ops = append(t.ops, clientv3.OpPut(s.config.Prefix+key, string(encodeMove(*move.Put))))
		case move.Delete:
			t.ops = append(t.ops, clientv3.OpDelete(s.config.Prefix+key))
		}
	}
	if settings := change.Settings; settings != nil {
		s.compare(t, settingsKey, "the settings", settings.Expected)
		t.ops = append(t.ops, clientv3.OpPut(s.config.Prefix+settingsKey, string(encodeSettings(settings.Put))))
	}
	if remember := s.remember(ctx, change, m); remember != nil {
		t.ops = append(t.ops, *remember)
	}
	if deletes {
		t.ops = append(t.ops, clientv3.OpPut(s.config.Prefix+deletionsKey, ""))
	}
	// A staged keyspace takes one compare and one delete more.
	if len(t.compares)+len(t.staged)+ownOperations > maxOperations {
		return t, s.compareAsWhole(t, change, m)
	}
	return t, nil
}

func (s *Store) compare(t *transaction, key, name string, expected uint64) {
	t.compares = append(t.compares, clientv3.Compare(clientv3.ModRevision(s.config.Prefix+key), "=", int64(expected)))
	t.looks = append(t.looks, clientv3.OpGet(s.config.Prefix+key, clientv3.WithKeysOnly()))
	t.looked = append(t.looked, look{name, expected})
}

// compareAsWhole turns a transaction of too many records into one that holds
// only if nothing in the catalog has changed since a Map: a change to a record
// or a new one shows in the greatest revision of its folder, a deletion in the
// deletions key.
func (s *Store) compareAsWhole(t *transaction, change shardmap.Change, m *shardmap.Map) error {
	for _, shard := range change.Shards {
		if g := (generation{shard.Keyspace, shard.Generation}); t.staged[g] == nil {
			return cairn.Errorf(cairn.KindExhausted, "CHANGE_TOO_BIG", "a change of %d shards is more than one transaction of etcd takes; make it in parts", len(change.Shards))
		}
	}
	for _, k := range change.Keyspaces {
		var now uint64
		if standing, found := m.Catalog().KeyspaceByName(k.Name); found {
			now = standing.ModRevision
		}
		if now != k.Expected {
			return cairn.Errorf(cairn.KindConflict, "MAP_CHANGED", "%s changed meanwhile; look again and retry", catalog.KeyspaceName(k.Name))
		}
	}
	for _, c := range change.Clusters {
		var now uint64
		if standing, found := m.Catalog().ClusterByName(c.Name); found {
			now = standing.Revision
		}
		if now != c.Expected {
			return cairn.Errorf(cairn.KindConflict, "MAP_CHANGED", "%s changed meanwhile; look again and retry", catalog.ClusterName(c.Name))
		}
	}
	for _, v := range change.Views {
		var now uint64
		if standing, found := m.Catalog().ViewByName(v.Name); found {
			now = standing.Revision
		}
		if now != v.Expected {
			return cairn.Errorf(cairn.KindConflict, "MAP_CHANGED", "%s changed meanwhile; look again and retry", catalog.ViewName(v.Name))
		}
	}
	next := int64(m.Revision()) + 1
	t.looks, t.looked = nil, nil
	t.compares = []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(s.config.Prefix+deletionsKey), "<", next)}
	for _, folder := range []string{keyspacesFolder, clustersFolder, viewsFolder} {
		t.compares = append(t.compares, clientv3.Compare(clientv3.ModRevision(s.config.Prefix+folder).WithPrefix(), "<", next))
	}
	var nested []clientv3.Op
	for len(t.ops) > 0 {
		n := min(nestedChunk, len(t.ops))
		nested = append(nested, clientv3.OpTxn(nil, t.ops[:n], nil))
		t.ops = t.ops[n:]
	}
	t.ops = nested
	if len(nested)+len(t.staged)+1 > maxOperations-nestedChunk {
		return cairn.Errorf(cairn.KindExhausted, "CHANGE_TOO_BIG", "more records than one transaction of etcd takes; make the change in parts")
	}
	return nil
}
