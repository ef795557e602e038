package move

import (
	"cmp"
	"time"

	"cairn"
	"cairn/shardmap"
)

// This file is what a mover learns of the outcome of its actions.

// Saw is s after a look at the record. An older one than is known says nothing.
func (s State) Saw(record shardmap.Move) State {
	switch {
	case record.Revision < s.Move.Revision:
		return s
	case record.Revision == s.Move.Revision:
		s.Reread = false
		return s
	}
	return State{Move: record, Fences: s.Fences, FenceAfter: s.FenceAfter}
}

// Swapped is s after a swap that is known to be won, at a revision.
func (s State) Swapped(next shardmap.Move, revision uint64, now time.Time) State {
	next.Revision = revision
	before := s.Move
	s.Move = next
	s = s.worked()
	switch {
	case next.Staging != before.Staging:
		return State{Move: next}
	case before.Phase == shardmap.MoveFenced && next.Phase == shardmap.MoveCatchingUp:
		s.Fences++
		s.Caught, s.Data.Caught, s.FenceAfter = false, false, now.Add(pauseAfter(s.Fences, longestFencePause))
	case next.Stale != before.Stale || next.Phase == shardmap.MoveCancelled:
		s.Dropped = false // of another staging, if of any
	}
	return s
}

// Asked is s after the target has said what it has.
func (s State) Asked(staged cairn.Staged) State {
	s.Have = haveOf(staged)
	return s.worked()
}

func haveOf(staged cairn.Staged) Have {
	return Have{true, staged.Copied, string(staged.Last), staged.Complete, staged.Through, staged.Sealed, staged.Digest, staged.Building}
}

// Followed is s after the target got what had changed, and has said what it has;
// caught tells whether that was little.
func (s State) Followed(staged cairn.Staged, caught bool) State {
	s = s.Asked(staged)
	if s.Caught = caught; caught {
		s.Behind = 0
	} else {
		s.Behind++
	}
	return s
}

// DataAsked is s after the data mover has done what an action says, and has said what
// it has.
func (s State) DataAsked(a Action, have DataHave) State {
	have.Known = true
	s.Data = have
	switch a.Kind {
	case TailData:
		if s.Behind++; have.Caught {
			s.Behind = 0
		}
	case UnfenceData:
		s.Unlocked = max(s.Unlocked, a.Fence)
	case CommitData:
		s.Opened = true
	case CleanUpData:
		s.Cleaned = true
	}
	return s.worked()
}

// DataDiffer is s after the data mover has found both sides to differ.
func (s State) DataDiffer(how string) State {
	s.DataDiffers = how
	return s.worked()
}

// HasNoted is s after the target has noted the map of a Note.
func (s State) HasNoted() State {
	if s.Move.Phase == shardmap.MoveCommitted {
		s.Activated = true
	} else {
		s.Noted = true
	}
	return s.worked()
}

// HasForgotten is s after the source has forgotten what it kept.
func (s State) HasForgotten() State {
	s.Forgotten = true
	return s.worked()
}

// HasDropped is s after the target has dropped what it was to.
func (s State) HasDropped() State {
	s.Dropped = true
	return s.worked()
}

// FencePut is s after the source has said that a fence stands.
func (s State) FencePut(f cairn.FenceState) State {
	s.Fence = f
	return s.worked()
}

// FenceLifted is s after the source has said that fence n and all below are
// lifted.
func (s State) FenceLifted(n uint64) State {
	s.Lifted = max(s.Lifted, n)
	return s.worked()
}

func (s State) worked() State {
	s.Failures, s.Problem, s.Retry = 0, "", time.Time{}
	return s
}

// The reasons of a target, and of a data mover, that has lost what it had.
const (
	reasonNothing     = "NOTHING_STAGED"
	reasonNotPrepared = "NOT_PREPARED"
)

// Failed is s after an action that failed, or whose answer is not known. What it
// may have done is found out by doing it again.
func (s State) Failed(a Action, err error, now time.Time) State {
	switch kind := cairn.KindOf(err); {
	case a.Kind == Adopt && kind != cairn.KindUnavailable && kind != cairn.KindDeadline && kind != cairn.KindNotYet:
		// A copy is always right.
		s.Unkept, s.Have.Known = true, false
		return s
	case kind == cairn.KindCompacted && (a.Kind == Tail || a.Kind == TailData):
		s.Broken = err.Error()
		return s
	case kind == cairn.KindConflict && (a.Kind == Swap || a.Kind == PutFence):
		// The record is another by now.
		s.Reread = true
	case (kind == cairn.KindConflict || cairn.ReasonOf(err) == reasonNothing) && (a.Kind == Copy || a.Kind == Tail):
		s.Have.Known = false
	case a.Kind == CleanUpData && kind == cairn.KindConflict && !s.Move.Phase.Active():
		// A later move has begun, and what this one left is that one's. If it is only a
		// later step of this one, nobody gets to say that it is clean by this.
		s.Cleaned = true
		return s
	case a.ofData() && kind == cairn.KindConflict:
		// It was asked by a later record, or has less than it had.
		s.Reread, s.Data.Known = true, false
		if a.Kind == CopyData || a.Kind == TailData {
			s.Have.Known, s.Caught = false, false
		}
	case a.ofData() && cairn.ReasonOf(err) == reasonNotPrepared:
		s.Data.Known = false
	case a.ofData() && cairn.ReasonOf(err) == reasonNothing:
		s.Have.Known = false
	case kind == cairn.KindStale:
		s.Reread = true
	}
	s.Failures++
	// Texts may differ from one time to the next; it is told again when the reason
	// does.
	if reason := cmp.Or(cairn.ReasonOf(err), cairn.KindOf(err).String()); s.Problem == "" || s.reason() != reason {
		s.Problem = reason + ": " + err.Error()
	}
	s.Retry = now.Add(pauseAfter(s.Failures, longestPause))
	return s
}

// reason is that of the problem.
func (s State) reason() string {
	for i := range s.Problem {
		if s.Problem[i] == ':' {
			return s.Problem[:i]
		}
	}
	return s.Problem
}

const (
	shortestPause     = 20 * time.Millisecond
	longestPause      = 2 * time.Second
	longestFencePause = time.Minute
)

// pauseAfter doubles with each time, up to a limit.
func pauseAfter(times int, limit time.Duration) time.Duration {
	if times > 12 {
		return limit
	}
	return min(limit, shortestPause<<times)
}
