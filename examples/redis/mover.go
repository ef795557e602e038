package main

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"cairn"
	moverv1 "cairn/proto/cairn/mover/v1"
	"cairn/proto/rpcerr"
)

// This file is the calls of the contract, in the order in which they come.

const (
	// few changed values, and few to be compared, are done with at once.
	few = 50
	// rounds is how often one CatchUp looks for what has changed.
	rounds = 10
	// comparedAtOnce is how many values one CatchUp compares.
	comparedAtOnce = 2_000
)

// Prepare has the source nodes note what changes, and closes the target's. What an
// attempt or a move before has left there goes.
func (m *Mover) Prepare(ctx context.Context, req *moverv1.PrepareRequest) (*moverv1.PrepareResponse, error) {
	c, err := m.begin(ctx, req.GetMove())
	if err != nil {
		return nil, status(err)
	}
	defer c.mu.Unlock()
	if !c.isPrepared() {
		if err := c.prepare(ctx); err != nil {
			return nil, status(err)
		}
	}
	return &moverv1.PrepareResponse{Progress: c.progress.Load()}, nil
}

func (c *call) prepare(ctx context.Context) error {
	if c.within() {
		return c.prepareWithin(ctx)
	}
	both := slices.Collect(maps.Values(c.from))
	for _, n := range c.to {
		if slices.Contains(both, n) {
			return cairn.Errorf(cairn.KindPrecondition, "NODE_ON_BOTH_SIDES", "%s is a node of both clusters; give it itself as its place (--node-map), and nothing has to move", n.address)
		}
	}
	run, fence := c.beginRun()
	id, yes, no, epoch := c.move.GetId(), true, false, c.move.GetEpoch()
	// A node that is closed takes no write that would be removed below.
	if err := c.guard(ctx, c.to, patch{Closed: &yes, Notes: &no, Run: &run, Move: &id, Sole: true}); err != nil {
		return err
	}
	if err := c.guard(ctx, c.from, patch{Closed: &no, Notes: &yes, Least: &epoch, Fence: &fence, Run: &run, Move: &id, Sole: true}); err != nil {
		return err
	}
	for _, n := range c.from {
		if err := c.empty(ctx, n, id, false); err != nil {
			return err
		}
		for _, move := range c.before[n] { // what it left here is no longer left
			if _, err := c.do(ctx, n, "forget", move); err != nil {
				return err
			}
		}
	}
	for _, n := range c.to {
		for _, move := range c.before[n] {
			if err := c.empty(ctx, n, move, true); err != nil {
				return err
			}
		}
	}
	c.run = run
	c.change(func(p *moverv1.Progress) { p.Fence = fence })
	return nil
}

// beginRun forgets what there is of the attempt, and names another run of it. The fence
// that stands goes on: beginning anew ends none.
func (c *call) beginRun() (run string, fence uint64) {
	c.run, c.attempt, c.uncompared = "", c.move.GetAttempt(), map[string]string{}
	c.change(func(p *moverv1.Progress) { p.Reset() })
	if c.fenced() {
		fence = c.move.GetFence()
	}
	return cairn.NewUID().String(), fence
}

// prepareWithin has every node of the cluster note what changes. None is closed: each
// has keys that stay. What an attempt before has brought goes.
func (c *call) prepareWithin(ctx context.Context) error {
	run, fence := c.beginRun()
	id, yes, no, epoch := c.move.GetId(), true, false, c.move.GetEpoch()
	if err := c.guard(ctx, c.from, patch{Closed: &no, Notes: &yes, Least: &epoch, Fence: &fence, Run: &run, Move: &id, Sole: true}); err != nil {
		return err
	}
	for _, n := range c.from {
		if err := c.empty(ctx, n, id, false); err != nil {
			return err
		}
		for _, move := range c.before[n] {
			if _, err := c.do(ctx, n, "forget", move); err != nil {
				return err
			}
		}
	}
	c.run = run
	c.change(func(p *moverv1.Progress) { p.Fence = fence })
	return nil
}

