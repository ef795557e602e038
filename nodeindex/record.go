package nodeindex

import (
	"encoding/binary"
	"hash/crc32"

	"cairn"
)

// An entry is kept in two places. Under its key, in the keyspace's bucket of
// bucketEntries, stands what a basic locate needs, since that bucket is read
// and written in random order: the ordinal (4 bytes) and the nodes (uvarints).
// Under its ordinal, see bundle, stands its record, the rest: the key, the version,
// the attributes, and a CRC-32C over everything of the entry.

// numberKey is an ordinal as a key of bucketRecords, or a bundle's number as one of
// bucketBundles.
func numberKey(number uint32) (key [4]byte) {
	binary.BigEndian.PutUint32(key[:], number)
	return key
}

func uidKey(uid cairn.UID) (key [8]byte) {
	binary.BigEndian.PutUint64(key[:], uint64(uid))
	return key
}

func appendNodes(out []byte, nodes []cairn.NodeID) []byte {
	for _, n := range nodes {
		out = binary.AppendUvarint(out, uint64(n))
	}
	return out
}

// appendEntryValue is what stands under an entry's key.
func appendEntryValue(out []byte, ordinal uint32, nodes []cairn.NodeID) []byte {
	return appendNodes(binary.BigEndian.AppendUint32(out, ordinal), nodes)
}

// decodeEntryValue appends the nodes to a slab that it hands back; it is false
// for anything but what appendEntryValue writes.
func decodeEntryValue(value []byte, nodes []cairn.NodeID) (ordinal uint32, _ []cairn.NodeID, ok bool) {
	if len(value) < 5 {
		return 0, nodes, false
	}
	ordinal = binary.BigEndian.Uint32(value)
	for rest := value[4:]; len(rest) > 0; {
		if rest[0] < 0x80 { // most ids are small
			nodes = append(nodes, cairn.NodeID(rest[0]))
			rest = rest[1:]
			continue
		}
		id, n := binary.Uvarint(rest)
		if n <= 0 || id > 1<<32-1 {
			return 0, nodes, false
		}
		nodes = append(nodes, cairn.NodeID(id))
		rest = rest[n:]
	}
	return ordinal, nodes, true
}

// record is what stands under an entry's ordinal.
type record struct {
	key        []byte
	version    cairn.Version
	attributes []byte
	sum        uint32
}

// appendRecord writes a record; entryValue is what stands under the key.
func appendRecord(out []byte, keyspace cairn.UID, entry *cairn.Entry, entryValue []byte) []byte {
	first := len(out)
	out = appendBytes(out, entry.Key)
	out = appendVersion(out, entry.Version)
	out = append(out, entry.Attributes...)
	return binary.BigEndian.AppendUint32(out, entrySum(keyspace, entryValue, out[first:]))
}

// entrySum covers both values of an entry, which have the key and the ordinal
// in them, and the keyspace.
func entrySum(keyspace cairn.UID, entryValue, recordBody []byte) uint32 {
	uid := uint64(keyspace)
	// The uid starts the sum rather than being hashed: it is random already.
	sum := crc32.Update(uint32(uid>>32)^uint32(uid), castagnoli, entryValue)
	return crc32.Update(sum, castagnoli, recordBody)
}

// decodeRecord reads a record without copying, and is false for anything but
// what appendRecord writes for this keyspace and entryValue.
func decodeRecord(keyspace cairn.UID, entryValue, value []byte) (record, bool) {
	r, ok := parseRecord(value)
	return r, ok && entrySum(keyspace, entryValue, value[:len(value)-4]) == r.sum
}

// parseRecord is decodeRecord without looking at the sum.
func parseRecord(value []byte) (r record, ok bool) {
	if len(value) < 4 {
		return record{}, false
	}
	d := decoder{rest: value[: len(value)-4 : len(value)-4]}
	r.key = d.bytes()
	r.version = d.version()
	r.attributes = d.rest
	r.sum = binary.BigEndian.Uint32(value[len(value)-4:])
	return r, d.ok() && len(r.key) > 0
}
