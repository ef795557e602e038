package bed

import "cairn"

// Call is a method of an index.
type Call string

// The calls.
const (
	CallLocate Call = "locate"
	CallWrite  Call = "write"
	CallList   Call = "list"
	CallWatch  Call = "watch"
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
)

// before is the error of a call that the fault keeps from happening.
func (f Fault) before() error {
	switch f {
	case NotYet:
		return cairn.Errorf(cairn.KindNotYet, "NOT_YET", "the replica is behind")
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
