package stack

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"

	"cairn"
	"cairn/bench/load"
	"cairn/router"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Routed is a router in this process over a map of many shards, and an index
// that answers at once whatever it is asked: what is measured is the map and the
// router alone.
type Routed struct {
	router *router.Router
	// MapBytes is how much of the heap the map takes.
	MapBytes int64
}

// Route makes one of so many shards of equal size.
func Route(shards int) (*Routed, error) {
	before := heap()
	m, err := evenMap(shards)
	if err != nil {
		return nil, err
	}
	r := &Routed{MapBytes: heap() - before}
	cluster, _ := m.Catalog().ClusterByName(clusterName)
	index := instant{nodes: []cairn.NodeID{cluster.Nodes[0].ID}}
	r.router, err = router.New(router.Config{
		Topology: fixed{m},
		Dial:     func(*catalog.Cluster) (router.Index, error) { return index, nil },
	})
	return r, err
}

// evenMap is the declared map with as many shards instead of its own.
func evenMap(shards int) (*shardmap.Map, error) {
	m, err := declaredMap()
	if err != nil {
		return nil, err
	}
	keyspace := *m.Catalog().Keyspaces()[0]
	keyspace.NextShard = cairn.ShardID(shards + 1)
	clusters := m.Catalog().Clusters()
	c, err := catalog.New([]*catalog.Keyspace{&keyspace}, clusters, nil)
	if err != nil {
		return nil, err
	}
	var b shardmap.Builder
	var start []byte
	for n := range shards {
		var end []byte
		if n < shards-1 {
			end = binary.BigEndian.AppendUint64(nil, ^uint64(0)/uint64(shards)*uint64(n+1))
		}
		b.Add(shardmap.Shard{
			Shard:   cairn.Shard{Keyspace: keyspace.UID, ID: cairn.ShardID(n + 1), Start: start, End: end, Epoch: m.Revision()},
			Cluster: clusters[0].UID, Revision: m.Revision(),
		})
		start = end
	}
	return b.Build(m.Revision(), c)
}

// heap is how much of the heap is in use.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// Locate is a caller that locates random keys.
func (r *Routed) Locate(seed uint64) load.Call {
	random := rand.New(rand.NewPCG(seed, 0))
	key := make([]byte, 0, 32)
	return func(ctx context.Context) (int, error) {
		for range locatesACall {
			key = load.AppendKey(key[:0], random.IntN(1_000_000_000))
			location, _, err := r.router.Locate(ctx, Keyspace, key, cairn.Reading{})
			if err != nil {
				return 0, err
			}
			if location.State != cairn.Found {
				return 0, fmt.Errorf("key %s is not found", key)
			}
		}
		return locatesACall, nil
	}
}

// Close ends the router.
func (r *Routed) Close() { r.router.Close() }

// instant answers every locate at once, and nothing else.
type instant struct {
	router.Index
	nodes []cairn.NodeID
}

func (x instant) Locate(_ context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) error {
	reply.Answer = cairn.Answer{Revision: req.Epoch, Index: 1}
	reply.Results = reply.Results[:0]
	for range req.Keys {
		reply.Results = append(reply.Results, cairn.Located{State: cairn.Found, Stamp: cairn.Stamp{Epoch: req.Epoch, Index: 1}, Nodes: x.nodes})
	}
	return nil
}
