package shardmap

import (
	"bytes"
	"cmp"
	"slices"

	"cairn"
	"cairn/shardmap/catalog"
	"cairn/shardmap/placement"
)

// sortShards puts shards in placement order.
func sortShards(shards []Shard) {
	slices.SortFunc(shards, func(a, b Shard) int {
		return cmp.Or(bytes.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID))
	})
}

// checkRecord refuses, as KindCorrupt, a shard that can't be: without an owner,
// bounds that are no placement keys or in the wrong order, revisions from the
// future.
func checkRecord(keyspace *catalog.Keyspace, s Shard, revision uint64) error {
	broken := func(reason, what string) error {
		return cairn.Errorf(cairn.KindCorrupt, reason, "keyspace %s: %s: %s; restore its record", keyspace.Name, s, what)
	}
	switch scheme := keyspace.Placement.Scheme; {
	case len(s.Start) > 0 && placement.Validate(scheme, s.Start) != nil, len(s.End) > 0 && placement.Validate(scheme, s.End) != nil:
		return broken("SHARD_BOUNDS", "a bound that is no placement key")
	case len(s.End) > 0 && bytes.Compare(s.Start, s.End) >= 0:
		return broken("SHARD_BOUNDS", "it ends before it begins")
	case s.Cluster == 0:
		return broken("SHARD_WITHOUT_OWNER", "no cluster owns it")
	case s.Epoch == 0 || s.Epoch > s.Revision || s.Revision > revision || s.Revision >= pinnedBit:
		return broken("SHARD_REVISION", "an epoch or revision that can't be")
	}
	return nil
}

// checkCover refuses, as KindCorrupt, shards in placement order that do not
// cover their keyspace exactly once, or of which two have one id. It names the
// shards and their bounds.
func checkCover(keyspace *catalog.Keyspace, shards []Shard) error {
	hole := func(from, to []byte, where string) error {
		return cairn.Errorf(cairn.KindCorrupt, "SHARDS_HOLE", "keyspace %s: no shard owns %s%s; restore the missing record",
			keyspace.Name, Interval(keyspace.Placement.Scheme, from, to), where)
	}
	if len(shards) == 0 {
		return hole(nil, nil, ", which is all of it")
	}
	if first := shards[0]; len(first.Start) > 0 {
		return hole(nil, first.Start, ", before shard "+first.ID.String())
	}
	for i, s := range shards[1:] {
		before := shards[i]
		order := bytes.Compare(before.End, s.Start)
		switch {
		case len(before.End) == 0 || order > 0:
			return cairn.Errorf(cairn.KindCorrupt, "SHARDS_OVERLAP", "keyspace %s: shard %s %s and shard %s %s overlap; correct their records",
				keyspace.Name, before.ID, before.bounds(keyspace.Placement.Scheme), s.ID, s.bounds(keyspace.Placement.Scheme))
		case order < 0:
			return hole(before.End, s.Start, ", between shard "+before.ID.String()+" and shard "+s.ID.String())
		}
	}
	if last := shards[len(shards)-1]; len(last.End) > 0 {
		return hole(last.End, nil, ", after shard "+last.ID.String())
	}
	seen := make([]cairn.ShardID, len(shards))
	for i, s := range shards {
		seen[i] = s.ID
	}
	slices.Sort(seen)
	for i, id := range seen[1:] {
		if seen[i] == id {
			return cairn.Errorf(cairn.KindCorrupt, "SHARD_TWICE", "keyspace %s: two records of shard %s; remove one", keyspace.Name, id)
		}
	}
	return nil
}

// cut is where shards of a table give way to others that cover the same.
type cut struct {
	from, to []byte
	// The new ones: after[first:last].
	first, last int
}

// cuts pairs the shards that go with those that come, both in placement order.
// It is false if they do not cover the same.
func cuts(before, after []Shard) ([]cut, bool) {
	var out []cut
	i, j := 0, 0
	for i < len(before) && j < len(after) {
		c := cut{from: before[i].Start, first: j}
		if !bytes.Equal(c.from, after[j].Start) {
			return nil, false
		}
		goes, comes := before[i].End, after[j].End
		for i, j = i+1, j+1; !bytes.Equal(goes, comes); {
			if endsBefore(goes, comes) {
				if i == len(before) || !bytes.Equal(before[i].Start, goes) {
					return nil, false
				}
				goes = before[i].End
				i++
			} else {
				if j == len(after) || !bytes.Equal(after[j].Start, comes) {
					return nil, false
				}
				comes = after[j].End
				j++
			}
		}
		c.to, c.last = goes, j
		out = append(out, c)
	}
	return out, i == len(before) && j == len(after)
}

// endsBefore compares ends, of which an empty one is open.
func endsBefore(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) > 0
	}
	return bytes.Compare(a, b) < 0
}
