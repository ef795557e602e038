package peer

import (
	"context"

	"cairn"
)

// CopyShard is Peer.CopyShard, of the leader if it can be. Once a part was
// delivered no other replica is asked.
func (g *Group) CopyShard(ctx context.Context, m cairn.MovingShard, after []byte, deliver func(cairn.CopiedPart) error) error {
	return g.stream(ctx, cairn.AtLeast, func(p *Peer, began func()) error {
		return p.CopyShard(ctx, m, after, func(part cairn.CopiedPart) error {
			began()
			return deliver(part)
		})
	})
}

// TailShard is Peer.TailShard, of the leader if it can be: another may be behind.
func (g *Group) TailShard(ctx context.Context, m cairn.MovingShard, after uint64) (tail cairn.TailPart, err error) {
	err = g.ask(ctx, cairn.AtLeast, func(p *Peer) (err error) {
		tail, err = p.TailShard(ctx, m, after)
		return err
	})
	return tail, err
}

// FenceShard is Peer.FenceShard.
func (g *Group) FenceShard(ctx context.Context, m cairn.MovingShard, number uint64, on bool) (fence cairn.FenceState, err error) {
	err = g.read(ctx, cairn.Linearizable, func(ctx context.Context, p *Peer) (err error) {
		fence, err = p.FenceShard(ctx, m, number, on)
		return err
	})
	return fence, err
}

// FenceTail is Peer.FenceTail.
func (g *Group) FenceTail(ctx context.Context, m cairn.MovingShard, number, after uint64) (fence cairn.FenceState, tail cairn.TailPart, err error) {
	err = g.read(ctx, cairn.Linearizable, func(ctx context.Context, p *Peer) (err error) {
		fence, tail, err = p.FenceTail(ctx, m, number, after)
		return err
	})
	return fence, tail, err
}

// ShardFence is Peer.ShardFence.
func (g *Group) ShardFence(ctx context.Context, m cairn.MovingShard) (fence cairn.FenceState, err error) {
	err = g.read(ctx, cairn.Linearizable, func(ctx context.Context, p *Peer) (err error) {
		fence, err = p.ShardFence(ctx, m)
		return err
	})
	return fence, err
}

// StageShard is Peer.StageShard.
func (g *Group) StageShard(ctx context.Context, m cairn.MovingShard, part []byte) (staged cairn.Staged, err error) {
	err = g.read(ctx, cairn.Linearizable, func(ctx context.Context, p *Peer) (err error) {
		staged, err = p.StageShard(ctx, m, part)
		return err
	})
	return staged, err
}

// StagedShard is Peer.StagedShard.
func (g *Group) StagedShard(ctx context.Context, m cairn.MovingShard) (staged cairn.Staged, err error) {
	err = g.read(ctx, cairn.Linearizable, func(ctx context.Context, p *Peer) (err error) {
		staged, err = p.StagedShard(ctx, m)
		return err
	})
	return staged, err
}

// MovedKeys is Peer.MovedKeys.
func (g *Group) MovedKeys(ctx context.Context, m cairn.MovingShard, part []byte) (keys []cairn.MovedKey, err error) {
	err = g.read(ctx, cairn.Linearizable, func(ctx context.Context, p *Peer) (err error) {
		keys, err = p.MovedKeys(ctx, m, part)
		return err
	})
	return keys, err
}

// DropShard is Peer.DropShard.
func (g *Group) DropShard(ctx context.Context, m cairn.MovingShard) error {
	return g.read(ctx, cairn.Linearizable, func(ctx context.Context, p *Peer) error { return p.DropShard(ctx, m) })
}

// NoteRevision is Peer.NoteRevision, of the leader: it is the one that can.
func (g *Group) NoteRevision(ctx context.Context, revision uint64) error {
	return g.read(ctx, cairn.AtLeast, func(ctx context.Context, p *Peer) error { return p.NoteRevision(ctx, revision) })
}
