package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cairn"
)

// action is what to do about keys that were not answered.
type action uint8

const (
	// giveUp: the error is the answer.
	giveUp action = iota
	// reroute: find the owner by a newer map.
	reroute
	// again: ask again after a pause.
	again
	// repeat: as again, and what was asked may have taken effect.
	repeat
	// unnamed: as again, but without the request id that was refused.
	unnamed
	// hold: ask again once the shard is not fenced any more.
	hold
)

// verdict is what was learnt from a refusal.
type verdict struct {
	action action
	// revision is how new a map reroute needs.
	revision uint64
	// refusal is what was said.
	refusal *cairn.Error
	// held is what hold holds back.
	held holding
}

// reasonFenced is the reason of a write that was refused because its shard is
// fenced.
const reasonFenced = "SHARD_FENCED"

// asError is any error as *cairn.Error.
func asError(err error) *cairn.Error {
	if e, ok := errors.AsType[*cairn.Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &cairn.Error{Kind: cairn.KindDeadline, Reason: "CANCELLED", Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &cairn.Error{Kind: cairn.KindDeadline, Reason: "DEADLINE_EXCEEDED", Err: err}
	}
	return &cairn.Error{Kind: cairn.KindInternal, Reason: "INTERNAL", Err: err}
}

// learnDisowned is what it means that a cluster disowns keys which the map at
// revision decidedBy gives it.
func learnDisowned(cluster string, answer cairn.Answer, decidedBy uint64) verdict {
	refusal := cairn.Errorf(cairn.KindStale, "NOT_OWNED",
		"cluster %s does not own the key by its log at map revision %d; the router's map is at %d", cluster, answer.Revision, decidedBy)
	return learnStale(refusal, answer, decidedBy)
}

// learnStale is what a refusal means that an index bases on its log. Where
// that log is no newer than the router's map the two disagree, and only time
// can tell who is right.
func learnStale(refusal *cairn.Error, answer cairn.Answer, decidedBy uint64) verdict {
	if answer.Revision > decidedBy {
		return verdict{action: reroute, revision: answer.Revision, refusal: refusal}
	}
	return verdict{action: again, revision: decidedBy, refusal: refusal}
}

// learnRead is what the failure of a read means.
func learnRead(err error, answer cairn.Answer, decidedBy uint64) verdict {
	refusal := asError(err)
	if refusal.Reason == cairn.ReasonClusterUnreachable {
		return verdict{action: giveUp, refusal: refusal}
	}
	switch refusal.Kind {
	case cairn.KindStale:
		return learnStale(refusal, answer, decidedBy)
	case cairn.KindNotYet, cairn.KindUnavailable:
		return verdict{action: again, revision: decidedBy, refusal: refusal}
	}
	return verdict{action: giveUp, refusal: refusal}
}

// learnWrite is what the failure of a request to write means for each of its
// writes: one without an id is tried again only if it is certain that it did
// not take effect.
func learnWrite(err error, answer cairn.Answer, decidedBy uint64, hasID bool) verdict {
	refusal := asError(err)
	if refusal.Reason == cairn.ReasonClusterUnreachable {
		return verdict{action: giveUp, refusal: refusal}
	}
	switch refusal.Kind {
	case cairn.KindStale:
		return learnStale(refusal, answer, decidedBy)
	case cairn.KindNotYet, cairn.KindUnavailable:
		return verdict{action: again, revision: decidedBy, refusal: refusal}
	case cairn.KindExhausted, cairn.KindInvalid:
		return verdict{action: giveUp, refusal: refusal}
	case cairn.KindUnknown, cairn.KindDeadline:
		if hasID {
			return verdict{action: repeat, revision: decidedBy, refusal: refusal}
		}
	}
	return verdict{action: giveUp, refusal: outcomeUnknown(refusal)}
}

// outcomeUnknown is the error of a write that was sent and may have taken
// effect, given what is known instead of its outcome.
func outcomeUnknown(err *cairn.Error) *cairn.Error {
	return &cairn.Error{
		Kind: cairn.KindUnknown, Reason: "OUTCOME_UNKNOWN", Key: err.Key,
		Err: fmt.Errorf("the write may or may not have taken effect; read the key to find out: %w", err),
	}
}

// idRefused reports whether a write was refused for its request's id, which
// says nothing about an earlier try.
func idRefused(err *cairn.Error) bool {
	return err.Reason == "REQUEST_TOO_OLD" || err.Reason == "REQUEST_AHEAD"
}

// gaveUp is the error of a request that ran out of time: the last refusal if
// there was one, for that says what is wrong.
func gaveUp(ctx context.Context, tries int, last *cairn.Error) *cairn.Error {
	ended := ctx.Err()
	if ended == nil {
		// A pause that would have outlasted the deadline.
		ended = context.DeadlineExceeded
	}
	return gaveUpBy(ended, tries, last)
}

func gaveUpBy(ended error, tries int, last *cairn.Error) *cairn.Error {
	if last == nil || errors.Is(ended, context.Canceled) {
		return asError(ended)
	}
	kind := last.Kind
	if kind == cairn.KindStale {
		// Whose key it is could not be settled in time; to the caller, who
		// knows no maps, that is no more than a wait.
		kind = cairn.KindUnavailable
	}
	return &cairn.Error{Kind: kind, Reason: last.Reason, Key: last.Key, Err: fmt.Errorf("gave up after %d tries: %w", tries, last)}
}

const (
	shortestPause = 2 * time.Millisecond
	longestPause  = 250 * time.Millisecond
)

// pauseBefore is how long to wait before a try, counted from 1, by chance in
// [0, 1): from half to the whole of a time that doubles, so that the many who
// were refused together do not come back together.
func pauseBefore(try int, chance float64) time.Duration {
	whole := longestPause
	if try < 8 {
		whole = min(whole, shortestPause<<(try-1))
	}
	return whole/2 + time.Duration(chance*float64(whole/2))
}

// learnUnknownName is what it means that an answer refers to a node or an
// attribute which the map lacks: the index has noted a newer one.
func learnUnknownName(cluster string, answer cairn.Answer) verdict {
	return verdict{action: reroute, revision: answer.Revision, refusal: cairn.Errorf(cairn.KindStale, "NAME_UNKNOWN",
		"cluster %s answers by map revision %d, which declares more than the router's map", cluster, answer.Revision)}
}
