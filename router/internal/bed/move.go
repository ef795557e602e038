package bed

import (
	"time"

	"cairn"
	"cairn/shardmap"
)

// Fence begins to move a shard and has its owner take no writes for it, as the map
// says too.
func (b *Bed) Fence(keyspace cairn.UID, id cairn.ShardID, to cairn.UID) (shardmap.Move, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change, move, err := shardmap.StartMove(b.m, shardmap.MoveRequest{Keyspace: keyspace, Shard: id, To: to}, time.Now())
	if err == nil {
		err = b.commitLocked(change)
	}
	if err != nil {
		return move, err
	}
	if move, err = b.stepLocked(move.UID, func(m *shardmap.Move) { m.Phase = shardmap.MoveFenced }); err != nil {
		return move, err
	}
	b.indexes[move.From].setFence(shardmap.ShardRef{Keyspace: keyspace, ID: id}, true)
	return move, nil
}

// Lift ends a fence; the shard stays where it is.
func (b *Bed) Lift(move shardmap.Move) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.indexes[move.From].setFence(shardmap.ShardRef{Keyspace: move.Keyspace, ID: move.Shard}, false)
	_, err := b.stepLocked(move.UID, func(m *shardmap.Move) { m.Phase = shardmap.MoveCatchingUp })
	return err
}

// CommitMove gives a fenced shard to its new owner, which serves it when its log
// has noted that.
func (b *Bed) CommitMove(move shardmap.Move) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	shard, _ := b.m.Shard(move.Keyspace, move.Shard)
	source, target := b.indexes[move.From], b.indexes[move.To]
	source.mu.Lock()
	target.mu.Lock()
	target.noteLocked(b.m)
	target.takeOverLocked(source, shard)
	final := source.applied
	target.mu.Unlock()
	source.mu.Unlock()
	_, err := b.stepLocked(move.UID, func(m *shardmap.Move) { m.Phase, m.Final = shardmap.MoveCommitted, final })
	return err
}

// Finish ends a committed move: its shard may move again.
func (b *Bed) Finish(move shardmap.Move) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	source := b.indexes[move.From]
	source.mu.Lock()
	source.noteLocked(b.m) // before its fence is gone
	source.mu.Unlock()
	source.setFence(shardmap.ShardRef{Keyspace: move.Keyspace, ID: move.Shard}, false)
	_, err := b.stepLocked(move.UID, func(m *shardmap.Move) { m.Phase, m.Clean = shardmap.MoveDone, true })
	return err
}

func (b *Bed) stepLocked(uid cairn.UID, step func(*shardmap.Move)) (shardmap.Move, error) {
	before, _ := b.m.Move(uid)
	after := before
	step(&after)
	change, err := shardmap.StepMove(b.m, before, after)
	if err == nil {
		err = b.commitLocked(change)
	}
	move, _ := b.m.Move(uid)
	return move, err
}

func (x *Index) setFence(ref shardmap.ShardRef, on bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.fenced == nil {
		x.fenced = map[shardmap.ShardRef]bool{}
	}
	x.fenced[ref] = on
}
