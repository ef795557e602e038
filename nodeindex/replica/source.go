package replica

import (
	"context"
	"slices"

	"cairn"
	"cairn/nodeindex"
)

// This file is what an index does for a shard that moves away. Who asks is told
// KindStale (NOT_OWNED) once the shard is not the cluster's in the epoch that the
// move was planned on.

// CopyShard delivers the copy of a shard in parts, behind the cursor that an
// earlier part ended with; nil for all of it. What was applied before the call is
// in it then. It fails with the error of deliver, with KindUnavailable (CLOSED,
// CHECKPOINT_FAILED), KindNotYet or KindDeadline when ctx ends, KindExhausted
// (DISK_FULL), KindCorrupt.
func (r *Replica) CopyShard(ctx context.Context, m cairn.MovingShard, after []byte, deliver func(cairn.CopiedPart) error) error {
	if err := r.serves(ctx, m.Epoch); err != nil {
		return err
	}
	if !r.index.GoesOn(after) {
		if err := r.checkpointNow(ctx); err != nil {
			return err
		}
	}
	for {
		if err := r.ended(ctx); err != nil {
			return err
		}
		part, err := r.index.CopyShard(m, after)
		if err != nil {
			return err
		}
		if err := deliver(part); err != nil || part.Done {
			return err
		}
		after = part.Last
	}
}

// TailShard is what has become of a shard's entries after a log index; where
// nothing has been applied since, it waits for a Heartbeat. It fails with
// KindCompacted (STAMP_COMPACTED: copy the shard again), KindUnavailable
// (CLOSED), KindNotYet when ctx ends, KindCorrupt.
func (r *Replica) TailShard(ctx context.Context, m cairn.MovingShard, after uint64) (cairn.TailPart, error) {
	if err := r.serves(ctx, m.Epoch); err != nil {
		return cairn.TailPart{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, r.config.Heartbeat)
	defer cancel()
	err := r.index.Wait(waiting, 0, after+1)
	if err != nil && (ctx.Err() != nil || waiting.Err() == nil) {
		return cairn.TailPart{}, err
	}
	return r.index.TailShard(m, after)
}

// FenceShard sets a move's fence of a number on a shard, or lifts it, and returns
// how it is then: a number that is not news changes nothing. Errors are those of
// Write as a whole; after KindUnknown it may be asked again.
func (r *Replica) FenceShard(ctx context.Context, m cairn.MovingShard, number uint64, on bool) (cairn.FenceState, error) {
	if err := r.serves(ctx, m.Epoch); err != nil {
		return cairn.FenceState{}, err
	}
	result, err := r.proposeNow(nodeindex.FenceCommand(m, number, on))
	return result.Fence, err
}

// FenceTail is FenceShard for a fence that is to be set, and returns what has become of
// the shard after a log index as well, as TailShard does. The zero TailPart: it could
// not be had, and TailShard says why.
func (r *Replica) FenceTail(ctx context.Context, m cairn.MovingShard, number, after uint64) (cairn.FenceState, cairn.TailPart, error) {
	fence, err := r.FenceShard(ctx, m, number, true)
	if err != nil {
		return fence, cairn.TailPart{}, err
	}
	tail, _ := r.index.TailShard(m, after) // whatever it says, the fence stands
	return fence, tail, nil
}

// ShardFence is how a move's fence of a shard is, and what the shard holds, of a
// state that has everything that was acknowledged before. Errors are those of a
// linearizable Locate.
func (r *Replica) ShardFence(ctx context.Context, m cairn.MovingShard) (cairn.FenceState, error) {
	if err := r.fresh(ctx, cairn.Read{Epoch: m.Epoch, Level: cairn.Linearizable}); err != nil {
		return cairn.FenceState{}, err
	}
	state, _, err := r.index.Fence(m)
	return state, err
}

// serves waits until the log has noted a map revision. A replica that differs
// answers nothing.
func (r *Replica) serves(ctx context.Context, revision uint64) error {
	if err := r.index.Diverged(); err != nil {
		return err
	}
	return r.reach(ctx, revision, 0)
}

// moveInFlight is how many commands of a move may be on their way: a write that
// comes waits for as many to be applied, each of which takes some milliseconds.
const moveInFlight = 4

// proposeMove has commands of a move applied, in order, and returns what became of
// the last, or of the first that was refused.
func (r *Replica) proposeMove(ctx context.Context, m cairn.MovingShard, commands ...[]byte) (result nodeindex.Result, err error) {
	if err := r.serves(ctx, m.Epoch); err != nil {
		return result, err
	}
	_, err = r.readyLog()
	if err == nil {
		err = r.awaitCheckpoint(r.config.moveBytes())
	}
	if err != nil {
		return result, err
	}
	return r.proposeNow(commands...)
}

// proposeNow is proposeMove that does not wait until a checkpoint has brought relief: for
// a fence and what it has left, which writes wait for, and which is little.
func (r *Replica) proposeNow(commands ...[]byte) (result nodeindex.Result, err error) {
	log, err := r.readyLog()
	if err != nil {
		return result, err
	}
	for some := range slices.Chunk(commands, moveInFlight) {
		for _, outcome := range log.proposeAll(some) {
			if result, err = outcome.result, outcome.err; err != nil {
				return result, err
			}
			if result.Err != nil {
				return result, result.Err
			}
		}
	}
	if _, bytes := r.index.Pending(); bytes >= r.config.CheckpointBytes {
		r.checkpointSoon()
	}
	return result, nil
}

// decided makes sure, for a linearizable read of a shard that is fenced, that the
// shard has not become another cluster's: what its next owner acknowledged before
// the read came would be missing. The map that is read for that is at least as
// new as the read.
func (r *Replica) decided(ctx context.Context, read cairn.Read, keys []cairn.Key) error {
	if read.Level != cairn.Linearizable || r.config.Latest == nil || !r.index.Fenced(read.Keyspace, keys) {
		return nil
	}
	revision, err := r.latest.join(ctx, 0)
	if err != nil {
		if ctx.Err() != nil {
			return cairn.Errorf(cairn.KindNotYet, "SHARD_FENCED", "waiting to learn whose the shard is: %w", err)
		}
		return err
	}
	return r.reach(ctx, revision, 0)
}

// readLatest is one reading of the map, for all who wait for it.
func (r *Replica) readLatest(uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(r.ctx, roundTimeout)
	defer cancel()
	assignment, err := r.config.Latest(ctx)
	if err != nil {
		return 0, err
	}
	return assignment.Revision, r.Assign(ctx, assignment)
}
