package move

import (
	"context"
	"errors"
	"time"

	"cairn"
	"cairn/shardmap"
)

const (
	// actionTimeout bounds one action, so that a leader that hangs is asked again,
	// or its successor.
	actionTimeout = 5 * time.Second
	// fencedTimeout is that while writes wait for it.
	fencedTimeout = time.Second
	// tailTimeout is that of a look at what a copy lacks, before which the target may have
	// to end a checkpoint: of a million entries, under load, five to eight seconds.
	tailTimeout = 20 * time.Second
	// copyTimeout is that of a copy, which begins with a checkpoint of the source, and of
	// what a data mover may have to do with every value.
	copyTimeout = time.Minute
	// copyFor is how long one Copy goes on before the record is looked at again.
	copyFor = time.Second
	// A look at what has changed finds little if it found all, and that is no more than
	// caughtBytes, or took no longer than caughtIn to hand on.
	caughtBytes = 64 << 10
	caughtIn    = 25 * time.Millisecond
	// However little it is, a target that took longer than slowIn to take it in is looked at
	// again, up to slowLooks times: under a fence writes would wait for as long.
	slowIn    = 100 * time.Millisecond
	slowLooks = 20
)

// do carries an action out, and returns what is known then.
func (c *carrier) do(ctx context.Context, s State, a Action) State {
	limit := actionTimeout
	switch {
	case s.Move.Phase == shardmap.MoveFenced:
		limit = fencedTimeout
	case a.Kind == Adopt, a.Kind == Tail:
		limit = tailTimeout
	case a.Kind == Copy, a.Kind == PrepareData, a.Kind == CopyData, a.Kind == CleanUpData:
		limit = copyTimeout
	}
	attempt, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	next, err := c.try(attempt, s, a)
	if err != nil {
		if ctx.Err() == nil && c.driver.config.Events.Failed != nil {
			c.driver.config.Events.Failed(s.Move, a, err)
		}
		return next.Failed(a, err, c.driver.config.Now())
	}
	return next
}

func (c *carrier) try(ctx context.Context, s State, a Action) (State, error) {
	store := c.driver.config.Store
	switch a.Kind {
	case Read:
		m, err := store.Refresh(ctx)
		if err != nil {
			return s, err
		}
		record, found := m.Move(s.Move.UID)
		if !found {
			return s, nil // carry sees to that
		}
		return s.Saw(record), nil
	case Swap:
		return c.swap(ctx, s, a.Next)
	case PutFence, Unfence, Copy, Adopt, Tail, Forget:
		return c.atSource(ctx, s, a)
	}
	if a.ofData() {
		return c.atData(ctx, s, a)
	}
	return c.atTarget(ctx, s, a)
}

func (c *carrier) swap(ctx context.Context, s State, next shardmap.Move) (State, error) {
	change, err := shardmap.StepMove(c.driver.config.Store.Map(), s.Move, next)
	if err != nil {
		return s, err
	}
	why := "move " + s.Move.UID.String()
	if s.Move.Why != "" {
		why += ": " + s.Move.Why
	}
	revision, err := c.driver.config.Store.Commit(shardmap.WithAuthor(ctx, shardmap.Author{Who: s.Move.Who, Why: why}), change)
	if err != nil {
		return s, err
	}
	after := s.Swapped(next, revision, c.driver.config.Now())
	if c.driver.config.Events.Stepped != nil {
		c.driver.config.Events.Stepped(s.Move, after.Move)
	}
	return after, nil
}

// dial is the index of one side of a move.
func (c *carrier) dial(cluster cairn.UID) (Index, func(), error) {
	declared, found := c.driver.config.Store.Map().Catalog().ClusterByUID(cluster)
	if !found {
		return nil, nil, cairn.Errorf(cairn.KindUnavailable, "CLUSTER_GONE", "there is no cluster %s any more", cluster)
	}
	return c.driver.config.Dial(declared)
}

func (c *carrier) atTarget(ctx context.Context, s State, a Action) (State, error) {
	target, release, err := c.dial(s.Move.To)
	if err != nil {
		return s, err
	}
	defer release()
	switch a.Kind {
	case Note:
		if err := target.NoteRevision(ctx, a.Revision); err != nil {
			return s, err
		}
		return s.HasNoted(), nil
	case Drop:
		dropped := Moving(s.Move)
		dropped.Move = a.Staging
		if err := target.DropShard(ctx, dropped); err != nil {
			return s, err
		}
		return s.HasDropped(), nil
	}
	staged, err := target.StagedShard(ctx, Moving(s.Move))
	if err != nil {
		return s, err
	}
	return s.Asked(staged), nil
}

func (c *carrier) atSource(ctx context.Context, s State, a Action) (State, error) {
	source, release, err := c.dial(s.Move.From)
	if err != nil {
		return s, err
	}
	defer release()
	switch a.Kind {
	case Forget:
		if err := source.DropShard(ctx, Moving(s.Move)); err != nil {
			return s, err
		}
		return s.HasForgotten(), nil
	case PutFence:
		return c.putFence(ctx, s, source, a.Fence)
	case Unfence:
		if _, err := source.FenceShard(ctx, Moving(s.Move), a.Fence, false); err != nil {
			return s, err
		}
		return s.FenceLifted(a.Fence), nil
	}
	target, releaseTarget, err := c.dial(s.Move.To)
	if err != nil {
		return s, err
	}
	defer releaseTarget()
	switch a.Kind {
	case Copy:
		return c.copy(ctx, s, source, target)
	case Adopt:
		return c.adopt(ctx, s, source, target)
	}
	return c.tail(ctx, s, source, target)
}

