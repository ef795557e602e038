package nodeindex

import (
	"encoding/binary"
	"math/bits"
)

// shardGuide tells which of a keyspace's shards a placement key may be in by its first
// bits: of hashes, mostly one or two of them.
type shardGuide struct {
	shift int // of the first eight bytes, to those bits
	// before is how many shards begin before each value of the bits, and then how many
	// there are.
	before []uint32
}

func newShardGuide(shards []*shard) shardGuide {
	width := bits.Len(uint(len(shards))) + 1
	g := shardGuide{shift: 64 - width, before: make([]uint32, 1<<width+1)}
	at := 0
	for i := range uint64(1) << width {
		for at < len(shards) && firstBytes(shards[at].Start)>>g.shift < i {
			at++
		}
		g.before[i] = uint32(at)
	}
	g.before[1<<width] = uint32(len(shards))
	return g
}

// among are the bounds of how many shards begin at a placement key or before.
func (g *shardGuide) among(placementKey []byte) (least, most int) {
	at := firstBytes(placementKey) >> g.shift
	return int(g.before[at]), int(g.before[at+1])
}

// firstBytes are the first eight bytes as a number, in which what is missing is zero: no
// key that comes after another has a smaller one.
func firstBytes(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var padded [8]byte
	copy(padded[:], key)
	return binary.BigEndian.Uint64(padded[:])
}
