package bed

import (
	"context"
	"syscall"

	"cairn"
)

// Call is a method of an index.
type Call string

// The calls.
const (
	CallLocate Call = "locate"
	CallWrite  Call = "write"
	CallList   Call = "list"
	CallWatch  Call = "watch"
	CallView   Call = "view"
	CallExport Call = "export"
	CallStatus Call = "status"
	// CallListening looks whether somebody listens.
	CallListening Call = "listening"
)

// Fault is what happens to a call.
type Fault uint8

// The faults.
const (
	// None: nothing.
	None Fault = iota
	// NotYet: the replica says that it is not fresh enough.
	NotYet
	// Unreachable: the request never arrives.
	Unreachable
	// LostReply: the request takes effect and its answer is lost.
	LostReply
	// Slow: there is no answer before the caller gives up.
	Slow
	// Other: the answer is about another set of shards. Of views only.
	Other
	// Building: the version is not complete. Of views only.
	Building
	// Refused: nobody listens where the request is sent to.
	Refused
)

// wait is before, for calls that can be slow.
func (f Fault) wait(ctx context.Context) error {
	if f == Slow {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.before()
}

// before is the error of a call that the fault keeps from happening.
func (f Fault) before() error {
	switch f {
	case Building:
		return cairn.Errorf(cairn.KindUnavailable, "VIEW_BUILDING", "the version is being built")
	case NotYet:
		return cairn.Errorf(cairn.KindNotYet, "NOT_YET", "the replica is behind")
	case Refused:
		return cairn.Errorf(cairn.KindUnavailable, "UNREACHABLE", "the replica can't be reached: %w", syscall.ECONNREFUSED)
	case Unreachable:
		return cairn.Errorf(cairn.KindUnavailable, "UNREACHABLE", "the replica can't be reached")
	}
	return nil
}

// after is the error of a call that has happened.
func (f Fault) after(call Call) error {
	switch {
	case f == LostReply && call == CallWrite:
		return cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "the connection broke before the answer")
	case f == LostReply:
		return cairn.Errorf(cairn.KindUnavailable, "UNREACHABLE", "the connection broke before the answer")
	}
	return nil
}
