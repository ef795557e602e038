package etcdstore_test

import (
	"testing"
	"time"

	"cairn/shardmap"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
)

// BenchmarkCreateAndLoad creates a keyspace of 65,536 shards, the most there
// may be at first, and loads the map of it.
func BenchmarkCreateAndLoad(b *testing.B) {
	for b.Loop() {
		server := etcdtest.Start(b)
		s := open(b, etcdstore.Config{Client: server.Client(b)})
		addCluster(b, s, "north")
		began := time.Now()
		commit(b, s, newKeyspace(b, s, "many", 65_536))
		created := time.Since(began)
		began = time.Now()
		open(b, etcdstore.Config{Client: server.Client(b)})
		b.ReportMetric(created.Seconds(), "create-s")
		b.ReportMetric(time.Since(began).Seconds(), "load-s")
	}
}

// BenchmarkCommitToMap is one split, until it is in the Map of another Store.
func BenchmarkCommitToMap(b *testing.B) {
	server := etcdtest.Start(b)
	writer, reader := open(b, etcdstore.Config{Client: server.Client(b)}), open(b, etcdstore.Config{Client: server.Client(b)})
	addCluster(b, writer, "north")
	m := commit(b, writer, newKeyspace(b, writer, "many", 100))
	k := keyspace(b, m, "many")
	ctx := b.Context()
	last := uint64(1)
	for b.Loop() {
		at := []byte{0, 0, 0, 0, byte(last >> 24), byte(last >> 16), byte(last >> 8), byte(last)}
		last++
		shard, _ := m.Lookup(k.UID, at)
		change, err := shardmap.Split(m, k.UID, shard.ID, at)
		if err != nil {
			b.Fatal(err)
		}
		revision, err := writer.Commit(ctx, change)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := reader.Wait(ctx, revision); err != nil {
			b.Fatal(err)
		}
		if m, err = writer.Wait(ctx, revision); err != nil {
			b.Fatal(err)
		}
	}
}
