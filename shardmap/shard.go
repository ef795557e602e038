package shardmap

import (
	"bytes"
	"fmt"

	"cairn"
)

// Shard is a shard with its owner.
type Shard struct {
	cairn.Shard
	// Cluster owns the shard.
	Cluster cairn.UID
	// Pinned shards stay where they are: planners leave them alone.
	Pinned bool
	// Revision is that of the last change to the stored record; at or above
	// Epoch. Changes compare it.
	Revision uint64
}

// Contains tells whether a placement key is the shard's.
func (s Shard) Contains(placementKey []byte) bool {
	return bytes.Compare(s.Start, placementKey) <= 0 && (len(s.End) == 0 || bytes.Compare(placementKey, s.End) < 0)
}

// String describes the shard by its id, bounds, owner and epoch.
func (s Shard) String() string {
	pinned := ""
	if s.Pinned {
		pinned = ", pinned"
	}
	return fmt.Sprintf("shard %s %s of cluster %s, epoch %d%s", s.ID, s.bounds(), s.Cluster, s.Epoch, pinned)
}

func (s Shard) bounds() string { return "[" + describeStart(s.Start) + ", " + describeEnd(s.End) + ")" }

func describeStart(start []byte) string {
	if len(start) == 0 {
		return "first"
	}
	return cairn.Key(start).String()
}

func describeEnd(end []byte) string {
	if len(end) == 0 {
		return "end"
	}
	return cairn.Key(end).String()
}
