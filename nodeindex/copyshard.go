package nodeindex

import (
	"encoding/binary"

	"cairn"
	"cairn/nodeindex/pace"
	"cairn/nodeindex/projection"

	"github.com/RoaringBitmap/roaring/v2"
)

// The copy of a shard is read off the file in order of its ordinals, which is
// the order of the file, for the shard's entries may be anywhere among the keys.
// So it is of the last checkpoint; the tail has what came after. What the file still lacks
// of that checkpoint is in the frozen overlays.

// copyCursor is where a copy goes on: first through the requests that are
// remembered, by the second they were issued in and their offset there, then
// through the entries by ordinal. Both are the session's own.
type copyCursor struct {
	entries  bool
	second   int64
	position uint32 // the offset, or the ordinal
}

const copyCursorSize = 8 + 1 + 8 + 4

func (c copyCursor) encode(session uint64) []byte {
	out := appendFlag(binary.BigEndian.AppendUint64(make([]byte, 0, copyCursorSize), session), c.entries)
	out = binary.BigEndian.AppendUint64(out, uint64(c.second))
	return binary.BigEndian.AppendUint32(out, c.position)
}

// decodeCopyCursor is where to go on after a cursor. That of another replica, or
// of this one before it was started or went on from a snapshot, says no more than
// whether the requests are all there: they came with the first part, and the tail
// has those since.
func decodeCopyCursor(cursor []byte, session uint64) copyCursor {
	d := decoder{rest: cursor}
	of := d.uint64()
	c := copyCursor{entries: d.flag(), second: int64(d.uint64())}
	if position := d.take(4); position != nil {
		c.position = binary.BigEndian.Uint32(position)
	}
	switch {
	case !d.done():
		return copyCursor{}
	case of != session:
		return copyCursor{entries: c.entries}
	}
	return c
}

// GoesOn tells whether a copy goes on behind a cursor. Behind that of another
// replica, or none, it begins, and is to be of a checkpoint that has what the
// tail has brought so far.
func (x *Index) GoesOn(cursor []byte) bool {
	s := x.state.Load()
	return s != nil && len(cursor) == copyCursorSize && binary.BigEndian.Uint64(cursor) == s.session
}

// CopyShard is the next part of a shard's copy, behind the cursor that the part
// before ended with; nil for the first. It is of the last checkpoint, and never
// waits. Errors: KindStale (NOT_OWNED), the shard is not the cluster's in that
// epoch; KindUnavailable (CLOSED); KindCorrupt.
func (x *Index) CopyShard(m cairn.MovingShard, after []byte) (part cairn.CopiedPart, err error) {
	s, r, err := x.acquire()
	if err != nil {
		return part, err
	}
	defer r.pool.release(r)
	defer recovered(&err)
	owned, refusal := s.owned(m)
	if refusal != nil {
		return part, refusal
	}
	covered, err := loadCheckpoint(r.tx)
	if err != nil {
		return part, err
	}
	k := s.keyspaces[m.Keyspace]
	c := copier{
		moving: m, bounded: owned.boundedSince(), keyspace: k, reader: r, session: s.session,
		cursor: decodeCopyCursor(after, s.session), last: after,
		part: cairn.CopiedPart{Index: covered.Index},
	}
	if !r.pool.settled {
		for _, o := range s.frozen {
			if t := o.table(m.Keyspace); t != nil {
				c.deferred = append(c.deferred, t)
			}
		}
	}
	c.begin(len(after) == 0)
	// The bitmap is of now, and the file of before: what is in one of them only
	// has changed since, so that the tail has it.
	x.mu.Lock()
	ordinals, requests := owned.ordinals.Clone(), x.requests.since(m.Keyspace, 0)
	c.times = x.requests.requestTimes
	if project := s.projections[m.Keyspace]; project != nil {
		c.marker = project.Marker()
	}
	x.mu.Unlock()
	c.piece.times = c.times
	if !c.cursor.entries {
		c.requests(requests)
	}
	if !c.full() {
		err = c.entries(ordinals)
	}
	return c.part, err
}

// copier makes one part of a copy.
type copier struct {
	moving   cairn.MovingShard
	bounded  uint64 // since when the shard has its bounds
	keyspace *keyspace
	reader   *reader
	deferred []*table // what the file may lack; newest first
	session  uint64
	cursor   copyCursor
	times    requestTimes
	marker   *projection.Marker // nil where there are no views
	last     []byte             // where the piece begins
	piece    piece
	size     int // of the piece, about
	part     cairn.CopiedPart
	pacer    pace.Pacer
}

