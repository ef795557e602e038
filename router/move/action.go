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
)

var kindNames = [...]string{"end", "wait", "read", "swap", "note", "ask", "copy", "adopt", "tail", "fence", "unfence", "drop", "forget"}

func (k Kind) String() string { return kindNames[k] }

// Action is one thing to do about a move.
type Action struct {
	Kind Kind
	// Until is when a Wait is over at the latest; zero: no earlier than something
	// changes.
	Until time.Time
	// Next is what a Swap makes of the record.
	Next shardmap.Move
	// Revision is what a Note is of, Fence a fence's number, Staging what a Drop
	// drops.
	Revision, Fence uint64
	Staging         cairn.UID
}

// String describes the action in a few words, for a log.
func (a Action) String() string {
	switch a.Kind {
	case Swap:
		return fmt.Sprintf("%s to %s", a.Kind, a.Next.Phase)
	case Note:
		return fmt.Sprintf("%s map %d", a.Kind, a.Revision)
	case PutFence, Unfence:
		return fmt.Sprintf("%s %d", a.Kind, a.Fence)
	case Drop:
		return fmt.Sprintf("%s %s", a.Kind, a.Staging)
	}
	return a.Kind.String()
}
