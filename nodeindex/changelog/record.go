package changelog

import (
	"encoding/binary"
	"hash/crc32"

	"cairn"
)

// Kind tells what a record is about.
type Kind byte

const (
	// Changes are those of one keyspace by one log entry, or a part of them.
	Changes Kind = 1
	// Left says that a keyspace has left the index: what came before cannot be
	// joined with what comes after.
	Left Kind = 2
	// synced says that all up to its index was synced with it.
	synced Kind = 3
)

// Record is what one log entry did to one keyspace.
type Record struct {
	Kind     Kind
	Keyspace cairn.UID
	// Index is the log's, Revision the map's that the log had noted by then.
	Index, Revision uint64
	// Time is the log's, in microseconds since 1970.
	Time int64
	// Payload is the caller's own.
	Payload []byte
}

const (
	frameLength = 8  // length and checksum
	fixedLength = 33 // of a record but for its payload

	// maxRecord is more than a log entry can change: what claims to be longer
	// is damaged.
	maxRecord = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendRecord(out []byte, r *Record) []byte {
	start := len(out)
	out = binary.BigEndian.AppendUint32(out, uint32(fixedLength+len(r.Payload)))
	out = binary.BigEndian.AppendUint32(out, 0)
	out = append(out, byte(r.Kind))
	out = binary.BigEndian.AppendUint64(out, uint64(r.Keyspace))
	out = binary.BigEndian.AppendUint64(out, r.Index)
	out = binary.BigEndian.AppendUint64(out, r.Revision)
	out = binary.BigEndian.AppendUint64(out, uint64(r.Time))
	out = append(out, r.Payload...)
	binary.BigEndian.PutUint32(out[start+4:], crc32.Checksum(out[start+frameLength:], castagnoli))
	return out
}

// parseFrame is how long the body of a record is, and its checksum; ok is false
// where it can't be one.
func parseFrame(frame []byte) (length int, sum uint32, ok bool) {
	n := binary.BigEndian.Uint32(frame)
	return int(n), binary.BigEndian.Uint32(frame[4:]), n >= fixedLength && n <= maxRecord
}

// parseBody reads a record, whose payload is not copied.
func parseBody(body []byte, sum uint32) (r Record, ok bool) {
	if crc32.Checksum(body, castagnoli) != sum {
		return r, false
	}
	return Record{
		Kind:     Kind(body[0]),
		Keyspace: cairn.UID(binary.BigEndian.Uint64(body[1:])),
		Index:    binary.BigEndian.Uint64(body[9:]),
		Revision: binary.BigEndian.Uint64(body[17:]),
		Time:     int64(binary.BigEndian.Uint64(body[25:])),
		Payload:  body[fixedLength:],
	}, true
}
