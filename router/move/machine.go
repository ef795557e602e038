package move

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"cairn"
	"cairn/shardmap"
)

// State is what one mover knows of one move. It is a value: what is learnt makes
// another. All of it but Move is lost with the mover, and found out again.
type State struct {
	// Move is the record as it stands, or stood: it never became what it says
	// otherwise.
	Move shardmap.Move
	// Have is what the target has of this attempt; it may have more.
	Have Have
	// Caught tells that little was missing at the last look.
	Caught bool
	// Behind counts the looks that found much since one that did not.
	Behind int
	// Noted tells that the target has noted the map that the move was planned on,
	// Dropped that it has nothing of what was to be dropped.
	Noted, Dropped bool
	// Forgotten tells that the source keeps nothing of the shard any more, Unkept
	// that the target has kept nothing that could be adopted.
	Forgotten, Unkept bool
	// Lifted is the highest fence that the source has said is lifted.
	Lifted uint64
	// Fence is what the source said of the fence that stands.
	Fence cairn.FenceState
	// Activated tells that the target serves.
	Activated bool
	// Data is what the data mover has of this attempt, Unlocked the highest fence that
	// it has lifted. Opened tells that it has committed the move, Cleaned that it has
	// ended it.
	Data            DataHave
	Unlocked        uint64
	Opened, Cleaned bool
	// DataDiffers is how the data mover found both sides to differ; empty if not.
	DataDiffers string
	// Broken is why this attempt can't come to an end; empty while it can.
	Broken string
	// Reread tells that an index or etcd contradicts Move.
	Reread bool

	// Failures counts those since anything worked; nothing is tried before Retry.
	Failures int
	Problem  string
	Retry    time.Time
	// Fences counts those that had to be lifted; none is put up before FenceAfter.
	Fences     int
	FenceAfter time.Time
}

// Have is what a target said it has of a shard.
type Have struct {
	Known    bool
	Copied   uint64
	Last     string
	Complete bool
	Through  uint64
	Sealed   uint64
	Digest   cairn.Digest
	Building bool
}

// DataHave is what a data mover said it has of an attempt.
type DataHave struct {
	Known    bool
	Copied   string
	Complete bool
	Through  uint64
	// Caught tells that little was missing.
	Caught bool
	// Fence stands, and up to which all was copied and compared.
	Fence, Drained, Verified uint64
}

// Facts are what a Map says about a move.
type Facts struct {
	// Turn tells that the move may begin to copy; see Turns.
	Turn bool
	// Settled tells that somebody moves the data behind the entries, or that it stays
	// where it is; Data that a data mover does, which is to be asked.
	Settled, Data bool
	// Epoch is the shard's since the move was committed, 0 unless the target has it. Behind
	// tells that the Map is of before the record, and does not show that yet.
	Epoch  uint64
	Behind bool
	// Void is why the move can't be committed any more, and no fence of it stands at the
	// source: its shard is of another epoch by now, or is gone. Empty while it can, and
	// once it is.
	Void string
	// Targetless is why there is no target any more; empty if there is. TargetGone tells
	// that there is none to be asked.
	Targetless string
	TargetGone bool
	// SourceGone tells that there is no source any more.
	SourceGone bool
	// Fresh is a name that no attempt has had.
	Fresh cairn.UID
}

// FenceFor is how long a fence stands before it is lifted for the time being.
// Routers hold writes back for longer.
const FenceFor = 2 * time.Second

const (
	// MaxAttempts is how often a shard is copied in one move: where its changes since
	// the copy were not kept any more so often, it is written faster than that can be.
	MaxAttempts = 5
	// MaxBehind is how many looks at what has changed, one after the other, may each
	// find much before the move is given up.
	MaxBehind = 10_000
)

