package placement

import (
	"bytes"
	"encoding/binary"

	"cairn"

	"github.com/cespare/xxhash/v2"
)

// HashLength is the length of a placement key under cairn.SchemeHash.
const HashLength = 8

// Key is the placement key of a key. Under cairn.SchemeHash it is written over
// buf from its beginning, without an allocation if buf has room for HashLength
// bytes; under cairn.SchemeRange it is key itself and buf is left alone.
func Key(p cairn.Placement, key cairn.Key, buf []byte) []byte {
	if p.Scheme == cairn.SchemeRange {
		return key
	}
	return binary.BigEndian.AppendUint64(buf[:0], xxhash.Sum64(Affinity(p, key)))
}

// Affinity is the part of a key that decides its placement: what stands before
// the first occurrence of the delimiter, which may be nothing, or the whole
// key where there is no delimiter.
func Affinity(p cairn.Placement, key cairn.Key) []byte {
	if p.Scheme != cairn.SchemeHash || p.Affinity == "" {
		return key
	}
	for from := 0; ; {
		i := bytes.IndexByte(key[from:], p.Affinity[0])
		if i < 0 {
			return key
		}
		at := from + i
		if rest := key[at:]; len(rest) >= len(p.Affinity) && string(rest[:len(p.Affinity)]) == p.Affinity {
			return key[:at]
		}
		from = at + 1
	}
}
