package cairn

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind is what sort of failure an Error is: what the caller can do about it.
type Kind uint8

// The kinds of errors.
const (
	// KindInternal is a defect in Cairn itself.
	KindInternal Kind = iota
	// KindInvalid is input that can't be accepted; Field names what is wrong.
	KindInvalid
	// KindNotFound is a resource that is named but does not exist.
	KindNotFound
	// KindPrecondition is a request that the present state does not allow: a
	// condition that does not hold, something still in use.
	KindPrecondition
	// KindConflict is a change that lost to another: look again and retry.
	KindConflict
	// KindStale is a request decided by an older map than the answerer's log:
	// refresh and ask again.
	KindStale
	// KindNotYet is a replica whose log has not reached what the request asks
	// for: wait, or ask the leader.
	KindNotYet
	// KindCompacted is a stamp that is older than what is kept.
	KindCompacted
	// KindExhausted is a bound that was hit: a full disk, a full queue, a
	// message over its size.
	KindExhausted
	// KindUnavailable is a server that can't be reached or can't answer now.
	KindUnavailable
	// KindUnknown is a write that may or may not have taken effect.
	KindUnknown
	// KindDeadline is a deadline that passed, or a caller that went away.
	KindDeadline
	// KindCorrupt is stored data that is not what was written.
	KindCorrupt
	// KindUnimplemented is a request that this version has no answer to.
	KindUnimplemented
)

var kindNames = [...]string{
	"internal error", "invalid", "not found", "precondition failed", "conflict", "stale", "not yet", "compacted",
	"exhausted", "unavailable", "outcome unknown", "deadline exceeded", "corrupt", "unimplemented",
}

func (k Kind) String() string { return kindNames[k] }

// Error is the one error type. Its message says what was wrong, where, and
// what to do.
type Error struct {
	// Op is what was being done, as in "put" or "open checkpoint".
	Op string
	// Kind is what the caller can do about it.
	Kind Kind
	// Reason is stable and for programs, as in "KEY_TOO_LONG".
	Reason string
	// Field names the part of the input that is wrong, as in
	// "attributes.length_ft"; empty where no input is.
	Field string
	// Key is the key concerned, if one is.
	Key Key
	// Instead is the address of who would answer, where that is known: of the
	// leader, with NOT_LEADER.
	Instead string
	// RetryAfter is when to try again, where the answerer knows better than what is
	// usual for the kind; 0 otherwise.
	RetryAfter time.Duration
	// Err says the rest.
	Err error
}

func (e *Error) Error() string {
	var out strings.Builder
	if e.Op != "" {
		out.WriteString(e.Op + ": ")
	}
	if e.Key != nil {
		out.WriteString("key " + shorten(e.Key.String()) + ": ")
	}
	if e.Field != "" && e.Field != "key" {
		out.WriteString(e.Field + ": ")
	}
	if e.Err != nil {
		out.WriteString(e.Err.Error())
	} else {
		out.WriteString(e.Kind.String())
	}
	return out.String()
}

func (e *Error) Unwrap() error { return e.Err }

// shorten keeps a key of 1,024 bytes from drowning its message.
func shorten(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// Errorf makes an Error of a kind, with a reason and a message.
func Errorf(kind Kind, reason, format string, args ...any) *Error {
	return &Error{Kind: kind, Reason: reason, Err: fmt.Errorf(format, args...)}
}

// Invalid makes the error for bad input in a field.
func Invalid(field, reason, format string, args ...any) *Error {
	return &Error{Kind: KindInvalid, Field: field, Reason: reason, Err: fmt.Errorf(format, args...)}
}

// KindOf is the kind of the first Error in err's chain, KindInternal if there
// is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}

// ReasonOf is the reason of the first Error in err's chain, or "".
func ReasonOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// InField puts a field's name in front of what an error already names, so
// that "type" becomes "attributes.length_ft.type". It returns err itself if
// there is no Error in its chain.
func InField(field string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	inner := *e
	if inner.Field != "" {
		field += "." + inner.Field
	}
	inner.Field = field
	return &inner
}

// ReasonClusterUnreachable is the reason of a request that a router refused at once, as
// no replica of a cluster's index has been in reach for some seconds. To try again soon
// is no use.
const ReasonClusterUnreachable = "CLUSTER_UNREACHABLE"

// ReasonOverloaded is the reason of a request that a router refused, as KindExhausted,
// since it has more to do than it can in time. Nothing came of it; RetryAfter says when to
// try again. Where one cluster's index has, the reason is CLUSTER_OVERLOADED.
const ReasonOverloaded = "OVERLOADED"