// Decide is the next thing to do about a move. It is the protocol: whatever other
// movers do at the same time, and whatever becomes of the answers, at most one
// cluster takes writes for the shard, and nothing acknowledged is lost.
func Decide(s State, f Facts, now time.Time) Action {
	if f.Targetless != "" && s.Move.Phase < shardmap.MoveCommitted {
		s.Move.Cancel, s.Move.Problem = true, f.Targetless
	}
	s = s.whole()
	m := s.Move
	switch {
	case s.Reread:
		return Action{Kind: Read}
	case now.Before(s.Retry):
		return Action{Kind: Wait, Until: s.Retry}
	case s.worthTelling():
		told := m
		told.Problem = s.Problem
		return Action{Kind: Swap, Next: told}
	case f.Void != "" && m.Phase < shardmap.MoveCommitted:
		return s.void(f.Void, now)
	}
	switch m.Phase {
	case shardmap.MovePreparing:
		return s.prepare(f, now)
	case shardmap.MoveCopying:
		return s.copy(f, now)
	case shardmap.MoveCatchingUp:
		return s.catchUp(f, now)
	case shardmap.MoveFenced:
		return s.drain(f, now)
	case shardmap.MoveCommitted:
		switch {
		case !s.Activated:
			return Action{Kind: Note, Revision: m.Revision}
		case f.Data && f.Behind && !s.Opened:
			return Action{Kind: Read}
		case f.Data && f.Epoch != 0 && !s.Opened:
			return Action{Kind: CommitData, Epoch: f.Epoch}
		}
		return Action{Kind: Swap, Next: s.enter(shardmap.MoveDone, now)}
	case shardmap.MoveDone:
		return s.forget(f, now)
	case shardmap.MoveCancelled:
		return s.cleanUp(f)
	}
	return Action{Kind: End}
}

// whole is s where the source is the target as well: that has all that there is of the
// shard, and what is left to do is the data mover's, and to commit under a fence.
func (s State) whole() State {
	if s.Move.Within() {
		s.Have = Have{Known: true, Copied: 1, Complete: true, Through: math.MaxUint64, Sealed: s.Move.Fence, Digest: s.Fence.Digest}
		s.Caught = true
	}
	return s
}

// prepare has the target note the map, so that it knows that the shard is not its
// own, and drop what an attempt before has left.
func (s State) prepare(f Facts, now time.Time) Action {
	switch {
	case s.Move.Cancel:
		return s.cancel(f, "", now)
	case s.Move.Paused || !f.Turn:
		return Action{Kind: Wait}
	case !s.Noted:
		return Action{Kind: Note, Revision: s.Move.Revision}
	case s.Move.Stale != 0 && !s.Dropped:
		return Action{Kind: Drop, Staging: s.Move.Stale}
	}
	next := s.enter(shardmap.MoveCopying, now)
	next.Stale = 0
	return Action{Kind: Swap, Next: next}
}

// copy has the target get the entries, then the data mover the keys, by when the
// target has chosen their nodes.
func (s State) copy(f Facts, now time.Time) Action {
	switch {
	case s.Move.Cancel:
		return s.cancel(f, "", now)
	case s.Broken != "":
		return s.restart(f, now)
	case s.Move.Paused:
		return Action{Kind: Wait}
	case f.Data && !s.Data.Known:
		return Action{Kind: PrepareData}
	case !s.Have.Known:
		return Action{Kind: Ask}
	case s.Have.Copied == 0 && s.Move.Kept != 0 && !s.Unkept:
		return Action{Kind: Adopt}
	case !s.Have.Complete:
		return Action{Kind: Copy}
	case f.Data && !s.Data.Complete && !s.Caught:
		return Action{Kind: Tail}
	case f.Data && !s.Data.Complete:
		return Action{Kind: CopyData}
	}
	return Action{Kind: Swap, Next: s.enter(shardmap.MoveCatchingUp, now)}
}

