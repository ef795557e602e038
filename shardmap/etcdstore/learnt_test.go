package etcdstore_test

import (
	"sync/atomic"
	"testing"
	"time"

	"cairn/shardmap"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
)

// TestLearnt: who follows the map is told how long ago each change was sent, of those
// that took effect and not of others.
func TestLearnt(t *testing.T) {
	server := etcdtest.Start(t)
	var told atomic.Int64
	var late atomic.Int64
	open(t, etcdstore.Config{
		Client: server.Client(t), Now: func() time.Time { return time.Now().Add(time.Hour) },
		Events: etcdstore.Events{Learnt: func(after time.Duration) {
			told.Add(1)
			if after < time.Hour || after > 2*time.Hour {
				late.Add(1)
			}
		}},
	})
	s := open(t, etcdstore.Config{Client: server.Client(t)})
	north := addCluster(t, s, "north")
	addCluster(t, s, "south")
	if _, err := s.Commit(bounded(t), shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: north.Name, Expected: 1, Delete: true}}}); err == nil {
		t.Error("a change that compares something else took effect")
	}
	addCluster(t, s, "west")
	eventually(t, "three changes are told", func() bool { return told.Load() >= 3 })
	if told.Load() != 3 || late.Load() > 0 {
		t.Errorf("%d changes were told, %d of them with another time", told.Load(), late.Load())
	}
}
