package cairn

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// RequestID names a request to write, so that it takes effect once, however
// often and through whomever it is sent. A retry repeats all of it: the id,
// the time, and every write at its position. The zero RequestID names none.
//
// What became of each write is remembered for a while, and a retry is told
// that again instead of being carried out: the version, or the refusal. A
// write that was refused because the map has changed (KindStale), or before it
// got into a log, is not remembered, and may be carried out by a retry.
type RequestID struct {
	// ID is 16 bytes that no other request has, as of a UUID. All zeros is
	// none.
	ID [16]byte
	// Issued is when the request was first made, by the clock of whoever made
	// it. It counts to the microsecond.
	Issued time.Time
}

// NewRequestID makes an id for a request that is made now.
func NewRequestID(now time.Time) RequestID {
	r := RequestID{Issued: now}
	rand.Read(r.ID[:]) // never fails: crypto/rand ends the process instead
	return r
}

// IsZero reports whether r names no request.
func (r RequestID) IsZero() bool { return r.ID == [16]byte{} }

func (r RequestID) String() string {
	return hex.EncodeToString(r.ID[:]) + " of " + r.Issued.UTC().Format(time.RFC3339Nano)
}
