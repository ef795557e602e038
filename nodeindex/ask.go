package nodeindex

import (
	"math"

	"cairn"
	"cairn/nodeindex/projection"
)

// AskView answers a question about a view from one state at least as new as
// the applied one, and never waits; whether that is fresh enough is the
// caller's to see to (Wait). A keyspace that the log does not know has the zero
// Fingerprint and no answer. Errors: those of projection.Projection.Ask,
// KindNotFound (VIEW_VERSION_UNKNOWN) for a keyspace without views,
// KindUnavailable (CLOSED), KindCorrupt. The reply's Answer is set in any case.
func (x *Index) AskView(req *cairn.ViewRequest, reply *cairn.ViewReply) (err error) {
	// The applied index first: the state is then at least that new.
	applied, revision := x.Position()
	s := x.state.Load()
	if s == nil {
		return errClosed
	}
	applied = max(applied, s.assigned)
	*reply = cairn.ViewReply{Answer: cairn.Answer{Revision: max(revision, s.revision), Index: applied}, Rows: reply.Rows[:0]}
	k := s.keyspaces[req.Keyspace]
	if k == nil {
		return nil
	}
	reply.Fingerprint = k.fingerprint
	p := s.projections[req.Keyspace]
	if p == nil {
		return cairn.Errorf(cairn.KindNotFound, "VIEW_VERSION_UNKNOWN", "this index has no version %d of view %s", req.Version, req.View)
	}
	defer recovered(&err) // from a damaged file
	return p.Ask(applied, req, reply, func() (projection.Entries, error) { return x.openEntries(req.Keyspace) })
}

// openEntries begins to read entries beside a snapshot of views.
func (x *Index) openEntries(uid cairn.UID) (projection.Entries, error) {
	s, r, err := x.acquire()
	if err != nil {
		return projection.Entries{}, err
	}
	k := s.keyspaces[uid]
	if k == nil {
		r.pool.release(r)
		return projection.Entries{}, errNotOwned
	}
	table := s.active.table(uid) // before the view, which has this one or the next
	e := entries{view: s.view(k, r), covers: r.pool.index}
	follows := func() bool {
		// Writes go to the table that the view has: it is not set aside for a
		// checkpoint, nor has the keyspace got its first one since.
		now := x.state.Load()
		// Nor has a shard left or come, with keys that it does not have.
		return now != nil && now.active == s.active && s.active.table(uid) == table && now.assigned == s.assigned
	}
	return projection.Entries{Least: e.covers, Find: e.find, Follows: follows, Close: func() { r.pool.release(r) }}, nil
}

// entries reads entries by key.
type entries struct {
	view
	covers uint64 // the log index that the file holds
}

func (e *entries) find(key cairn.Key) (attributes cairn.Attributes, ordinal uint32, changed uint64, found bool) {
	if e.keyspace.locate(key, e.reader.placement[:0]) == nil {
		return nil, 0, 0, false
	}
	if i := e.item(key); i != nil {
		if e.overtaken(i) {
			return nil, 0, math.MaxUint64, false
		}
		if i.deleted || e.hidden(i.ordinal) {
			return nil, 0, i.index, false
		}
		return i.entry.Attributes, i.ordinal, i.index, true
	}
	value := e.reader.find(e.keyspace.UID, key)
	if value == nil {
		return nil, 0, 0, false
	}
	ordinal, _, ok := decodeEntryValue(value, nil)
	if !ok {
		panic(corrupt("ENTRY_MALFORMED", "the entry of key %s is not what was written", key))
	}
	if e.hidden(ordinal) {
		return nil, 0, 0, false
	}
	record, err := e.reader.record(e.keyspace.UID, value, ordinal)
	if err != nil {
		panic(err)
	}
	return append(cairn.Attributes(nil), record.attributes...), ordinal, 0, true
}
