package replica

import (
	"context"

	"cairn"
	"cairn/nodeindex"
)

// This file is what an index does for a shard that moves here. What is staged is
// activated by the assignment that says that the shard is the cluster's; see
// Assign and NoteRevision.

// StageShard takes in a part of a shard that its owner handed out, durably, and
// returns what is staged then: a part that has been there changes nothing. It is
// refused with
//
//   - KindConflict: COPY_BEHIND, TAIL_GAP: hand over what goes on from what is
//     staged
//   - KindPrecondition: NOTHING_STAGED, RANGE_OWNED, RANGE_ARRIVING, MOVE_DIFFERS,
//     NO_ACTIVE_NODE, NODE_NOT_ACTIVE
//   - KindInvalid: PART_MALFORMED, KEY_OUTSIDE
//
// and else as Write is as a whole. After KindUnknown, ask what is staged.
func (r *Replica) StageShard(ctx context.Context, m cairn.MovingShard, part []byte) (cairn.Staged, error) {
	if err := r.serves(ctx, m.Epoch); err != nil {
		return cairn.Staged{}, err
	}
	for {
		commands, err := r.index.PrepareStage(m, part)
		if err != nil {
			return cairn.Staged{}, err
		}
		var result nodeindex.Result
		if nodeindex.Seals(part) {
			result, err = r.proposeNow(commands...)
		} else {
			result, err = r.proposeMove(ctx, m, commands...)
		}
		// With KindStale the nodes have changed: others are chosen. What is
		// staged of the part stays.
		if cairn.KindOf(err) == cairn.KindStale && ctx.Err() == nil {
			continue
		}
		result.Staged.Building = r.index.ViewsBuilding(m.Keyspace)
		return result.Staged, err
	}
}

// StagedShard is what is staged by an attempt of a move, by a state that has
// everything that was acknowledged before. KindConflict (ATTEMPT_OVER): there is a
// later one. Else errors are those of a linearizable Locate.
func (r *Replica) StagedShard(ctx context.Context, m cairn.MovingShard) (cairn.Staged, error) {
	if err := r.fresh(ctx, cairn.Read{Epoch: m.Epoch, Level: cairn.Linearizable}); err != nil {
		return cairn.Staged{}, err
	}
	staged, _, err := r.index.StagedFor(m)
	return staged, err
}

// MovedKeys are the keys of a part that was staged, as nodeindex.Index.MovedKeys says,
// by a state that has everything that was acknowledged before. Else errors are those of
// a linearizable Locate.
func (r *Replica) MovedKeys(ctx context.Context, m cairn.MovingShard, part []byte) ([]cairn.MovedKey, error) {
	if err := r.fresh(ctx, cairn.Read{Epoch: m.Epoch, Level: cairn.Linearizable}); err != nil {
		return nil, err
	}
	return r.index.MovedKeys(m, part)
}

// DropShard forgets what is staged for a move, if anything is. Errors are those of
// Write as a whole; after KindUnknown it may be asked again.
func (r *Replica) DropShard(ctx context.Context, m cairn.MovingShard) error {
	_, err := r.proposeMove(ctx, m, nodeindex.DropCommand(m))
	return err
}

// NoteRevision has the log note a map revision at once, as after the commit of a
// move. KindNotYet (LOG_BEHIND): it has not when ctx ends, or another leads.
func (r *Replica) NoteRevision(ctx context.Context, revision uint64) error {
	return r.serves(ctx, revision)
}
