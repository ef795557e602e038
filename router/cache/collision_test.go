package cache

import (
	"testing"
	"time"

	"cairn"
)

// TestCollision asks for a key by the hash of another.
func TestCollision(t *testing.T) {
	c := New(Options{Bytes: 1 << 20, Bound: time.Hour})
	s, _ := c.Open(SourceID{Cluster: 1, Keyspace: 2})
	s.Begin(cairn.Answer{Index: 1, Revision: 1})
	key := cairn.Key("mine")
	c.Fill(s, key, Fill{Located: &cairn.Located{State: cairn.Absent, Stamp: cairn.Stamp{Epoch: 1, Index: 1}}})
	for _, other := range []Ask{
		{Keyspace: 2, Key: cairn.Key("mint")},
		{Keyspace: 2, Key: cairn.Key("min")},
		{Keyspace: 3, Key: key},
	} {
		other.Cluster, other.Epoch, other.Revision, other.Level = 1, 1, 1, cairn.AtLeast
		if outcome := c.get(s, &other, c.hash(2, key), new(Answer)); outcome != Miss {
			t.Errorf("keyspace %s, key %s: outcome %d by the hash of another key", other.Keyspace, other.Key, outcome)
		}
	}
}
