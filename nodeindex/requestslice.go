package nodeindex

import (
	"encoding/binary"
	"errors"
	"iter"

	"cairn"
)

// requestSlice is what is remembered of one keyspace's requests that were
// issued in one second.
type requestSlice struct {
	second int64
	// records stand one after the other, and are only appended to. One is of
	// one request in one command of the log: its id (16 bytes), then, with the
	// length in front, the log index that it came at and the outcomes.
	records []byte
	// saved is how much of records is in the file.
	saved int
	// newest is the log index at which the last record came.
	newest uint64
	// table finds records by the hashes of their ids: open addressing with
	// linear probing, a power of two in size and three quarters full at most.
	// A place has a hash in its high and an offset, from 1, in its low half.
	table []uint64
	count int
	// places finds them by the shards that they name.
	places requestPlaces
}

// recordOverhead is what a record counts for beside its bytes: about its share
// of the table.
const recordOverhead = 16

// firstTable is the size of the first table.
const firstTable = 8

// end is when the slice's second ends.
func (s *requestSlice) end() int64 { return (s.second + 1) * microsPerSecond }

// size is what the slice counts for against the bound. It depends on the
// records alone, so that it is the same on every replica.
func (s *requestSlice) size() int64 { return int64(len(s.records)) + int64(s.count)*recordOverhead }

// expect makes room for as much as another slice has.
func (s *requestSlice) expect(like *requestSlice) {
	s.records = make([]byte, 0, len(like.records))
	s.table = make([]uint64, len(like.table))
}

// add appends the record of a request that came at a log index.
func (s *requestSlice) add(id [16]byte, hash uint32, index uint64, outcomes []outcome) {
	offset := len(s.records)
	s.records = appendRequest(s.records, id, index, outcomes)
	s.newest = index
	s.enter(hash, offset)
}

// enter makes a record known to the table.
func (s *requestSlice) enter(hash uint32, offset int) {
	s.count++
	if 4*s.count > 3*len(s.table) {
		full := s.table
		s.table = make([]uint64, max(firstTable, 2*len(full)))
		for _, place := range full {
			if place != 0 {
				s.place(place)
			}
		}
	}
	s.place(uint64(hash)<<32 | uint64(offset+1))
}

func (s *requestSlice) place(value uint64) {
	mask := uint64(len(s.table) - 1)
	at := value >> 32 & mask
	for s.table[at] != 0 {
		at = (at + 1) & mask
	}
	s.table[at] = value
}

// of yields the outcomes of each record of an id.
func (s *requestSlice) of(id [16]byte, hash uint32) iter.Seq[outcomeReader] {
	return func(yield func(outcomeReader) bool) {
		mask := uint64(len(s.table) - 1)
		for at := uint64(hash) & mask; s.table[at] != 0; at = (at + 1) & mask {
			if uint32(s.table[at]>>32) != hash {
				continue
			}
			d := decoder{rest: s.records[uint32(s.table[at])-1:]}
			if held, _, outcomes := d.record(); held == id && !yield(outcomes) {
				return
			}
		}
	}
}

// find is what all records of an id say, by position; nil if there is none.
func (s *requestSlice) find(id [16]byte, hash uint32) map[uint32]outcome {
	var found map[uint32]outcome
	for outcomes := range s.of(id, hash) {
		if found == nil {
			found = make(map[uint32]outcome)
		}
		for o := (outcome{}); outcomes.next(&o); {
			outcomes.rest(&o)
			found[o.position] = o
		}
	}
	return found
}

// unknown are those of an id's outcomes that no record has. They have ascending
// positions, as records do; it works in place. A record may have ten thousand
// outcomes, of which a shard that moves here brings few.
func (s *requestSlice) unknown(id [16]byte, hash uint32, outcomes []outcome) []outcome {
	for held := range s.of(id, hash) {
		kept := outcomes[:0]
		var known outcome
		more := held.next(&known)
		for _, o := range outcomes {
			for more && known.position < o.position {
				more = held.next(&known)
			}
			if !more || known.position != o.position {
				kept = append(kept, o)
			}
		}
		outcomes = kept
	}
	return outcomes
}

// outcome is what became of one mutation of a request.
type outcome struct {
	position uint32
	// shard had the key when the mutation was applied. With the version's
	// epoch, which is the shard's, it tells whether a move of a shard takes the
	// outcome along.
	shard   cairn.ShardID
	version cairn.Version // where in the log it was applied
	existed bool
	deleted bool
	nodes   []cairn.NodeID
	refusal *cairn.Error // nil if it took effect
}

// written is the outcome as it is told again, at a later stamp.
func (o *outcome) written(stamp cairn.Stamp) cairn.Written {
	w := cairn.Written{Err: o.refusal, Existed: o.existed, Stamp: stamp}
	if o.refusal == nil && !o.deleted {
		w.Version, w.Nodes = o.version, o.nodes
	}
	return w
}

// The flags of an encoded outcome. The number of its nodes is in the high four
// bits; outcomeManyNodes or more of them are counted behind.
const (
	outcomeExisted byte = 1 << iota
	outcomeDeleted
	outcomeRefused
	outcomeNewEpoch
)

const (
	outcomeFlags     = 4 // bits
	outcomeManyNodes = 15
)