// begin begins a piece.
func (c *copier) begin(first bool) {
	c.piece = piece{kind: pieceCopy, index: c.part.Index, after: c.last, times: c.times}
	if first {
		c.piece.definition, c.piece.views, c.piece.bounded = &c.keyspace.Keyspace, c.keyspace.views, c.bounded
	}
	c.size = 0
}

// end ends the piece where the cursor is now.
func (c *copier) end(done bool) {
	c.last = c.cursor.encode(c.session)
	c.piece.last, c.piece.done = c.last, done
	if c.marker != nil && len(c.piece.changes) > 0 {
		c.piece.marks = c.marker.Mark(len(c.piece.changes), marksBytes, c.piece.entry)
	}
	c.part.Data = appendPiece(c.part.Data, &c.piece)
	c.part.Last, c.part.Done = c.last, done
	c.begin(false)
}

func (c *copier) full() bool { return len(c.part.Data) >= partBytes }

// requests copies what is remembered, until the part is full.
func (c *copier) requests(slices []requestTail) {
	for i := range slices {
		t := &slices[i]
		if t.second < c.cursor.second {
			continue
		}
		from := 0
		if t.second == c.cursor.second {
			from = int(c.cursor.position)
		}
		c.pacer.Look()
		for offset := range t.of(c.moving.Shard, c.bounded, from) {
			c.pacer.Step()
			r, _, behind := t.next(c.moving.Shard, c.bounded, offset)
			if len(r.outcomes) > 0 {
				c.piece.requests = append(c.piece.requests, r)
				c.size += behind - offset
			}
			c.cursor.second, c.cursor.position = t.second, uint32(behind)
			if c.size >= pieceBytes || len(c.piece.requests) >= pieceEntries {
				if c.end(false); c.full() {
					return
				}
			}
		}
	}
	c.cursor = copyCursor{entries: true}
}

// entries copies entries, until the part is full or the shard whole.
func (c *copier) entries(ordinals *roaring.Bitmap) error {
	it := ordinals.Iterator()
	it.AdvanceIfNeeded(c.cursor.position)
	for it.HasNext() {
		if len(c.piece.changes) >= pieceEntries || c.size >= pieceBytes {
			if c.end(false); c.full() {
				return nil
			}
		}
		c.pacer.Step()
		ordinal := it.Next()
		e, found, err := c.entry(ordinal)
		if err != nil {
			return err
		}
		if found {
			c.piece.changes = append(c.piece.changes, movedEntry{Entry: e})
			c.size += len(e.Key) + len(e.Attributes) + 16
		}
		if c.cursor.position = ordinal + 1; ordinal == 1<<32-1 {
			break
		}
	}
	c.end(true)
	return nil
}

// entry is what the last checkpoint has under an ordinal.
func (c *copier) entry(ordinal uint32) (cairn.Entry, bool, error) {
	value := c.reader.records.seek(ordinal)
	if value == nil {
		return cairn.Entry{}, false, nil
	}
	named, ok := parseRecord(value)
	if !ok {
		return cairn.Entry{}, false, corrupt("RECORD_MALFORMED", "the record of ordinal %d is not what was written", ordinal)
	}
	for _, t := range c.deferred {
		if i := t.get(named.key); i != nil {
			return i.entry, !i.deleted && i.ordinal == ordinal, nil
		}
	}
	uid := c.keyspace.UID
	held := c.reader.find(uid, named.key)
	if len(held) < 4 || binary.BigEndian.Uint32(held) != ordinal {
		return cairn.Entry{}, false, nil // its key has another entry by now
	}
	checked, ok := decodeRecord(uid, held, value)
	if !ok {
		return cairn.Entry{}, false, corrupt("RECORD_CHECKSUM", "the record of ordinal %d is not what was written", ordinal)
	}
	_, nodes, ok := decodeEntryValue(held, nil)
	if !ok {
		return cairn.Entry{}, false, corrupt("ENTRY_MALFORMED", "the entry of ordinal %d is not what was written", ordinal)
	}
	return cairn.Entry{Key: checked.key, Version: checked.version, Nodes: nodes, Attributes: checked.attributes}, true, nil
}