// Copy copies the values of keys.
func (m *Mover) Copy(ctx context.Context, req *moverv1.CopyRequest) (*moverv1.CopyResponse, error) {
	c, err := m.prepared(ctx, req.GetMove())
	if err != nil {
		return nil, status(err)
	}
	defer c.mu.Unlock()
	if c.progress.Load().GetComplete() || !bytes.Equal(req.GetAfter(), c.progress.Load().GetCopied()) {
		return &moverv1.CopyResponse{Progress: c.progress.Load()}, nil
	}
	if err := c.take(ctx, req.GetKeys()); err != nil {
		return nil, status(err)
	}
	c.change(func(p *moverv1.Progress) {
		if len(req.GetAfter()) == 0 {
			p.Through = req.GetIndex()
		}
		p.Copied, p.Complete = req.GetLast(), req.GetDone()
	})
	return &moverv1.CopyResponse{Progress: c.progress.Load()}, nil
}

// CatchUp copies the values of keys that have changed, and what has changed.
func (m *Mover) CatchUp(ctx context.Context, req *moverv1.CatchUpRequest) (*moverv1.CatchUpResponse, error) {
	c, err := m.prepared(ctx, req.GetMove())
	if err != nil {
		return nil, status(err)
	}
	defer c.mu.Unlock()
	through := c.progress.Load().GetThrough()
	if req.GetAfter() > through {
		return nil, status(cairn.Errorf(cairn.KindConflict, "CHANGES_MISSING", "changes after log index %d are missing", through))
	}
	if req.GetThrough() > through {
		if err := c.take(ctx, req.GetKeys()); err != nil {
			return nil, status(err)
		}
		c.change(func(p *moverv1.Progress) { p.Through = req.GetThrough() })
	}
	changed := chunk
	for round := 0; round < rounds && changed > few; round++ {
		if changed, err = c.follow(ctx); err != nil {
			return nil, status(err)
		}
	}
	if _, err := c.compare(ctx, comparedAtOnce); err != nil {
		return nil, status(err)
	}
	c.change(func(p *moverv1.Progress) {
		p.ValuesLeft = uint64(changed)
		p.CaughtUp = changed <= few && len(c.uncompared) <= comparedAtOnce/2
	})
	return &moverv1.CatchUpResponse{Progress: c.progress.Load()}, nil
}

// Fence has source nodes refuse writes.
func (m *Mover) Fence(ctx context.Context, req *moverv1.FenceRequest) (*moverv1.FenceResponse, error) {
	c, err := m.prepared(ctx, req.GetMove())
	if err != nil {
		return nil, status(err)
	}
	defer c.mu.Unlock()
	fence := req.GetMove().GetFence()
	if err := c.guard(ctx, c.from, patch{Fence: &fence}); err != nil {
		return nil, status(err)
	}
	return &moverv1.FenceResponse{Progress: c.change(func(p *moverv1.Progress) { p.Fence = fence })}, nil
}

// behindFence begins a call that needs the fence.
func (m *Mover) behindFence(ctx context.Context, move *moverv1.Move) (*call, error) {
	c, err := m.prepared(ctx, move)
	if err != nil {
		return nil, err
	}
	if !c.fenced() {
		c.mu.Unlock()
		return nil, cairn.Errorf(cairn.KindPrecondition, "NOT_FENCED", "fence %d does not stand at all nodes", move.GetFence())
	}
	return c, nil
}

// Drain copies all that is left.
func (m *Mover) Drain(ctx context.Context, req *moverv1.DrainRequest) (*moverv1.DrainResponse, error) {
	c, err := m.behindFence(ctx, req.GetMove())
	if err != nil {
		return nil, status(err)
	}
	defer c.mu.Unlock()
	for changed := 1; changed > 0; {
		if changed, err = c.follow(ctx); err != nil {
			return nil, status(err)
		}
	}
	c.change(func(p *moverv1.Progress) { p.Drained, p.ValuesLeft = p.Fence, 0 })
	return &moverv1.DrainResponse{Progress: c.progress.Load()}, nil
}

