package nodeindex

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"cairn"
)

// This file tells what an index knows of the map: what its log has noted, and the
// records that came with it, which the index itself has no use for.

// KnownMap is what the index knows of the map. KindUnavailable (CLOSED).
func (x *Index) KnownMap() (cairn.KnownMap, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	if s == nil {
		return cairn.KnownMap{}, errClosed
	}
	applied, _ := x.Position()
	known := cairn.KnownMap{Assignment: s.noted(), Applied: applied}
	for _, uid := range sortedUIDs(s.keyspaces) {
		for _, a := range s.keyspaces[uid].arriving {
			known.Staged = append(known.Staged, cairn.StagedShard{Shard: a.Shard, Attempt: a.attempt, Whole: a.whole() && !a.kept()})
		}
	}
	return known, nil
}

// noted is the assignment as it was noted.
func (a *assignment) noted() cairn.Assignment {
	out := cairn.Assignment{Revision: a.revision, Nodes: a.nodes, Records: a.records}
	for _, uid := range sortedUIDs(a.keyspaces) {
		k := a.keyspaces[uid]
		if k.guest {
			continue
		}
		out.Keyspaces = append(out.Keyspaces, k.Keyspace)
		out.Views = append(out.Views, k.views...)
		first := len(out.Shards)
		for _, s := range slices.Concat(k.shards, k.withheld) {
			out.Shards = append(out.Shards, s.Shard)
		}
		slices.SortFunc(out.Shards[first:], func(a, b cairn.Shard) int { return bytes.Compare(a.Start, b.Start) })
	}
	return out
}

// diffRecords are the records that have changed; one that is gone has no value.
func diffRecords(from, to []cairn.Record) (changed []cairn.Record) {
	for len(from)+len(to) > 0 {
		order := 0
		switch {
		case len(from) == 0:
			order = 1
		case len(to) == 0:
			order = -1
		default:
			order = cmp.Compare(from[0].Name, to[0].Name)
		}
		switch {
		case order < 0:
			changed = append(changed, cairn.Record{Name: from[0].Name})
		case order > 0 || !bytes.Equal(from[0].Value, to[0].Value):
			changed = append(changed, to[0])
		}
		if order <= 0 {
			from = from[1:]
		}
		if order >= 0 {
			to = to[1:]
		}
	}
	return changed
}

// withRecords are records, ascending by name, after a change.
func withRecords(records, changed []cairn.Record) []cairn.Record {
	out := slices.Clone(records)
	for _, r := range changed {
		at, found := slices.BinarySearchFunc(out, r.Name, func(r cairn.Record, name string) int { return strings.Compare(r.Name, name) })
		switch {
		case found && len(r.Value) == 0:
			out = slices.Delete(out, at, at+1)
		case found:
			out[at] = r
		case len(r.Value) > 0:
			out = slices.Insert(out, at, r)
		}
	}
	return out
}

func appendRecords(out []byte, records []cairn.Record) []byte {
	out = binary.AppendUvarint(out, uint64(len(records)))
	for i := range records {
		out = appendBytes(out, []byte(records[i].Name))
		out = appendBytes(out, records[i].Value)
	}
	return out
}

func (d *decoder) records() (out []cairn.Record) {
	for range d.count(2) {
		out = append(out, cairn.Record{Name: string(d.bytes()), Value: bytes.Clone(d.bytes())})
	}
	return out
}
