package router

import (
	"bytes"
	"context"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/placement"
)

// A shard that has moved goes on in another log than it began. Its changes there
// wait until those of its former owner have been delivered up to the fence, which
// the record of the move names.

// movedFrom are the moves that took shards of a keyspace away from clusters, to
// one of them or, for 0, to any.
func movedFrom(m *shardmap.Map, keyspace, to cairn.UID) (out []shardmap.Move) {
	for _, move := range m.Moves() {
		if move.Keyspace == keyspace && move.Final > 0 && (to == 0 || move.To == to) {
			out = append(out, move)
		}
	}
	return out
}

// split divides a batch before the first change that has to wait for another
// cluster. The rest is empty if none has to.
func (w *watching) split(d delivery) (now, rest delivery) {
	waits := movedFrom(w.m, w.keyspace, d.cluster)
	n := 0
	for _, move := range waits {
		if from := w.follows[move.From]; from != nil && from.at < move.Final {
			waits[n] = move
			n++
		}
	}
	declared, found := w.m.Catalog().KeyspaceByUID(w.keyspace)
	if n == 0 || !found {
		return d, delivery{}
	}
	var buffer [placement.HashLength]byte
	changes := d.batch.Changes
	for i := range changes {
		at := placement.Key(declared.Placement, changes[i].Key, buffer[:0])
		if !continues(waits[:n], changes[i].Stamp.Epoch, at) {
			continue
		}
		for i > 0 && changes[i-1].Stamp.Index == changes[i].Stamp.Index {
			i-- // a log entry is not divided: a token names its index
		}
		now, rest = d, d
		now.batch.Changes, rest.batch.Changes = changes[:i], changes[i:]
		now.batch.Index, now.batch.Revision = changes[i].Stamp.Index-1, 0
		return now, rest
	}
	return d, delivery{}
}

// continues tells whether a change is of a shard that one of some moves brought.
func continues(moves []shardmap.Move, epoch uint64, at []byte) bool {
	for i := range moves {
		m := &moves[i]
		if epoch > m.Epoch && bytes.Compare([]byte(m.Start), at) <= 0 && (m.End == "" || bytes.Compare(at, []byte(m.End)) < 0) {
			return true
		}
	}
	return false
}

// passHeld delivers what has waited for another cluster and need not any more.
func (w *watching) passHeld(ctx context.Context) error {
	for again := true; again; {
		again = false
		for cluster, d := range w.behind {
			now, rest := w.split(d)
			if len(rest.batch.Changes) > 0 && len(now.batch.Changes) == 0 {
				continue
			}
			delete(w.behind, cluster)
			again = true
			if err := w.passParts(ctx, now, rest); err != nil {
				return err
			}
		}
	}
	return nil
}

// drained tells whether a cluster that owns nothing has told all that it did as
// an owner.
func drained(m *shardmap.Map, keyspace, cluster cairn.UID, at uint64) bool {
	final := lastFence(m, keyspace, cluster)
	return final > 0 && at >= final
}

// lastFence is the last log index at which a cluster may have changed what has moved
// away from it, 0 if nothing has.
func lastFence(m *shardmap.Map, keyspace, cluster cairn.UID) (final uint64) {
	for _, move := range movedFrom(m, keyspace, 0) {
		if move.From == cluster {
			final = max(final, move.Final)
		}
	}
	return final
}