// Verify compares what was copied and not compared since.
func (m *Mover) Verify(ctx context.Context, req *moverv1.VerifyRequest) (*moverv1.VerifyResponse, error) {
	c, err := m.behindFence(ctx, req.GetMove())
	if err != nil {
		return nil, status(err)
	}
	defer c.mu.Unlock()
	differing, err := c.compare(ctx, len(c.uncompared))
	if err != nil {
		return nil, status(err)
	}
	if len(differing) == 0 {
		c.change(func(p *moverv1.Progress) { p.Verified = p.Fence })
	}
	out := &moverv1.VerifyResponse{Progress: c.progress.Load()}
	slices.Sort(differing)
	for _, key := range differing[:min(len(differing), 10)] {
		out.Differing = append(out.Differing, []byte(key))
	}
	return out, nil
}

// Commit opens target nodes, and closes the source's for who knows no better.
func (m *Mover) Commit(ctx context.Context, req *moverv1.CommitRequest) (*moverv1.CommitResponse, error) {
	c, err := m.begin(ctx, req.GetMove())
	if err != nil {
		return nil, status(err)
	}
	defer c.mu.Unlock()
	none, no, epoch := uint64(0), false, req.GetEpoch()
	notes := c.within() // until CleanUp: a key may come back meanwhile to where it was
	if err := c.guard(ctx, c.from, patch{Fence: &none, Notes: &notes, Least: &epoch}); err != nil {
		return nil, status(err)
	}
	if !c.within() {
		if err := c.guard(ctx, c.to, patch{Closed: &no, Least: &epoch}); err != nil {
			return nil, status(err)
		}
	}
	return &moverv1.CommitResponse{Progress: c.change(func(p *moverv1.Progress) { p.Fence = 0 })}, nil
}

// Unfence lifts the fence.
func (m *Mover) Unfence(ctx context.Context, req *moverv1.UnfenceRequest) (*moverv1.UnfenceResponse, error) {
	c, err := m.begin(ctx, req.GetMove())
	if err != nil {
		return nil, status(err)
	}
	defer c.mu.Unlock()
	none := uint64(0)
	if err := c.guard(ctx, c.from, patch{Fence: &none}); err != nil {
		return nil, status(err)
	}
	return &moverv1.UnfenceResponse{Progress: c.change(func(p *moverv1.Progress) { p.Fence = 0 })}, nil
}

// CleanUp ends the move.
func (m *Mover) CleanUp(ctx context.Context, req *moverv1.CleanUpRequest) (*moverv1.CleanUpResponse, error) {
	c, err := m.begin(ctx, req.GetMove())
	if err != nil {
		return nil, status(err)
	}
	defer c.mu.Unlock()
	if err := c.cleanUp(ctx, req.GetOutcome()); err != nil {
		return nil, status(err)
	}
	m.mu.Lock()
	delete(m.transfers, req.GetMove().GetId())
	m.mu.Unlock()
	return &moverv1.CleanUpResponse{Progress: c.progress.Load()}, nil
}

func (c *call) cleanUp(ctx context.Context, outcome moverv1.CleanUpRequest_Outcome) error {
	none, no, id := uint64(0), false, c.move.GetId()
	err := c.each(c.from, func(n *node) error {
		switch outcome {
		case moverv1.CleanUpRequest_COMMITTED:
			return c.empty(ctx, n, id, true)
		case moverv1.CleanUpRequest_CANCELLED:
			return c.empty(ctx, n, id, false)
		}
		_, err := c.do(ctx, n, "forget", id)
		return err
	})
	if err != nil || outcome == moverv1.CleanUpRequest_COMMITTED && !c.within() {
		return err
	}
	if err := c.guard(ctx, c.from, patch{Fence: &none, Notes: &no}); err != nil || c.within() {
		return err
	}
	above := c.move.GetEpoch() + 1
	return c.guard(ctx, c.to, patch{Closed: &no, Least: &above})
}

// GetProgress says how far an attempt is.
func (m *Mover) GetProgress(_ context.Context, req *moverv1.GetProgressRequest) (*moverv1.GetProgressResponse, error) {
	m.mu.Lock()
	t := m.transfers[req.GetMove().GetId()]
	m.mu.Unlock()
	if t == nil {
		return nil, status(cairn.Errorf(cairn.KindPrecondition, "NOT_PREPARED", "nothing is known of move %s", req.GetMove().GetId()))
	}
	return &moverv1.GetProgressResponse{Progress: t.progress.Load()}, nil
}

// status is an error as it goes out.
func status(err error) error { return rpcerr.ToStatus(err).Err() }
