package plan

import (
	"math"
	"time"

	"cairn"
	"cairn/shardmap"
)

// Input is all that a plan is made of.
type Input struct {
	// Map is what the plan is decided on.
	Map *shardmap.Map
	// Loads is what is known of the shards; one that is missing counts as
	// empty and idle.
	Loads map[shardmap.ShardRef]Load
	// Drain are clusters to be emptied.
	Drain []cairn.UID
	// Silent are clusters of which nothing is known now: they neither give nor take,
	// and count for nobody.
	Silent []cairn.UID
	// Fixed are keyspaces whose shards can't move: nobody would move their
	// data. Their load counts; their shards are split and merged as others'.
	Fixed []cairn.UID
	// Arriving are shards that a move takes to a cluster as this plan is made.
	// They count as that cluster's, and are left alone.
	Arriving map[shardmap.ShardRef]cairn.UID
	// Recent are moves that came to their end not long ago.
	Recent []Moved
	// Now is the time of the plan; Recent is measured by it.
	Now      time.Time
	Settings Settings
}

// Load is what is known of a shard.
type Load struct {
	Entries uint64
	Bytes   uint64
	// Reads and Writes are those a second, averaged as whoever measures them
	// sees fit.
	Reads  float64
	Writes float64
	// Middle is a placement key that halves the shard's load, empty if none is
	// known. A hash shard is then halved by its hashes; a range shard can't be
	// split by a plan.
	Middle []byte
}

// Moved is a move that came to its end. It stands with the bounds that the
// shard had, since splits and merges leave ids to other keys.
type Moved struct {
	Keyspace   cairn.UID
	Start, End []byte
	At         time.Time
}

// Measure is what a plan evens out: the cost of a shard, in any unit.
type Measure struct {
	// Name is for people, as in "entries".
	Name string
	// Entry, Byte, Read and Write are what an entry, a byte, and a read or
	// write a second cost.
	Entry, Byte, Read, Write float64
}

// ByEntries evens out the number of entries.
func ByEntries() Measure { return Measure{Name: "entries", Entry: 1} }

// ByLoad evens out reads and writes. A durable write counts as five reads,
// which is about how many more single reads than durable puts an index serves.
func ByLoad() Measure { return Measure{Name: "load", Read: 1, Write: 5} }

// Settings are how a plan is made. A field that is 0 has the value that is
// named with it.
type Settings struct {
	// Measure is ByEntries.
	Measure Measure
	// Tolerance is how far from its fair share, as a part of it, a cluster may
	// be with nothing done about it: 0.05.
	Tolerance float64
	// Share is the most of a keyspace's entries that one plan moves: 0.09.
	Share float64
	// Moves is the most moves of one plan; 0 is no bound beside Share.
	Moves int
	// Splits and Merges are the most of each in one plan: 1,000.
	Splits, Merges int
	// ShardsPerCluster is how many shards a cluster has on average before cold
	// ones are merged: 1,000.
	ShardsPerCluster int
	// CoolDown is how long a shard stays after it was moved: 10 minutes.
	CoolDown time.Duration
	Zones    Zones
}

// Zones is what a plan makes of the zones of clusters.
type Zones uint8

const (
	// ZonesPrefer has a shard stay in its zone where a cluster of that zone
	// can take it, and leave where none can.
	ZonesPrefer Zones = iota
	// ZonesKeep has no shard leave its zone.
	ZonesKeep
	// ZonesIgnore treats all clusters as of one zone.
	ZonesIgnore
)

func (s Settings) withDefaults() Settings {
	if s.Measure == (Measure{}) {
		s.Measure = ByEntries()
	}
	orFloat := func(field *float64, value float64) {
		if *field == 0 {
			*field = value
		}
	}
	orInt := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	orFloat(&s.Tolerance, 0.05)
	orFloat(&s.Share, 0.09)
	orInt(&s.Moves, math.MaxInt)
	orInt(&s.Splits, 1000)
	orInt(&s.Merges, 1000)
	orInt(&s.ShardsPerCluster, 1000)
	if s.CoolDown == 0 {
		s.CoolDown = 10 * time.Minute
	}
	return s
}

// validate refuses (KindInvalid, SETTING_OUT_OF_RANGE) settings that mean
// nothing, naming the field. The defaults have been put in.
func (s Settings) validate() error {
	for _, part := range []struct {
		field string
		value float64
	}{{"tolerance", s.Tolerance}, {"share", s.Share}} {
		if !(part.value > 0 && part.value <= 1) {
			return cairn.Invalid(part.field, "SETTING_OUT_OF_RANGE", "%v; it is a part, above 0 and at most 1", part.value)
		}
	}
	for _, count := range []struct {
		field string
		value int
	}{{"moves", s.Moves}, {"splits", s.Splits}, {"merges", s.Merges}, {"shards_per_cluster", s.ShardsPerCluster}} {
		if count.value < 0 {
			return cairn.Invalid(count.field, "SETTING_OUT_OF_RANGE", "%d; it is at least 1, or 0 for the default", count.value)
		}
	}
	if s.CoolDown < 0 {
		return cairn.Invalid("cool_down", "SETTING_OUT_OF_RANGE", "%v; it is a time, or 0 for the default", s.CoolDown)
	}
	if s.Zones > ZonesIgnore {
		return cairn.Invalid("zones", "SETTING_OUT_OF_RANGE", "%d is none of ZonesPrefer, ZonesKeep and ZonesIgnore", s.Zones)
	}
	for _, weight := range []struct {
		field string
		value float64
	}{{"entry", s.Measure.Entry}, {"byte", s.Measure.Byte}, {"read", s.Measure.Read}, {"write", s.Measure.Write}} {
		if !(weight.value >= 0 && weight.value <= math.MaxFloat64) {
			return cairn.Invalid("measure."+weight.field, "SETTING_OUT_OF_RANGE", "%v; a cost is a number, 0 or more", weight.value)
		}
	}
	return nil
}
