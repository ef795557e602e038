package indexv1

import (
	"encoding/binary"
	"slices"

	"cairn"
)

// AppendKeys packs LocateRequest.keys.
func AppendKeys(out []byte, keys []cairn.Key) []byte {
	out = binary.AppendUvarint(out, uint64(len(keys)))
	for _, key := range keys {
		out = appendBytes(out, key)
	}
	return out
}

// mostJoined is how many keys JoinKeys has together at most, so that their count
// keeps its one byte.
const mostJoined = 127

// JoinKeys adds the keys of one blob to another's, which it may change, behind at
// keys that were there. Where they would be too many it does nothing.
func JoinKeys(into, keys []byte) (joined []byte, at int, ok bool) {
	if len(into) == 0 || len(keys) == 0 || int(into[0])+int(keys[0]) > mostJoined {
		return into, 0, false
	}
	at = int(into[0])
	into[0] += keys[0]
	return append(into, keys[1:]...), at, true
}

// DecodeKeys appends what AppendKeys packed to keys. They are slices of blob.
// It fails with KindCorrupt where blob is broken, and with KindInvalid
// (BATCH_TOO_LARGE) for more than cairn.MaxBatch keys.
func DecodeKeys(blob []byte, keys []cairn.Key) ([]cairn.Key, error) {
	r := reader{rest: blob}
	n := r.count(1)
	if err := checkBatch("keys", n); err != nil {
		return nil, err
	}
	keys = slices.Grow(keys, n)
	for range n {
		keys = append(keys, r.bytes())
	}
	if !r.done() {
		return nil, broken("keys")
	}
	return keys, nil
}

// Flags of a located result: its state in the low two bits, and whether its
// stamp differs from that of the result before.
const (
	locatedState    = 0b0011
	locatedNewEpoch = 0b0100
	locatedNewIndex = 0b1000
)

// AppendLocated packs LocateResponse.results: for a found key in the basic
// view mostly one byte and one a node.
func AppendLocated(out []byte, results []cairn.Located, withAttributes bool) []byte {
	out = binary.AppendUvarint(out, uint64(len(results)))
	var last cairn.Stamp
	for i := range results {
		each := &results[i]
		flags := byte(each.State)
		if each.Stamp.Epoch != last.Epoch {
			flags |= locatedNewEpoch
		}
		if each.Stamp.Index != last.Index {
			flags |= locatedNewIndex
		}
		out = appendHead(out, flags, len(each.Nodes))
		if flags&locatedNewEpoch != 0 {
			out = appendDelta(out, last.Epoch, each.Stamp.Epoch)
		}
		if flags&locatedNewIndex != 0 {
			out = appendDelta(out, last.Index, each.Stamp.Index)
		}
		last = each.Stamp
		out = appendNodes(out, each.Nodes)
		if withAttributes && each.State == cairn.Found {
			out = appendVersion(out, each.Stamp, each.Version)
			out = appendBytes(out, each.Attributes)
		}
	}
	return out
}

// DecodeLocated appends what AppendLocated packed to results. Attributes are
// slices of blob; the nodes of all results share one allocation. It fails as
// DecodeKeys does.
func DecodeLocated(blob []byte, withAttributes bool, results []cairn.Located) ([]cairn.Located, error) {
	r := reader{rest: blob}
	n := r.count(1)
	if err := checkBatch("results", n); err != nil {
		return nil, err
	}
	results = slices.Grow(results, n)
	// Most entries have one node; more make the arena grow.
	var arena []cairn.NodeID
	var last cairn.Stamp
	for i := range n {
		flags, nodes := r.head()
		if flags&locatedNewEpoch != 0 {
			last.Epoch = r.delta(last.Epoch)
		}
		if flags&locatedNewIndex != 0 {
			last.Index = r.delta(last.Index)
		}
		each := cairn.Located{State: cairn.LocateState(flags & locatedState), Stamp: last}
		if nodes > 0 && arena == nil {
			arena = make([]cairn.NodeID, 0, min((n-i)*nodes, len(r.rest)))
		}
		each.Nodes, arena = r.nodes(nodes, arena)
		switch each.State {
		case cairn.Found:
			if withAttributes {
				each.Version = r.version(each.Stamp)
				each.Attributes = r.bytes()
			}
		case cairn.Absent, cairn.NotOwned:
		default:
			r.fail()
		}
		if r.failed {
			break
		}
		results = append(results, each)
	}
	if !r.done() {
		return nil, broken("results")
	}
	return results, nil
}
