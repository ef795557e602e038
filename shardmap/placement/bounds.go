package placement

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/bits"

	"cairn"
)

// Validate refuses what is not a placement key under a scheme, so neither a
// place to split a shard at: with cairn.SchemeHash anything but HashLength
// bytes (KindInvalid, PLACEMENT_KEY_LENGTH), with cairn.SchemeRange what is not
// a key (KindInvalid, KEY_EMPTY, KEY_TOO_LONG). The error names no field.
func Validate(scheme cairn.Scheme, placementKey []byte) error {
	if scheme == cairn.SchemeRange {
		if err := cairn.Key(placementKey).Validate(); err != nil {
			return cairn.Invalid("", cairn.ReasonOf(err), "a placement key of %d bytes; with the scheme range it is a key, of 1 to %d", len(placementKey), cairn.MaxKeyLength)
		}
		return nil
	}
	if len(placementKey) != HashLength {
		return cairn.Invalid("", "PLACEMENT_KEY_LENGTH", "a placement key of %d bytes; with the scheme hash it has %d", len(placementKey), HashLength)
	}
	return nil
}

// Text is a placement key as a person reads it: under cairn.SchemeHash in
// hexadecimal, under cairn.SchemeRange as the key that it is.
func Text(scheme cairn.Scheme, placementKey []byte) string {
	if scheme == cairn.SchemeHash {
		return hex.EncodeToString(placementKey)
	}
	return cairn.Key(placementKey).String()
}

// Divide cuts the hashes into n even parts and returns where the second and
// each later one begins, ascending. It has n-1 elements; n must be positive.
func Divide(n int) [][]byte {
	splits := make([][]byte, 0, n-1)
	for i := 1; i < n; i++ {
		at, _ := bits.Div64(uint64(i), 0, uint64(n)) // i * 2^64 / n
		splits = append(splits, binary.BigEndian.AppendUint64(nil, at))
	}
	return splits
}

// Middle is the hash halfway between two bounds of a shard under
// cairn.SchemeHash, an empty one being open. It is false where no hash lies
// strictly between them.
func Middle(start, end []byte) ([]byte, bool) {
	low := hashAt(start)
	size := hashAt(end) - low // an open end is 2^64: it wraps to the same difference
	if size == 1 {
		return nil, false
	}
	half := size / 2
	if size == 0 {
		half = 1 << 63
	}
	return binary.BigEndian.AppendUint64(nil, low+half), true
}

func hashAt(bound []byte) uint64 {
	if len(bound) == 0 {
		return 0
	}
	return binary.BigEndian.Uint64(bound)
}

// After is the placement key next to one, so that [placementKey, After) has that
// one only; empty where it is the last of its scheme.
func After(scheme cairn.Scheme, placementKey []byte) []byte {
	if scheme == cairn.SchemeRange && len(placementKey) < cairn.MaxKeyLength {
		return append(bytes.Clone(placementKey), 0)
	}
	// Of the longest ones, and of hashes, the next is the next number.
	next := bytes.Clone(placementKey)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			return next
		}
		if scheme == cairn.SchemeRange {
			next = next[:i]
		}
	}
	return nil
}
