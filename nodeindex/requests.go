package nodeindex

import (
	"cmp"
	"hash/maphash"
	"slices"
	"time"

	"cairn"
)

// requestSlack is how far ahead of the log's time a request may have been
// issued: clocks differ.
const requestSlack = int64(time.Minute / time.Microsecond)

// requests is what is remembered of write requests that have an id, so that a
// repeated one is not carried out again. It is part of the applied state: the
// log alone decides what is in it. Times are microseconds since 1970. Guarded
// by Index.mu.
type requests struct {
	requestTimes
	// bytes is what all slices count for.
	bytes int64
	// keyspaces have slices in ascending order of their seconds.
	keyspaces map[cairn.UID][]*requestSlice
	seed      maphash.Seed
}

// requestTimes only grow.
type requestTimes struct {
	// clock is the highest time that a write command had.
	clock int64
	// latest is the highest issue time of a request that was accepted.
	latest int64
	// horizon: whatever was issued from here on is remembered.
	horizon int64
}

// requestName is a cairn.RequestID as it stands in the log.
type requestName struct {
	id     [16]byte
	issued int64
}

func nameOf(r cairn.RequestID) requestName { return requestName{r.ID, r.Issued.UnixMicro()} }

func (n requestName) isZero() bool { return n.id == [16]byte{} }

// second is which slice the request is in.
func (n requestName) second() int64 { return n.issued / microsPerSecond }

const microsPerSecond = int64(time.Second / time.Microsecond)

func newRequests() *requests {
	return &requests{keyspaces: make(map[cairn.UID][]*requestSlice), seed: maphash.MakeSeed()}
}

// arrive notes that a request is being applied, in a command whose window is
// so long. It returns what a mutation of it is refused for that is not
// remembered, nil if it may be carried out.
func (q *requests) arrive(name requestName, window int64) *cairn.Error {
	if name.issued > q.clock+requestSlack {
		return errRequestAhead(name.issued, q.clock)
	}
	q.latest = max(q.latest, name.issued)
	q.raise(q.latest - window)
	if name.issued < q.horizon {
		return errRequestTooOld(name.issued, q.horizon)
	}
	return nil
}

// raise moves the horizon on and forgets the slices that end before it.
func (q *requests) raise(horizon int64) {
	if horizon <= q.horizon {
		return
	}
	q.horizon = horizon
	for uid, all := range q.keyspaces {
		gone := 0
		for gone < len(all) && all[gone].end() <= horizon {
			q.bytes -= all[gone].size()
			gone++
		}
		switch {
		case gone == len(all):
			delete(q.keyspaces, uid)
		case gone > 0:
			q.keyspaces[uid] = slices.Delete(all, 0, gone)
		}
	}
}

// find is what is remembered of a request's mutations, by position; nil for
// nothing.
func (q *requests) find(keyspace cairn.UID, name requestName) map[uint32]outcome {
	at, found := q.search(keyspace, name.second())
	if !found {
		return nil
	}
	return q.keyspaces[keyspace][at].find(name.id, q.hash(name.id))
}

// unknown are those of a request's outcomes, which have ascending positions, that are not
// remembered.
func (q *requests) unknown(keyspace cairn.UID, name requestName, outcomes []outcome) []outcome {
	at, found := q.search(keyspace, name.second())
	if !found {
		return outcomes
	}
	return q.keyspaces[keyspace][at].unknown(name.id, q.hash(name.id), outcomes)
}

// remember keeps outcomes of a request's mutations, which have ascending
// positions, and forgets the earliest slices of all while there are more bytes
// than limit.
func (q *requests) remember(keyspace cairn.UID, name requestName, index uint64, outcomes []outcome, limit int64) {
	s := q.slice(keyspace, name.second())
	before := s.size()
	s.add(name.id, q.hash(name.id), index, outcomes)
	q.bytes += s.size() - before
	for q.bytes > limit {
		q.raise(q.earliestEnd())
	}
}

// slice is the slice of a second. It is made if it is not there.
func (q *requests) slice(keyspace cairn.UID, second int64) *requestSlice {
	at, found := q.search(keyspace, second)
	if found {
		return q.keyspaces[keyspace][at]
	}
	s := &requestSlice{second: second}
	if at > 0 {
		s.expect(q.keyspaces[keyspace][at-1])
	}
	q.insert(keyspace, s)
	return s
}

func (q *requests) insert(keyspace cairn.UID, s *requestSlice) {
	at, _ := q.search(keyspace, s.second)
	q.keyspaces[keyspace] = slices.Insert(q.keyspaces[keyspace], at, s)
}

// reach is how far back what is remembered reaches, in nanoseconds of issue
// time.
func (q *requests) reach() int64 {
	if len(q.keyspaces) == 0 {
		return 0
	}
	first := q.latest
	for _, all := range q.keyspaces {
		first = min(first, all[0].second*microsPerSecond)
	}
	return (q.latest - max(first, q.horizon)) * int64(time.Microsecond)
}

// earliestEnd is where the earliest slice ends. There must be one.
func (q *requests) earliestEnd() int64 {
	end := int64(1<<63 - 1)
	for _, all := range q.keyspaces {
		end = min(end, all[0].end())
	}
	return end
}

func (q *requests) search(keyspace cairn.UID, second int64) (at int, found bool) {
	return slices.BinarySearchFunc(q.keyspaces[keyspace], second, func(s *requestSlice, second int64) int {
		return cmp.Compare(s.second, second)
	})
}

func (q *requests) hash(id [16]byte) uint32 { return uint32(maphash.Bytes(q.seed, id[:])) }

func errRequestTooOld(issued, horizon int64) *cairn.Error {
	e := cairn.Errorf(cairn.KindPrecondition, "REQUEST_TOO_OLD",
		"the request was issued at %s, and only those issued from %s on are remembered; it was not carried out now, but may have been before: look, and issue a new one",
		spellMicros(issued), spellMicros(horizon))
	e.Field = "request_id.issue_time"
	return e
}

func errRequestAhead(issued, clock int64) *cairn.Error {
	return cairn.Invalid("request_id.issue_time", "REQUEST_AHEAD",
		"the request was issued at %s, which is more than a minute after the index's time, %s; are the clocks right?",
		spellMicros(issued), spellMicros(clock))
}

func spellMicros(micros int64) string {
	return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
}
