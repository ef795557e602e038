package nodeindex

import (
	"encoding/binary"

	"cairn"
	"cairn/nodeindex/projection"
)

// What an index hands out of a shard that moves is parts, and each part is
// pieces, one behind the other with their lengths in front and a checksum
// behind. A piece becomes one command of the log where it goes: it is small, so
// that whatever else is written there does not wait.

const (
	// pieceEntries and pieceBytes bound a piece.
	pieceEntries = 512
	pieceBytes   = 64 << 10
	// partBytes is about how much a part has.
	partBytes = 1 << 20
	// marksBytes is about how much room the marks of a piece may take.
	marksBytes = pieceBytes / 2
)

// The kinds of pieces. The kind is a piece's first byte and its format. Logs may
// have pieces of before nodes were told; those are read as if they told none.
const (
	pieceCopyBare byte = 1
	pieceTailBare byte = 2
	pieceKept     byte = 3
	pieceCopy     byte = 4
	pieceTail     byte = 5
	// pieceCopyMarked is a copy with the marks of its entries. It is of the kind
	// pieceCopy when it is decoded.
	pieceCopyMarked byte = 6
)

// Whether a piece has the definition.
const (
	pieceGoesOn  byte = 0
	pieceDefines byte = 1 // of before there was told since when the shard has its bounds
	pieceBounded byte = 2
)

// piece is a piece of the copy or the tail, or takes the place of a copy: what is
// kept is that.
//
// Encoded: the kind; of what is kept its name and the index; of a copy the index, the cursors after and last, and a flag
// for done; of a tail both indexes and, behind a flag, the seal; whether there is a
// definition, and if so since when the shard has its bounds, and that; the times of requests; their number and the requests, each the
// second that it was issued in and its record; of a copy with marks those; then, to
// the end, what entries have become: a flag for deleted, the key, and else version, nodes with their
// number in front, and attributes.
type piece struct {
	kind byte
	// kept is under what name the target kept it.
	kept cairn.UID
	// A copy, and what is kept, is as of index, a tail has what has changed in (from, index], and may
	// have some of what changed right behind.
	from, index uint64
	// A copy goes on behind the cursor after, and ends at last.
	after, last []byte
	done        bool      // with it the copy is whole
	seal        pieceSeal // of a tail; zero for none
	// definition is the keyspace's, and views are its, with the first piece.
	definition *cairn.Keyspace
	views      []cairn.View
	// bounded is since when the shard has had its bounds, told with the definition.
	bounded  uint64
	requests []movedRequest
	times    requestTimes // but for the clock
	changes  []movedEntry
	// marks are of all changes of a copy, none of which is deleted; nil for none.
	marks *projection.Marks
}

// entry is a change's key and attributes.
func (p *piece) entry(place int) (cairn.Key, cairn.Attributes) {
	return p.changes[place].Key, p.changes[place].Attributes
}

// pieceSeal says that there is nothing after a tail: its shard is fenced, and holds
// this.
type pieceSeal struct {
	number uint64 // of the fence
	digest cairn.Digest
}

// movedEntry is what an entry has become.
type movedEntry struct {
	cairn.Entry // with the nodes it had where it came from; of a deleted one only the key
	deleted     bool
}

// movedRequest is what is remembered of a request.
type movedRequest struct {
	second   int64
	id       [16]byte
	outcomes []outcome // of one command
}

func (p *piece) encode() []byte {
	out := []byte{p.kind}
	if p.marks != nil {
		out[0] = pieceCopyMarked
	}
	switch p.kind {
	case pieceKept:
		out = binary.BigEndian.AppendUint64(out, uint64(p.kept))
		out = binary.AppendUvarint(out, p.index)
	case pieceCopy:
		out = binary.AppendUvarint(out, p.index)
		out = appendBytes(appendBytes(out, p.after), p.last)
		out = appendFlag(out, p.done)
	default:
		out = binary.AppendUvarint(out, p.from)
		out = binary.AppendUvarint(out, p.index)
		out = appendFlag(out, p.seal.number > 0)
		if p.seal.number > 0 {
			out = binary.AppendUvarint(out, p.seal.number)
			out = binary.AppendUvarint(out, p.seal.digest.Entries)
			out = binary.BigEndian.AppendUint64(out, p.seal.digest.Sum)
		}
	}
	if p.definition == nil {
		out = append(out, pieceGoesOn)
	} else {
		out = binary.AppendUvarint(append(out, pieceBounded), p.bounded)
		out = appendViews(appendKeyspace(out, p.definition), p.views)
	}
	out = binary.AppendVarint(out, p.times.latest)
	out = binary.AppendVarint(out, p.times.horizon)
	out = binary.AppendUvarint(out, uint64(len(p.requests)))
	for i := range p.requests {
		r := &p.requests[i]
		out = binary.AppendVarint(out, r.second)
		out = appendRequest(out, r.id, r.outcomes[0].version.Index, r.outcomes)
	}
	if p.marks != nil {
		out = appendMarks(out, p.marks, len(p.changes))
	}
	for i := range p.changes {
		c := &p.changes[i]
		out = appendFlag(out, c.deleted)
		out = appendBytes(out, c.Key)
		if !c.deleted {
			out = binary.AppendUvarint(appendVersion(out, c.Version), uint64(len(c.Nodes)))
			out = appendBytes(appendNodes(out, c.Nodes), c.Attributes)
		}
	}
	return out
}

