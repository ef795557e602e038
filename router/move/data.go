package move

import (
	"context"
	"fmt"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Data is a data mover, as cairn.mover.v1.DataMover says. Each method may be asked
// again, and tells how far the attempt is. Errors: KindConflict, a later call has been
// made, or the part does not follow; KindPrecondition (NOT_PREPARED), nothing is known of
// the attempt; any other one is the data mover's own.
type Data interface {
	// Do is what an action asks for, but for those below.
	Do(ctx context.Context, m DataMove, a Action) (DataProgress, error)
	Copy(ctx context.Context, m DataMove, part DataCopy) (DataProgress, error)
	CatchUp(ctx context.Context, m DataMove, part DataTail) (DataProgress, error)
	// Verify returns some of the keys whose values differ.
	Verify(ctx context.Context, m DataMove) (DataProgress, []cairn.Key, error)
	Progress(ctx context.Context, m DataMove) (DataProgress, error)
}

// DataMove is a move with what a data mover has to know of the map.
type DataMove struct {
	shardmap.Move
	Keyspace *catalog.Keyspace
	// From and To are nil where they are not declared any more.
	From, To *catalog.Cluster
	// FencedUntil is when a fence is given up.
	FencedUntil time.Time
}

// DataCopy is the keys of a part of the copy, which follows on what was copied up to
// After. Index is the log index that it is of.
type DataCopy struct {
	Keys        []cairn.MovedKey
	After, Last []byte
	Done        bool
	Index       uint64
}

// DataTail is the keys that changed in (After, Through].
type DataTail struct {
	Keys           []cairn.MovedKey
	After, Through uint64
}

// DataProgress is what a data mover has of an attempt, and for those who watch how
// many values and bytes were copied, and how many values are known to be left.
type DataProgress struct {
	DataHave
	Values, Bytes, Left uint64
}

// DataMoveOf is a move as a Map has it. It is false for a keyspace without a data
// mover.
func DataMoveOf(m *shardmap.Map, record shardmap.Move) (DataMove, bool) {
	k, found := m.Catalog().KeyspaceByUID(record.Keyspace)
	if !found || !asksDataMover(m, k, record) {
		return DataMove{}, false
	}
	d := DataMove{Move: record, Keyspace: k, FencedUntil: record.Stepped.Add(FenceFor)}
	d.From, _ = m.Catalog().ClusterByUID(record.From)
	d.To, _ = m.Catalog().ClusterByUID(record.To)
	return d, true
}

// asksDataMover tells whether a keyspace names a data mover that is asked about a move.
func asksDataMover(m *shardmap.Map, k *catalog.Keyspace, record shardmap.Move) bool {
	_, names := k.DataMover()
	return names && !m.NodesStay(record)
}

// atData has the data mover do its part.
func (c *carrier) atData(ctx context.Context, s State, a Action) (State, error) {
	m := c.driver.config.Store.Map()
	d, found := DataMoveOf(m, s.Move)
	if !found {
		return s, cairn.Errorf(cairn.KindConflict, "MOVER_CHANGED", "the keyspace has no data mover any more")
	}
	address, _ := d.Keyspace.DataMover()
	data, release, err := c.driver.config.DialData(address)
	if err != nil {
		return s, err
	}
	defer release()
	switch a.Kind {
	case CopyData, TailData:
		return c.handKeys(ctx, s, a, d, data)
	case VerifyData:
		progress, differing, err := data.Verify(ctx, d)
		if err != nil {
			return s, err
		}
		if len(differing) > 0 {
			return s.DataDiffer(fmt.Sprintf("the target's values are not the source's: of %s and perhaps others", differing[0])), nil
		}
		return s.DataAsked(a, progress.DataHave), nil
	}
	progress, err := data.Do(ctx, d, a)
	if err != nil {
		return s, err
	}
	return s.DataAsked(a, progress.DataHave), nil
}

// handKeys hands the data mover keys of the source, with the nodes that the target has
// chosen for them.
func (c *carrier) handKeys(ctx context.Context, s State, a Action, d DataMove, data Data) (State, error) {
	source, release, err := c.dial(s.Move.From)
	if err != nil {
		return s, err
	}
	defer release()
	target, releaseTarget, err := c.dial(s.Move.To)
	if err != nil {
		return s, err
	}
	defer releaseTarget()
	s = s.whole()
	if a.Kind == CopyData {
		return c.copyData(ctx, s, source, target, d, data)
	}
	part, err := source.TailShard(ctx, Moving(s.Move), s.Data.Through)
	if err != nil {
		return s, err
	}
	if part.Through > s.Have.Through {
		staged, err := target.StageShard(ctx, Moving(s.Move), part.Data)
		if err != nil {
			return s, err
		}
		s = s.Asked(staged)
	}
	keys, err := target.MovedKeys(ctx, Moving(s.Move), part.Data)
	if err != nil {
		return s, err
	}
	progress, err := data.CatchUp(ctx, d, DataTail{Keys: keys, After: s.Data.Through, Through: part.Through})
	if err != nil {
		return s, err
	}
	return s.DataAsked(a, progress.DataHave), nil
}

// copyData hands on the keys that the data mover lacks of the copy, for a while. The
// target is brought to where a part is of before it is asked for its keys.
func (c *carrier) copyData(ctx context.Context, s State, source Source, target Target, d DataMove, data Data) (State, error) {
	before, err := data.Progress(ctx, d)
	if err != nil {
		return s, err
	}
	var began time.Time
	bytes := before.Bytes
	err = source.CopyShard(ctx, Moving(s.Move), []byte(s.Data.Copied), func(part cairn.CopiedPart) error {
		if began.IsZero() {
			began = c.driver.config.Now()
		}
		if err := c.driver.limiter.wait(ctx); err != nil {
			return err
		}
		if part.Index < s.Data.Through {
			return cairn.Errorf(cairn.KindConflict, "COPY_BEHIND", "the copy goes on from log index %d, before %d", part.Index, s.Data.Through)
		}
		for s.Have.Through < part.Index {
			var err error
			if s, err = c.tail(ctx, s, source, target); err != nil {
				return err
			}
		}
		keys, err := target.MovedKeys(ctx, Moving(s.Move), part.Data)
		if err != nil {
			return err
		}
		progress, err := data.Copy(ctx, d, DataCopy{Keys: keys, After: []byte(s.Data.Copied), Last: part.Last, Done: part.Done, Index: part.Index})
		if err != nil {
			return err
		}
		if progress.Bytes > bytes { // it counts anew where it has begun anew
			c.driver.limiter.pay(int(progress.Bytes-bytes), 0)
		}
		bytes = progress.Bytes
		s = s.DataAsked(Action{Kind: CopyData}, progress.DataHave)
		return c.enough(began, part)
	})
	return s, goneOn(err)
}
