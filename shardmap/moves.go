package shardmap

import (
	"cmp"
	"slices"

	"cairn"
	"cairn/shardmap/catalog"
)

// moves are the moves of one Map. It is immutable; nil has none.
type moves struct {
	all    []*Move // ascending by uid
	active map[ShardRef]*Move
}

// newMoves refuses, as KindCorrupt, two active moves of one shard.
func newMoves(all []*Move) (*moves, error) {
	if len(all) == 0 {
		return nil, nil
	}
	m := &moves{all: all, active: make(map[ShardRef]*Move)}
	for _, move := range all {
		if !move.Phase.Active() {
			continue
		}
		ref := ShardRef{move.Keyspace, move.Shard}
		if other := m.active[ref]; other != nil {
			return nil, cairn.Errorf(cairn.KindCorrupt, "MOVE_TWICE", "%s and %s hold one shard; remove the record of one", other, move)
		}
		m.active[ref] = move
	}
	return m, nil
}

// with is m with moves set and removed.
func (m *moves) with(set []Move, remove []cairn.UID) (*moves, error) {
	if len(set)+len(remove) == 0 {
		return m, nil
	}
	var all []*Move
	if m != nil {
		all = slices.Clone(m.all)
	}
	for i := range set {
		at, found := findMove(all, set[i].UID)
		if !found {
			all = slices.Insert(all, at, nil)
		} else if all[at].Revision > set[i].Revision {
			return nil, cairn.Errorf(cairn.KindStale, "MOVE_REVISION_STALE", "%s is of revision %d; the map has it of revision %d", set[i], set[i].Revision, all[at].Revision)
		}
		all[at] = &set[i]
	}
	for _, uid := range remove {
		if at, found := findMove(all, uid); found {
			all = slices.Delete(all, at, at+1)
		}
	}
	return newMoves(all)
}

func findMove(all []*Move, uid cairn.UID) (int, bool) {
	return slices.BinarySearchFunc(all, uid, func(m *Move, uid cairn.UID) int { return cmp.Compare(m.UID, uid) })
}

func (m *moves) holder(keyspace cairn.UID, shard cairn.ShardID) *Move {
	if m == nil {
		return nil
	}
	return m.active[ShardRef{keyspace, shard}]
}

// surplus deletes the oldest finished moves, so that with one more there are
// MovesKept of them at most. A few at a time do: each move that starts calls it.
func (m *moves) surplus() []MoveChange {
	if m == nil || len(m.all)-len(m.active) < MovesKept {
		return nil
	}
	over := len(m.all) - len(m.active) - MovesKept + 1
	finished := slices.DeleteFunc(slices.Clone(m.all), func(move *Move) bool { return move.Phase.Active() || !move.Clean })
	slices.SortFunc(finished, func(a, b *Move) int { return cmp.Or(a.Stepped.Compare(b.Stepped), cmp.Compare(a.UID, b.UID)) })
	const most = 8
	var out []MoveChange
	for _, move := range finished[:min(most, over, len(finished))] {
		out = append(out, MoveChange{UID: move.UID, Expected: move.Revision, Delete: true})
	}
	return out
}

// Moves are all moves, active ones and those that are kept, by when they were
// created.
func (m *Map) Moves() []Move {
	if m.moves == nil {
		return nil
	}
	out := make([]Move, len(m.moves.all))
	for i, move := range m.moves.all {
		out[i] = *move
	}
	slices.SortFunc(out, func(a, b Move) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.UID, b.UID)) })
	return out
}

// Move finds a move by its uid.
func (m *Map) Move(uid cairn.UID) (Move, bool) {
	if m.moves == nil {
		return Move{}, false
	}
	at, found := findMove(m.moves.all, uid)
	if !found {
		return Move{}, false
	}
	return *m.moves.all[at], true
}

// MoveOf is the active move that holds a shard, if one does.
func (m *Map) MoveOf(keyspace cairn.UID, shard cairn.ShardID) (Move, bool) {
	if held := m.moves.holder(keyspace, shard); held != nil {
		return *held, true
	}
	return Move{}, false
}

// Keeps tells whether From is to keep what it had of a shard that the move took
// away: it has not been told to forget that yet.
func (m Move) Keeps() bool { return m.Phase == MoveDone && !m.Clean && m.Keep > 0 }

// keptAt names the move under which a cluster keeps what it had of a shard, 0 if it
// does not.
func (m *Map) keptAt(shard Shard, cluster cairn.UID) cairn.UID {
	if m.moves == nil || shard.Move == 0 {
		return 0
	}
	for _, move := range m.moves.all {
		if move.Keeps() && move.Staging == shard.Move && move.From == cluster && move.Shard == shard.ID &&
			move.Keyspace == shard.Keyspace && move.Start == string(shard.Start) && move.End == string(shard.End) {
			return move.Staging
		}
	}
	return 0
}

// Planned is the shard of a move and its keyspace, as long as it is what it was
// when the move was planned. KindConflict (SHARD_CHANGED) once it is not: it never
// will be again.
func (m *Map) Planned(move Move) (*catalog.Keyspace, Shard, error) {
	changed := func(format string, args ...any) (*catalog.Keyspace, Shard, error) {
		return nil, Shard{}, cairn.Errorf(cairn.KindConflict, "SHARD_CHANGED", format, args...)
	}
	k, shard, err := m.resolve(move.Keyspace, move.Shard)
	if err != nil {
		return changed("the shard is gone: %w", err)
	}
	if shard.Epoch != move.Epoch || shard.Cluster != move.From {
		return changed("shard %s was given epoch %d and cluster %s since", shard.ID, shard.Epoch, m.clusterName(shard.Cluster))
	}
	return k, shard, nil
}

// held is the refusal of a change to a shard that a move holds.
func (m *Map) held(by *Move) error {
	if by.Within() {
		return cairn.Errorf(cairn.KindPrecondition, "SHARD_MOVING", "shard %s is held by move %s among the nodes of cluster %s, which is %s; wait for it or cancel it",
			by.Shard, by.UID, m.clusterName(by.To), by.Phase)
	}
	return cairn.Errorf(cairn.KindPrecondition, "SHARD_MOVING", "shard %s is held by move %s to cluster %s, which is %s; wait for it or cancel it",
		by.Shard, by.UID, m.clusterName(by.To), by.Phase)
}
