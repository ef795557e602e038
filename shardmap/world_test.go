package shardmap_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// The keyspaces of the tests, and their clusters: clusterBase, clusterBase+1...
const (
	hashed      cairn.UID = 0x11
	ranged      cairn.UID = 0x22
	clusterBase cairn.UID = 0x1000
)

func newKeyspace(uid cairn.UID, scheme cairn.Scheme) *catalog.Keyspace {
	schema, err := cairn.NewSchema(nil)
	if err != nil {
		panic(err)
	}
	return &catalog.Keyspace{
		Keyspace: cairn.Keyspace{
			UID: uid, Name: fmt.Sprintf("%s-%d", scheme, uid), Placement: cairn.Placement{Scheme: scheme}, Replicas: 1, Schema: schema,
		},
		Revision: 1, ModRevision: 1, Generation: 1, NextShard: 1, NextAttribute: 1,
	}
}

func newClusters(n int) []*catalog.Cluster {
	out := make([]*catalog.Cluster, n)
	for i := range out {
		out[i] = &catalog.Cluster{
			UID: clusterBase + cairn.UID(i), Name: fmt.Sprintf("cluster-%d", i), Weight: 1, NextNode: 2, Revision: 1,
			Nodes: []cairn.Node{{ID: 1, Name: "a", Address: "a:1", Weight: 1, State: cairn.NodeActive}},
		}
	}
	return out
}

// rangeStart is the i-th bound of a keyspace whose bounds are 20 bytes and
// have much in common.
func rangeStart(i int) []byte { return fmt.Appendf(nil, "customers/%010d", i) }

// hashStart is the i-th of n even bounds.
func hashStart(i, n int) []byte {
	if i == 0 {
		return nil
	}
	return binary.BigEndian.AppendUint64(nil, uint64(i)*(1<<63/uint64(n)*2))
}

// evenShards are n shards of a keyspace, spread over clusters, with epochs up
// to revision. Ids are not in placement order, as in a keyspace that has long
// been splitting.
func evenShards(keyspace cairn.UID, n, clusters int, revision uint64) []shardmap.Shard {
	shards := make([]shardmap.Shard, n)
	for i := range shards {
		s := &shards[i]
		s.Keyspace = keyspace
		s.ID = cairn.ShardID(uint64(i)*7919%uint64(n) + 1)
		s.Cluster = clusterBase + cairn.UID(i*31%clusters)
		s.Epoch = uint64(i)%revision + 1
		s.Revision = s.Epoch
		switch {
		case keyspace == hashed:
			s.Start = hashStart(i, n)
		case i > 0:
			s.Start = rangeStart(i)
		}
		if i > 0 {
			shards[i-1].End = s.Start
		}
	}
	return shards
}

// evenMap is a Map of one keyspace of n even shards.
func evenMap(t testing.TB, keyspace cairn.UID, n, clusters int) *shardmap.Map {
	t.Helper()
	scheme := cairn.SchemeHash
	if keyspace == ranged {
		scheme = cairn.SchemeRange
	}
	k := newKeyspace(keyspace, scheme)
	k.NextShard = cairn.ShardID(n + 1)
	c, err := catalog.New([]*catalog.Keyspace{k}, newClusters(clusters), nil)
	if err != nil {
		t.Fatal(err)
	}
	var b shardmap.Builder
	for _, s := range evenShards(keyspace, n, clusters, 1000) {
		b.Add(s)
	}
	m, err := b.Build(1000, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// commit is what a reader of the store has after a change.
func commit(t testing.TB, m *shardmap.Map, change shardmap.Change) *shardmap.Map {
	t.Helper()
	update, err := change.Update(m.Revision()+1, m.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	next, err := m.Apply(update)
	if err != nil {
		t.Fatal(err)
	}
	return next
}