// catchUp lifts the fence that the record says is over, then follows the source
// until little is missing, then puts a fence up. Its number is above every one
// that a move of this shard ever had, since revisions only grow.
func (s State) catchUp(f Facts, now time.Time) Action {
	switch {
	case s.Move.Fence > s.Lifted:
		return Action{Kind: Unfence, Fence: s.Move.Fence}
	case s.Move.Cancel:
		return s.cancel(f, "", now)
	case f.Data && s.Move.Fence > s.Unlocked:
		return Action{Kind: UnfenceData, Fence: s.Move.Fence}
	case s.Broken != "":
		return s.restart(f, now)
	case s.Move.Paused:
		return Action{Kind: Wait}
	case !s.Have.Known:
		return Action{Kind: Ask}
	case !s.Have.Complete:
		s.Broken = "the target lost what it had"
		return s.restart(f, now)
	case f.Data && !s.Data.Known:
		return Action{Kind: PrepareData}
	case f.Data && !s.Data.Complete:
		s.Broken = "the data mover lost what it had"
		return s.restart(f, now)
	case now.Before(s.FenceAfter):
		return Action{Kind: Wait, Until: s.FenceAfter}
	case s.Behind >= MaxBehind:
		return s.cancel(f, "the shard is written faster than its changes reach the target; move it when less is written", now)
	case !s.Caught || s.Have.Building:
		return Action{Kind: Tail}
	case f.Data && !s.Data.Caught:
		return Action{Kind: TailData}
	}
	next := s.enter(shardmap.MoveFenced, now)
	next.Fence = s.Move.Revision
	return Action{Kind: Swap, Next: next}
}

// drain brings the target to where the fence is, then the data mover, compares, and
// commits. The index is fenced first: no key comes, goes or changes nodes under the
// fence of the data. Both fences are lifted by a swap that competes with the commit,
// whoever tries that.
func (s State) drain(f Facts, now time.Time) Action {
	switch {
	case s.Move.Cancel:
		return s.lift("", now)
	case s.differs():
		return s.giveUp("the target's entries are not the source's", now)
	case s.DataDiffers != "":
		return s.giveUp(s.DataDiffers, now)
	case s.Broken != "":
		return s.lift(s.Broken, now)
	case now.Sub(s.Move.Stepped).Abs() > FenceFor: // a clock may have jumped either way
		return s.lift("the target did not get the last changes in time", now)
	case s.Fence.Number != s.Move.Fence:
		return Action{Kind: PutFence, Fence: s.Move.Fence}
	case f.Data && !s.Data.Known:
		return Action{Kind: PrepareData}
	case f.Data && !s.Data.Complete:
		return s.lift("the data mover lost what it had", now)
	case f.Data && s.Data.Fence != s.Move.Fence:
		return Action{Kind: FenceData, Fence: s.Move.Fence}
	case !s.Have.Known:
		return Action{Kind: Ask}
	case !s.Have.Complete:
		return s.lift("the target lost what it had", now)
	case s.Have.Through < s.Fence.Index:
		return Action{Kind: Tail}
	case s.Have.Sealed != s.Move.Fence:
		return Action{Kind: Tail}
	case !f.Settled && s.Have.Digest.Entries > 0:
		return s.giveUp("the shard has got entries, and the keyspace does not say who moves the data behind them", now)
	case f.Data && s.Data.Through < s.Fence.Index:
		return Action{Kind: TailData}
	case f.Data && s.Data.Drained != s.Move.Fence:
		return Action{Kind: DrainData, Fence: s.Move.Fence}
	case f.Data && s.Data.Verified != s.Move.Fence:
		return Action{Kind: VerifyData, Fence: s.Move.Fence}
	}
	next := s.enter(shardmap.MoveCommitted, now)
	if !s.Move.Within() { // else no owner's log ends
		next.Final = s.Fence.Index
	}
	return Action{Kind: Swap, Next: next}
}

// differs tells that the target has everything up to the fence, and not the same.
// It does not seal that.
func (s State) differs() bool {
	return s.Fence.Number == s.Move.Fence && s.Have.Known && s.Have.Complete &&
		s.Have.Through >= s.Fence.Index && s.Have.Digest != s.Fence.Digest
}

