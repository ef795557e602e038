package peer

import (
	"context"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// This file is what the mover of a shard asks an index server: the one that owns
// it, and the one that is to. Errors are the server's own, KindDeadline when ctx
// ends, and KindUnavailable where the server can't be reached or the connection
// breaks. What changes an index has numbers or a place of its own, so that it may
// always be asked again.

// CopyShard delivers the parts of a shard's copy that the index server sends,
// behind the cursor of an earlier one, to the last. It fails with the error of
// deliver too.
func (p *Peer) CopyShard(ctx context.Context, m cairn.MovingShard, after []byte, deliver func(cairn.CopiedPart) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := p.index.CopyShard(ctx, &indexv1.CopyShardRequest{Shard: indexv1.EncodeMoving(m), After: after})
	if err != nil {
		return rpcerr.From(p.address, err)
	}
	done := false
	err = receive(p.address, stream, func(m *indexv1.CopyShardResponse) error {
		done = m.GetDone()
		return deliver(cairn.CopiedPart{Data: m.GetPart(), Index: m.GetIndex(), Last: m.GetLast(), Done: done})
	})
	if err == nil && !done {
		err = cairn.Errorf(cairn.KindUnavailable, "STREAM_ENDED", "index server %s ended the copy before its end", p.address)
	}
	return err
}

// TailShard is what has become of a shard's entries after a log index. The
// server waits a moment where nothing has.
func (p *Peer) TailShard(ctx context.Context, m cairn.MovingShard, after uint64) (cairn.TailPart, error) {
	response, err := p.index.TailShard(ctx, &indexv1.TailShardRequest{Shard: indexv1.EncodeMoving(m), After: after})
	if err != nil {
		return cairn.TailPart{}, rpcerr.From(p.address, err)
	}
	return cairn.TailPart{Data: response.GetPart(), Through: response.GetThrough(), More: response.GetMore()}, nil
}

// FenceShard sets a move's fence of a number, or lifts it, and returns how it is
// then.
func (p *Peer) FenceShard(ctx context.Context, m cairn.MovingShard, number uint64, on bool) (cairn.FenceState, error) {
	response, err := p.index.FenceShard(ctx, &indexv1.FenceShardRequest{Shard: indexv1.EncodeMoving(m), Number: number, On: on})
	if err != nil {
		return cairn.FenceState{}, rpcerr.From(p.address, err)
	}
	return response.GetFence().Decode(), nil
}

// FenceTail sets a move's fence of a number, and returns how it is then, with what has
// become of the shard's entries after a log index, which is not 0. The zero TailPart: it
// is to be asked for.
func (p *Peer) FenceTail(ctx context.Context, m cairn.MovingShard, number, after uint64) (cairn.FenceState, cairn.TailPart, error) {
	response, err := p.index.FenceShard(ctx, &indexv1.FenceShardRequest{Shard: indexv1.EncodeMoving(m), Number: number, On: true, TailAfter: after})
	if err != nil {
		return cairn.FenceState{}, cairn.TailPart{}, rpcerr.From(p.address, err)
	}
	return response.GetFence().Decode(), cairn.TailPart{Data: response.GetPart(), Through: response.GetThrough()}, nil
}

// ShardFence is how a move's fence is, and what the shard holds.
func (p *Peer) ShardFence(ctx context.Context, m cairn.MovingShard) (cairn.FenceState, error) {
	response, err := p.index.ShardFence(ctx, &indexv1.ShardFenceRequest{Shard: indexv1.EncodeMoving(m)})
	if err != nil {
		return cairn.FenceState{}, rpcerr.From(p.address, err)
	}
	return response.GetFence().Decode(), nil
}

// StageShard hands a part over, and returns what is staged then.
func (p *Peer) StageShard(ctx context.Context, m cairn.MovingShard, part []byte) (cairn.Staged, error) {
	response, err := p.index.StageShard(ctx, &indexv1.StageShardRequest{Shard: indexv1.EncodeMoving(m), Part: part})
	if err != nil {
		return cairn.Staged{}, rpcerr.From(p.address, err)
	}
	return response.GetStaged().Decode(), nil
}

// StagedShard is what is staged for a move.
func (p *Peer) StagedShard(ctx context.Context, m cairn.MovingShard) (cairn.Staged, error) {
	response, err := p.index.StagedShard(ctx, &indexv1.StagedShardRequest{Shard: indexv1.EncodeMoving(m)})
	if err != nil {
		return cairn.Staged{}, rpcerr.From(p.address, err)
	}
	return response.GetStaged().Decode(), nil
}

// MovedKeys is where the keys of a part are that was handed over.
func (p *Peer) MovedKeys(ctx context.Context, m cairn.MovingShard, part []byte) ([]cairn.MovedKey, error) {
	response, err := p.index.MovedKeys(ctx, &indexv1.MovedKeysRequest{Shard: indexv1.EncodeMoving(m), Part: part})
	if err != nil {
		return nil, rpcerr.From(p.address, err)
	}
	return response.Decode(), nil
}

// DropShard forgets what is staged for a move.
func (p *Peer) DropShard(ctx context.Context, m cairn.MovingShard) error {
	if _, err := p.index.DropShard(ctx, &indexv1.DropShardRequest{Shard: indexv1.EncodeMoving(m)}); err != nil {
		return rpcerr.From(p.address, err)
	}
	return nil
}

// NoteRevision has the index's log note a map revision at once.
func (p *Peer) NoteRevision(ctx context.Context, revision uint64) error {
	if _, err := p.index.NoteRevision(ctx, &indexv1.NoteRevisionRequest{Revision: revision}); err != nil {
		return rpcerr.From(p.address, err)
	}
	return nil
}