// putFence has the source put a fence up, and say with that what the target lacks, if it
// is known what that has: the Tail that follows has it in hand.
func (c *carrier) putFence(ctx context.Context, s State, source Source, fence uint64) (State, error) {
	var stands cairn.FenceState
	var err error
	if s.Have.Known {
		c.tailAfter = s.Have.Through
		stands, c.tailPart, err = source.FenceTail(ctx, Moving(s.Move), fence, s.Have.Through)
	} else {
		stands, err = source.FenceShard(ctx, Moving(s.Move), fence, true)
	}
	switch {
	case err != nil:
		return s, err
	case !stands.On || stands.Number != fence:
		return s, cairn.Errorf(cairn.KindConflict, "FENCE_OVER", "fence %d is over; the source has had %d", fence, stands.Number)
	}
	return s.FencePut(stands), nil
}

// errEnough ends a Copy that went on for its time.
var errEnough = errors.New("the record is to be looked at again")

// copy hands on what the target lacks of the copy, for a while.
func (c *carrier) copy(ctx context.Context, s State, source Source, target Target) (State, error) {
	asked, whole := c.driver.config.Now(), len(s.Have.Last) == 0
	var began time.Time // with the first part: the source writes a checkpoint before
	err := source.CopyShard(ctx, Moving(s.Move), []byte(s.Have.Last), func(part cairn.CopiedPart) error {
		if began.IsZero() {
			began = c.driver.config.Now()
		}
		if err := c.driver.limiter.wait(ctx); err != nil {
			return err
		}
		staged, err := target.StageShard(ctx, Moving(s.Move), part.Data)
		if cairn.ReasonOf(err) == "RANGE_ARRIVING" {
			err = errors.Join(err, c.dropLeftovers(ctx, s.Move, target))
		}
		if err != nil {
			return err
		}
		c.driver.limiter.pay(len(part.Data), int(staged.Digest.Entries)-int(s.Have.Digest.Entries))
		s = s.Asked(staged)
		return c.enough(began, part)
	})
	if err := goneOn(err); err != nil {
		return s, err
	}
	// What was copied in no time, from the first part to the last, leaves nothing to catch
	// up with.
	s.Caught = whole && s.Have.Complete && c.driver.config.Now().Sub(asked) <= caughtIn
	return s, nil
}

// enough is errEnough once a copy has gone on for its time.
func (c *carrier) enough(began time.Time, part cairn.CopiedPart) error {
	if !part.Done && c.driver.config.Now().Sub(began) >= copyFor {
		return errEnough
	}
	return nil
}

// goneOn is the error of a copy but for errEnough.
func goneOn(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// dropLeftovers drops what a part that came late has left at a target, of cancelled
// moves of the keyspace that had dropped it.
func (c *carrier) dropLeftovers(ctx context.Context, m shardmap.Move, target Target) error {
	for _, over := range c.driver.config.Store.Map().Moves() {
		if over.Phase != shardmap.MoveCancelled || over.Keyspace != m.Keyspace || over.To != m.To {
			continue
		}
		if err := target.DropShard(ctx, Moving(over)); err != nil {
			return err
		}
	}
	return nil
}

// adopt has the target take what it has kept for the copy, with the first of what
// has changed since.
func (c *carrier) adopt(ctx context.Context, s State, source Source, target Target) (State, error) {
	part, err := source.TailShard(ctx, Moving(s.Move), 0)
	if err != nil {
		return s, err
	}
	staged, err := target.StageShard(ctx, Moving(s.Move), part.Data)
	if err != nil {
		return s, err
	}
	return s.Asked(staged), nil
}

// errBuilding keeps a move from its fence: once the target served the shard, its views
// would have no answers.
var errBuilding = cairn.Errorf(cairn.KindUnavailable, "VIEW_BUILDING", "the target is making the keyspace's views of its entries")

// tail hands on what has changed since what the target has. It is not slowed down:
// what it does not keep up with it will never.
func (c *carrier) tail(ctx context.Context, s State, source Source, target Target) (State, error) {
	began := c.driver.config.Now()
	part, err := c.tailOf(ctx, s, source)
	if err != nil {
		return s, err
	}
	found := c.driver.config.Now()
	staged, err := target.StageShard(ctx, Moving(s.Move), part.Data)
	if err != nil {
		return s, err
	}
	if staged.Building && s.Move.Phase == shardmap.MoveCatchingUp {
		s.Have = haveOf(staged)
		return s, errBuilding
	}
	now := c.driver.config.Now()
	little := !part.More && (len(part.Data) <= caughtBytes || now.Sub(began) <= caughtIn)
	return s.Followed(staged, little && (now.Sub(found) <= slowIn || s.Behind >= slowLooks)), nil
}

// tailOf is what has changed since what the target has: what came with the fence, once,
// or what the source says now.
func (c *carrier) tailOf(ctx context.Context, s State, source Source) (cairn.TailPart, error) {
	part := c.tailPart
	c.tailPart = cairn.TailPart{}
	if part.Data != nil && c.tailAfter == s.Have.Through {
		return part, nil
	}
	return source.TailShard(ctx, Moving(s.Move), s.Have.Through)
}

// Moving is the shard of a move, under the name of its present attempt.
func Moving(m shardmap.Move) cairn.MovingShard {
	return cairn.MovingShard{Move: m.Staging, Attempt: uint64(m.Attempt), Keyspace: m.Keyspace, Shard: m.Shard, Epoch: m.Epoch, Start: []byte(m.Start), End: []byte(m.End), Kept: m.Kept, Nodes: m.Nodes.ByID(), Relocation: m.Relocation.Rule()}
}
