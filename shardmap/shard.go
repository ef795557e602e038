package shardmap

import (
	"bytes"
	"fmt"

	"cairn"
	"cairn/shardmap/placement"
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

// String describes the shard by its id, bounds, owner and epoch. Not knowing
// its keyspace's scheme it shows the bounds as it would keys.
func (s Shard) String() string {
	pinned := ""
	if s.Pinned {
		pinned = ", pinned"
	}
	return fmt.Sprintf("shard %s %s of cluster %s, epoch %d%s", s.ID, s.bounds(cairn.SchemeRange), s.Cluster, s.Epoch, pinned)
}

func (s Shard) bounds(scheme cairn.Scheme) string { return Interval(scheme, s.Start, s.End) }

// Interval is the placement keys from start up to end as a person reads them.
func Interval(scheme cairn.Scheme, start, end []byte) string {
	from, to := "first", "end"
	if len(start) > 0 {
		from = placement.Text(scheme, start)
	}
	if len(end) > 0 {
		to = placement.Text(scheme, end)
	}
	return "[" + from + ", " + to + ")"
}
