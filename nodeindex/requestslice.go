package nodeindex

import (
	"encoding/binary"
	"errors"

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

// find is what all records of an id say, by position; nil if there is none.
func (s *requestSlice) find(id [16]byte, hash uint32) map[uint32]outcome {
	var found map[uint32]outcome
	mask := uint64(len(s.table) - 1)
	for at := uint64(hash) & mask; s.table[at] != 0; at = (at + 1) & mask {
		if uint32(s.table[at]>>32) != hash {
			continue
		}
		d := decoder{rest: s.records[uint32(s.table[at])-1:]}
		held, _, outcomes := d.request()
		if held != id {
			continue
		}
		if found == nil {
			found = make(map[uint32]outcome, len(outcomes))
		}
		for _, o := range outcomes {
			found[o.position] = o
		}
	}
	return found
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
	copy(id[:], d.take(16))
	body := decoder{rest: d.bytes()}
	came = body.uvarint()
	moved := came&1 == 1
	came >>= 1
	index := came
	if moved {
		index = body.uvarint()
	}
	var position, place uint32
	var epoch uint64
	for len(body.rest) > 0 {
		flags := body.byte()
		var o outcome
		o.existed, o.deleted = flags&outcomeExisted != 0, flags&outcomeDeleted != 0
		o.position = position + uint32(body.number(1<<32-1))
		place += uint32(body.number(1<<32 - 1))
		o.shard = cairn.ShardID(body.uvarint())
		if flags&outcomeNewEpoch != 0 {
			epoch = body.uvarint()
		}
		o.version = cairn.Version{Epoch: epoch, Index: index, Position: place}
		nodes := int(flags >> outcomeFlags)
		if nodes == outcomeManyNodes {
			nodes = body.count(1)
		}
		for range nodes {
			o.nodes = append(o.nodes, cairn.NodeID(body.number(1<<32-1)))
		}
		if flags&outcomeRefused != 0 {
			o.refusal = body.refusal()
		}
		position, place = o.position+1, place+1
		outcomes = append(outcomes, o)
	}
	if !body.ok() {
		d.fail()
	}
	return id, came, outcomes
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
