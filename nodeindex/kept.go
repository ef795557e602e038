package nodeindex

import (
	"bytes"

	"cairn"
)

// A shard that a move takes away is kept for a while, until its mover drops it: as
// it was at the fence, under the name of the move, unseen like what arrives. So a
// move back begins with all entries in place, and the map can give the shard back
// as it was if its new owner has lost it.

var errNothingKept = cairn.Errorf(cairn.KindPrecondition, "NOTHING_KEPT",
	"there is no copy that an earlier move left; copy the shard")

// keep is what is left of a shard that a move takes away, under the name of the
// move whose fence stands; nil if none does: the shard was not moved.
func (s *shard) keep() *arrival {
	var last fence
	for _, each := range s.fences.all {
		if each.on && each.number > last.number {
			last = each
		}
	}
	if !last.on {
		return nil
	}
	a := &arrival{Shard: s.Shard, population: s.population, progress: progress{complete: true, through: last.index, sealed: last.number}}
	a.Move = last.move
	return a
}

// keptOf is what is kept of all shards of a keyspace.
func keptOf(shards []*shard) (out []*arrival) {
	for _, s := range shards {
		if a := s.keep(); a != nil {
			out = append(out, a)
		}
	}
	return out
}

// keptFor is what was kept under a name of the very shard that moves here, nil if
// nothing is.
func (k *keyspace) keptFor(m cairn.MovingShard, name cairn.UID) *arrival {
	if k == nil {
		return nil
	}
	for _, a := range k.arriving {
		if a.kept() && a.Move == name && a.ID == m.Shard && bytes.Equal(a.Start, m.Start) && bytes.Equal(a.End, m.End) {
			return a
		}
	}
	return nil
}

// beginWithKept makes what an earlier move left that which is staged for a move: a whole
// copy, as of the log index at which its owner began to serve it.
func (x *Index) beginWithKept(s *state, index uint64, c *stageCommand) (*arrival, *cairn.Error) {
	m, k := c.moving, s.keyspaces[c.moving.Keyspace]
	from := k.keptFor(m, c.piece.kept)
	if from == nil {
		return nil, errNothingKept
	}
	over, err := s.inTheWay(m)
	if err != nil {
		return nil, err
	}
	for _, each := range over {
		if each != from {
			x.drop(index, each)
		}
	}
	s = x.state.Load()
	k = s.keyspaces[m.Keyspace]
	a := &arrival{
		Shard:      cairn.Shard{Keyspace: m.Keyspace, ID: m.Shard, Start: bytes.Clone(m.Start), End: bytes.Clone(m.End), Epoch: m.Epoch, Move: m.Move},
		population: from.population,
		progress:   progress{attempt: m.Attempt, copied: c.piece.index, complete: true, through: c.piece.index},
	}
	a.fences.lift()
	a.changed = x.generation
	arriving := []*arrival{a}
	for _, each := range k.arriving {
		if each != from {
			arriving = append(arriving, each)
		}
	}
	next := s.with(k.withArrivals(arriving))
	x.publish(func(s *state) { s.assignment, s.assigned = next, index })
	return a, nil
}

// keptPiece is the piece by which the target of a move adopts what it kept of the
// shard. KindCompacted (NOTHING_KEPT): the shard did not come by the move under whose
// name that is kept, or has been split or merged since. KindStale (NOT_OWNED),
// KindUnavailable (CLOSED).
func (x *Index) keptPiece(m cairn.MovingShard) (piece, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	if s == nil {
		return piece{}, errClosed
	}
	owned, err := s.owned(m)
	switch {
	case err != nil:
		return piece{}, err
	case m.Kept == 0 || owned.Move != m.Kept || owned.since == 0:
		return piece{}, cairn.Errorf(cairn.KindCompacted, "NOTHING_KEPT", "shard %s is not what came from a copy that is kept", owned.ID)
	}
	return piece{kind: pieceKept, kept: m.Kept, index: owned.since, times: x.requests.requestTimes}, nil
}