// appendRequest writes a record. It came at a log index: that at which it was
// applied, as the versions have it, unless it came with a shard that moved here.
// Positions, of the request and of the command alike, are differences to what
// would follow the one before.
func appendRequest(out []byte, id [16]byte, came uint64, outcomes []outcome) []byte {
	out = append(out, id[:]...)
	body := make([]byte, 0, 16+6*len(outcomes))
	if applied := outcomes[0].version.Index; applied == came {
		body = binary.AppendUvarint(body, came<<1)
	} else {
		body = binary.AppendUvarint(body, came<<1|1)
		body = binary.AppendUvarint(body, applied)
	}
	var position, place uint32
	var epoch uint64
	for i := range outcomes {
		o := &outcomes[i]
		flags := byte(min(len(o.nodes), outcomeManyNodes)) << outcomeFlags
		if o.existed {
			flags |= outcomeExisted
		}
		if o.deleted {
			flags |= outcomeDeleted
		}
		if o.refusal != nil {
			flags |= outcomeRefused
		}
		if o.version.Epoch != epoch {
			flags |= outcomeNewEpoch
		}
		body = append(body, flags)
		body = binary.AppendUvarint(body, uint64(o.position-position))
		body = binary.AppendUvarint(body, uint64(o.version.Position-place))
		body = binary.AppendUvarint(body, uint64(o.shard))
		if flags&outcomeNewEpoch != 0 {
			body = binary.AppendUvarint(body, o.version.Epoch)
		}
		if len(o.nodes) >= outcomeManyNodes {
			body = binary.AppendUvarint(body, uint64(len(o.nodes)))
		}
		body = appendNodes(body, o.nodes)
		if o.refusal != nil {
			body = appendRefusal(body, o.refusal)
		}
		position, place, epoch = o.position+1, o.version.Position+1, o.version.Epoch
	}
	return appendBytes(out, body)
}

// request reads what appendRequest writes. What it returns refers to nothing
// of it.
func (d *decoder) request() (id [16]byte, came uint64, outcomes []outcome) {
	id, came, reader := d.record()
	for o := (outcome{}); reader.next(&o); {
		reader.rest(&o)
		outcomes = append(outcomes, o)
	}
	if !reader.body.ok() {
		d.fail()
	}
	return id, came, outcomes
}

// record is request that leaves the outcomes to be read one by one.
func (d *decoder) record() (id [16]byte, came uint64, outcomes outcomeReader) {
	copy(id[:], d.take(16))
	outcomes.body.rest = d.bytes()
	came = outcomes.body.uvarint()
	moved := came&1 == 1
	came >>= 1
	outcomes.index = came
	if moved {
		outcomes.index = outcomes.body.uvarint()
	}
	return id, came, outcomes
}

// outcomeReader reads the outcomes of a record.
type outcomeReader struct {
	body            decoder
	index, epoch    uint64
	position, place uint32
	// nodes and refused are what rest would read.
	nodes   int
	refused bool
}

// next reads an outcome but for its nodes and its refusal, and tells whether there was
// one.
func (r *outcomeReader) next(o *outcome) bool {
	r.rest(nil)
	if len(r.body.rest) == 0 {
		return false
	}
	flags := r.body.byte()
	*o = outcome{existed: flags&outcomeExisted != 0, deleted: flags&outcomeDeleted != 0}
	o.position = r.position + uint32(r.body.number(1<<32-1))
	r.place += uint32(r.body.number(1<<32 - 1))
	o.shard = cairn.ShardID(r.body.uvarint())
	if flags&outcomeNewEpoch != 0 {
		r.epoch = r.body.uvarint()
	}
	o.version = cairn.Version{Epoch: r.epoch, Index: r.index, Position: r.place}
	r.position, r.place = o.position+1, r.place+1
	if r.nodes = int(flags >> outcomeFlags); r.nodes == outcomeManyNodes {
		r.nodes = r.body.count(1)
	}
	r.refused = flags&outcomeRefused != 0
	return true
}

// rest reads the nodes and the refusal of the outcome that next has read; nil: past
// them.
func (r *outcomeReader) rest(o *outcome) {
	for ; r.nodes > 0; r.nodes-- {
		node := cairn.NodeID(r.body.number(1<<32 - 1))
		if o != nil {
			o.nodes = append(o.nodes, node)
		}
	}
	if r.refused {
		refusal := r.body.refusal()
		if r.refused = false; o != nil {
			o.refusal = refusal
		}
	}
}

// appendRefusal writes why a mutation was refused. What it wraps becomes text.
func appendRefusal(out []byte, e *cairn.Error) []byte {
	var text string
	if e.Err != nil {
		text = e.Err.Error()
	}
	out = append(out, byte(e.Kind))
	out = appendBytes(out, []byte(e.Reason))
	out = appendBytes(out, []byte(e.Field))
	return appendBytes(out, []byte(text))
}

func (d *decoder) refusal() *cairn.Error {
	e := &cairn.Error{Kind: cairn.Kind(d.byte()), Reason: string(d.bytes()), Field: string(d.bytes())}
	if text := d.bytes(); text != nil {
		e.Err = errors.New(string(text))
	}
	if e.Kind > cairn.KindUnimplemented {
		d.fail()
	}
	return e
}

// load takes the records of an empty slice from the file, and keeps them. It is
// false for anything but whole records.
func (s *requestSlice) load(records []byte, hash func([16]byte) uint32) bool {
	for d := (decoder{rest: records}); len(d.rest) > 0; {
		offset := len(records) - len(d.rest)
		id, came, outcomes := d.request()
		if !d.ok() || len(outcomes) == 0 {
			return false
		}
		s.newest = came
		s.enter(hash(id), offset)
	}
	s.records, s.saved = records, len(records)
	return true
}
