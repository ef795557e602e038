package shardmap

import (
	"cairn"
)

// Reversible is a move that is done, as long as its shard is still what the move made
// of it. KindNotFound (MOVE_NOT_FOUND); KindPrecondition: it is not done
// (MOVE_NOT_DONE), or the shard was split, merged or moved since (MOVE_OVERTAKEN).
func Reversible(m *Map, uid cairn.UID) (Move, error) {
	move, found := m.Move(uid)
	switch {
	case !found:
		return Move{}, cairn.Errorf(cairn.KindNotFound, "MOVE_NOT_FOUND", "there is no move %s", uid)
	case move.Phase != MoveDone && move.Phase != MoveCancelled:
		return Move{}, cairn.Errorf(cairn.KindPrecondition, "MOVE_NOT_DONE", "move %s is %s; cancel it, or wait for its end", uid, move.Phase)
	case move.Phase == MoveCancelled:
		return Move{}, cairn.Errorf(cairn.KindPrecondition, "MOVE_NOT_DONE", "move %s was cancelled: the shard is where it was", uid)
	case move.Within():
		return Move{}, cairn.Errorf(cairn.KindPrecondition, "MOVE_WITHIN", "move %s gave keys other nodes of one cluster; 'cairn node' gives them others again", uid)
	}
	_, shard, err := m.resolve(move.Keyspace, move.Shard)
	if err != nil {
		return Move{}, err
	}
	if shard.Move != move.Staging || shard.Cluster != move.To || string(shard.Start) != move.Start || string(shard.End) != move.End {
		return Move{}, cairn.Errorf(cairn.KindPrecondition, "MOVE_OVERTAKEN", "shard %s was split, merged or moved since; move what it is now", shard.ID)
	}
	return move, nil
}

// GiveBack decides that a shard goes back to where a move took it from, at once and
// as it was kept there: what its present owner took since is lost. It is for a shard
// that the owner has lost anyway.
//
// Errors are those of Reversible and, as KindPrecondition, NOTHING_KEPT where the
// former owner no longer keeps it and SHARD_MOVING where another move holds it.
func GiveBack(m *Map, uid cairn.UID) (Change, error) {
	move, err := Reversible(m, uid)
	if err != nil {
		return Change{}, err
	}
	k, shard, err := m.resolve(move.Keyspace, move.Shard)
	if err != nil {
		return Change{}, err
	}
	from, found := m.catalog.ClusterByUID(move.From)
	switch held := m.moves.holder(move.Keyspace, move.Shard); {
	case held != nil:
		return Change{}, m.held(held)
	case !found || !move.Keeps():
		return Change{}, cairn.Errorf(cairn.KindPrecondition, "NOTHING_KEPT", "what the shard was before move %s is not kept any more", uid)
	}
	shard.Cluster, shard.Epoch = move.From, 0
	move.Clean, move.Problem = true, "the shard was given back as it was kept"
	return Change{
		Clusters: []ClusterChange{{Name: from.Name, Expected: from.Revision}},
		Shards:   []ShardChange{{Keyspace: k.UID, Generation: k.Generation, ID: shard.ID, Expected: shard.Revision, Put: &shard}},
		Moves:    []MoveChange{{UID: uid, Expected: move.Revision, Put: &move}},
	}, nil
}
