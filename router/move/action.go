package move

import (
	"fmt"
	"time"

	"cairn"
	"cairn/shardmap"
)

// Kind is what an Action does.
type Kind uint8

// The kinds of actions.
const (
	// End: nothing is left to do, ever.
	End Kind = iota
	// Wait until a time, or until the record or the facts change.
	Wait
	// Read the record anew.
	Read
	// Swap the record for Next, if it is still what the State says. What becomes
	// MoveCommitted changes the shard's owner in the same transaction.
	Swap
	// Note has the target note the map of a revision.
	Note
	// Ask the target what it has.
	Ask
	// Copy hands the target what it lacks of the copy.
	Copy
	// Adopt has the target take what it has kept of the shard for the copy.
	Adopt
	// Tail hands the target what has changed since what it has.
	Tail
	// PutFence has the source put up fence number Fence.
	PutFence
	// Unfence has it lift that.
	Unfence
	// Drop has the target forget what it has under a name.
	Drop
	// Forget has the source forget what it keeps of the shard.
	Forget
	// PrepareData has the data mover begin the attempt, and say what it has of it.
	PrepareData
	// CopyData hands it the keys that it lacks of the copy.
	CopyData
	// TailData hands it those that have changed since what it has.
	TailData
	// FenceData has it put up fence number Fence, UnfenceData lift that.
	FenceData
	UnfenceData
	// DrainData has it copy all that is left under fence Fence, VerifyData compare.
	DrainData
	VerifyData
	// CommitData has it open the target's nodes for epoch Epoch.
	CommitData
	// CleanUpData has it end the move.
	CleanUpData
)

var kindNames = [...]string{"end", "wait", "read", "swap", "note", "ask", "copy", "adopt", "tail", "fence", "unfence", "drop", "forget",
	"prepare data", "copy data", "tail data", "fence data", "unfence data", "drain data", "verify data", "commit data", "clean up data"}

func (k Kind) String() string { return kindNames[k] }

// Action is one thing to do about a move.
type Action struct {
	Kind Kind
	// Until is when a Wait is over at the latest; zero: no earlier than something
	// changes.
	Until time.Time
	// Next is what a Swap makes of the record.
	Next shardmap.Move
	// Revision is what a Note is of, Fence a fence's number, Epoch the shard's after a
	// commit, Staging what a Drop drops.
	Revision, Fence, Epoch uint64
	Staging                cairn.UID
	// Void, of CleanUpData, tells that the values stay where they are.
	Void bool
}

// String describes the action in a few words, for a log.
func (a Action) String() string {
	switch a.Kind {
	case Swap:
		return fmt.Sprintf("%s to %s", a.Kind, a.Next.Phase)
	case Note:
		return fmt.Sprintf("%s map %d", a.Kind, a.Revision)
	case PutFence, Unfence, FenceData, UnfenceData, DrainData, VerifyData:
		return fmt.Sprintf("%s %d", a.Kind, a.Fence)
	case Drop:
		return fmt.Sprintf("%s %s", a.Kind, a.Staging)
	}
	return a.Kind.String()
}

// ofData tells whether the action is the data mover's.
func (a Action) ofData() bool { return a.Kind >= PrepareData }
