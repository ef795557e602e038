package indexv1

import (
	"encoding/binary"
	"math"

	"cairn"
)

// This file and its neighbours pack_*.go are the codec of the packed fields.
// A packed field is a uvarint count, in some fields more uvarints of a header,
// and the items one after the other. Encoders append to a buffer. Decoders
// append to slices that the caller may use again, copy no bytes (keys and
// attributes are slices of the blob), and refuse every blob that does not end
// where its last item does.

// head is the first byte of an item: flags of its own in the low four bits,
// and the number of its nodes in the high four, manyNodes if there are more
// than fit and a uvarint follows.
const (
	nodesShift = 4
	manyNodes  = 15
)

// broken is the one error of decoders.
func broken(what string) error {
	return cairn.Errorf(cairn.KindCorrupt, "MESSAGE_BROKEN", "packed %s that are not in Cairn's encoding", what)
}

// checkBatch refuses more items than a request, and so its response, may have,
// before memory is made for them.
func checkBatch(field string, n int) error { return checkCount(field, n, cairn.MaxBatch) }

func checkCount(field string, n, most int) error {
	if n > most {
		return cairn.Invalid(field, "BATCH_TOO_LARGE", "%d %s; a message has at most %d", n, field, most)
	}
	return nil
}

// reader reads a blob. After a failure every read yields zero, so that a
// decoder need look at failed only once an item.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) uvarint() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 { // the usual case, inlined
		v := uint64(r.rest[0])
		r.rest = r.rest[1:]
		return v
	}
	return r.longUvarint()
}

func (r *reader) longUvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// uvarint32 reads a uvarint that must fit 32 bits.
func (r *reader) uvarint32() uint32 {
	v := r.uvarint()
	if v > math.MaxUint32 {
		r.fail()
		return 0
	}
	return uint32(v)
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.fail()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// bytes reads a length and that many bytes, nil if there are none.
func (r *reader) bytes() []byte {
	length := r.uvarint()
	if length == 0 {
		return nil
	}
	if length > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	b := r.rest[:length:length]
	r.rest = r.rest[length:]
	return b
}

// count reads the number of items that follow, each of least bytes or more,
// so that a broken blob can't ask for more memory than its size is worth.
func (r *reader) count(least int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/least) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) fail() { r.failed, r.rest = true, nil }

// done reports whether the blob was read to its end without a failure.
func (r *reader) done() bool { return !r.failed && len(r.rest) == 0 }

func appendBytes(out, b []byte) []byte {
	out = binary.AppendUvarint(out, uint64(len(b)))
	return append(out, b...)
}

// appendHead appends an item's first byte and, if need be, its node count.
func appendHead(out []byte, flags byte, nodes int) []byte {
	if nodes < manyNodes {
		return append(out, flags|byte(nodes)<<nodesShift)
	}
	out = append(out, flags|manyNodes<<nodesShift)
	return binary.AppendUvarint(out, uint64(nodes))
}

// head reads what appendHead wrote.
func (r *reader) head() (flags byte, nodes int) {
	b := r.byte()
	nodes = int(b >> nodesShift)
	if nodes == manyNodes {
		nodes = r.count(1)
		if nodes < manyNodes {
			r.fail()
		}
	}
	return b & (1<<nodesShift - 1), nodes
}

func appendNodes(out []byte, nodes []cairn.NodeID) []byte {
	for _, node := range nodes {
		out = binary.AppendUvarint(out, uint64(node))
	}
	return out
}

// nodes reads n node ids into the arena and returns them, nil if n is 0.
func (r *reader) nodes(n int, arena []cairn.NodeID) (nodes, grown []cairn.NodeID) {
	if n == 0 {
		return nil, arena
	}
	from := len(arena)
	for range n {
		arena = append(arena, cairn.NodeID(r.uvarint32()))
	}
	return arena[from:len(arena):len(arena)], arena
}

// appendDelta appends to as a difference to from; wrapping around is fine.
func appendDelta(out []byte, from, to uint64) []byte {
	return binary.AppendVarint(out, int64(to-from))
}

func (r *reader) delta(from uint64) uint64 { return from + uint64(r.varint()) }

// appendVersion appends a version as differences to a stamp, which it mostly
// equals.
func appendVersion(out []byte, near cairn.Stamp, v cairn.Version) []byte {
	out = appendDelta(out, near.Epoch, v.Epoch)
	out = appendDelta(out, near.Index, v.Index)
	return binary.AppendUvarint(out, uint64(v.Position))
}

func (r *reader) version(near cairn.Stamp) cairn.Version {
	return cairn.Version{Epoch: r.delta(near.Epoch), Index: r.delta(near.Index), Position: r.uvarint32()}
}