func appendFlag(out []byte, flag bool) []byte {
	if flag {
		return append(out, 1)
	}
	return append(out, 0)
}

// piece reads what encode writes, to the end of what there is. Keys and
// attributes are not copied.
func (d *decoder) piece() piece {
	p := piece{kind: d.byte()}
	bare := p.kind == pieceCopyBare || p.kind == pieceTailBare
	marked := p.kind == pieceCopyMarked
	switch p.kind {
	case pieceCopyBare, pieceCopyMarked:
		p.kind = pieceCopy
	case pieceTailBare:
		p.kind = pieceTail
	}
	switch p.kind {
	case pieceKept:
		p.kept, p.index = cairn.UID(d.uint64()), d.uvarint()
	case pieceCopy:
		p.index = d.uvarint()
		p.after, p.last = d.bytes(), d.bytes()
		p.done = d.flag()
	case pieceTail:
		p.from, p.index = d.uvarint(), d.uvarint()
		if d.flag() {
			p.seal = pieceSeal{number: d.uvarint(), digest: cairn.Digest{Entries: d.uvarint(), Sum: d.uint64()}}
			if p.seal.number == 0 {
				d.fail()
			}
		}
	default:
		d.fail()
	}
	switch byte(d.number(uint64(pieceBounded))) {
	case pieceBounded:
		p.bounded = d.uvarint()
		fallthrough
	case pieceDefines:
		definition := d.keyspace()
		p.definition, p.views = &definition, d.views(definition.UID)
	}
	p.times = requestTimes{latest: d.varint(), horizon: d.varint()}
	for range d.count(18) {
		r := movedRequest{second: d.varint()}
		r.id, _, r.outcomes = d.request()
		if len(r.outcomes) == 0 {
			d.fail()
		}
		p.requests = append(p.requests, r)
	}
	entries := 0
	if marked {
		p.marks, entries = d.marks()
		p.changes = make([]movedEntry, 0, min(entries, len(d.rest)/leastEntry))
	}
	for len(d.rest) > 0 {
		c := movedEntry{deleted: d.flag()}
		c.Key = d.bytes()
		if !c.deleted {
			if c.Version = d.version(); !bare {
				c.Nodes = d.nodes()
			}
			c.Attributes = d.bytes()
		}
		p.changes = append(p.changes, c)
		if marked && c.deleted {
			d.fail()
		}
	}
	if marked && entries != len(p.changes) {
		d.fail()
	}
	return p
}

// isFirst tells whether a copy begins with the piece: it has the definition then.
func (p *piece) isFirst() bool { return p.kind == pieceCopy && len(p.after) == 0 }

// leastEntry is the least that what an entry has become takes.
const leastEntry = 4

// nodes reads the nodes of an entry with their number in front.
func (d *decoder) nodes() []cairn.NodeID {
	nodes := make([]cairn.NodeID, d.number(cairn.MaxReplicas))
	for i := range nodes {
		nodes[i] = cairn.NodeID(d.number(1<<32 - 1))
	}
	return nodes
}

func (d *decoder) flag() bool { return d.number(1) == 1 }

// appendPiece adds a piece to a part.
func appendPiece(part []byte, p *piece) []byte {
	return appendBytes(part, seal(p.encode()))
}

// pieces are those of a part, encoded. KindInvalid (PART_MALFORMED): it is not
// what an index made.
func pieces(part []byte) ([][]byte, *cairn.Error) {
	var out [][]byte
	for d := (decoder{rest: part}); len(d.rest) > 0; {
		encoded, ok := unseal(d.bytes())
		if !ok || !d.ok() {
			return nil, errPart
		}
		out = append(out, encoded)
	}
	return out, nil
}

// Seals tells whether a part is the last: of what a fence has left, with its seal. One
// that is malformed is not.
func Seals(part []byte) bool {
	d := decoder{rest: part}
	var last []byte
	for len(d.rest) > 0 {
		last = d.bytes()
	}
	encoded, ok := unseal(last)
	if !d.ok() || !ok {
		return false
	}
	end := decoder{rest: encoded}
	p := end.piece()
	return end.ok() && p.seal.number > 0
}

var errPart = cairn.Invalid("part", "PART_MALFORMED", "not a part of a shard as an index of this version makes it, or damaged on its way")