// forget has the source forget what it has kept for long enough, by the time at which
// the target began to serve: a clock that jumps costs a copy at most. The record says
// so before: who would have the shard given back as it was kept competes for it.
func (s State) forget(f Facts, now time.Time) Action {
	until := s.Move.Stepped.Add(s.Move.Keep)
	switch {
	case s.Move.Clean:
		return Action{Kind: End}
	case s.Move.Keeps() && !f.SourceGone && now.Before(until):
		return Action{Kind: Wait, Until: until}
	case s.Move.Keeps() && !f.SourceGone:
		over := s.Move
		over.Keep = 0
		return Action{Kind: Swap, Next: over}
	case !s.Forgotten && !f.SourceGone:
		return Action{Kind: Forget}
	case f.Data && !s.Cleaned:
		return Action{Kind: CleanUpData}
	}
	next := s.Move
	next.Clean = true
	return Action{Kind: Swap, Next: next}
}

func (s State) cleanUp(f Facts) Action {
	switch {
	case s.Move.Clean:
		return Action{Kind: End}
	case !s.Dropped && !f.TargetGone && s.Move.Stale != 0:
		return Action{Kind: Drop, Staging: s.Move.Stale}
	case !s.Dropped && !f.TargetGone:
		return Action{Kind: Drop, Staging: s.Move.Staging}
	case f.Data && f.Void != "" && !s.Cleaned:
		return Action{Kind: CleanUpData, Void: true}
	}
	next := s.Move
	next.Stale, next.Clean = 0, s.Move.Stale == 0 || f.TargetGone
	return Action{Kind: Swap, Next: next}
}

// enter is the record in another phase, without a problem.
func (s State) enter(phase shardmap.MovePhase, now time.Time) shardmap.Move {
	next := s.Move
	next.Phase, next.Stepped, next.Problem = phase, now.UTC().Round(time.Microsecond), ""
	return next
}

// cancel ends the move. Its shard is free; what the target has is dropped after. The
// data mover has ended it before, so that it never does while another move goes on.
func (s State) cancel(f Facts, why string, now time.Time) Action {
	if unasked := s.Move.Phase == shardmap.MovePreparing && s.Move.Attempt == 1; f.Data && !s.Cleaned && !unasked {
		return Action{Kind: CleanUpData}
	}
	return s.void(why, now)
}

// void ends a move at once. Where that is because its shard has another epoch by now,
// a later move has a higher one, and the data mover heeds that.
func (s State) void(why string, now time.Time) Action {
	next := s.enter(shardmap.MoveCancelled, now)
	next.Problem = cmp.Or(why, s.Move.Problem)
	return Action{Kind: Swap, Next: next}
}

// lift has the record say that the fence is over. It is lifted once that is known.
func (s State) lift(why string, now time.Time) Action {
	next := s.enter(shardmap.MoveCatchingUp, now)
	next.Problem = cmp.Or(why, s.Move.Problem)
	return Action{Kind: Swap, Next: next}
}

// giveUp lifts the fence for a reason that time does not mend.
func (s State) giveUp(why string, now time.Time) Action {
	a := s.lift(why, now)
	a.Next.Cancel = true
	return a
}

// restart begins another copy, under another name: whatever comes late of this
// one is not taken for it. The last one that may be is not begun again.
func (s State) restart(f Facts, now time.Time) Action {
	if s.Move.Attempt >= MaxAttempts {
		return s.cancel(f, fmt.Sprintf("it was copied %d times, and then could not catch up: %s; move it when less is written, copy faster, or keep more changes (cairn index --changes-mib)", s.Move.Attempt, s.Broken), now)
	}
	next := s.enter(shardmap.MovePreparing, now)
	next.Attempt++
	next.Stale, next.Staging = s.Move.Staging, f.Fresh
	next.Problem = s.Broken
	return Action{Kind: Swap, Next: next}
}

// worthTelling: the record is to say what keeps the move from getting on. Not
// under a fence, where every step counts, nor instead of why it was cancelled.
func (s State) worthTelling() bool {
	const often = 3
	return s.Failures >= often && s.Problem != s.Move.Problem && s.Move.Phase.Active() && s.Move.Phase != shardmap.MoveFenced
}
