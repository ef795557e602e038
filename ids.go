package cairn

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
)

// UID tells a keyspace, cluster or view from any other that had or will have
// its name. It is random, never 0, and written as 16 hexadecimal digits.
type UID uint64

// NewUID makes a UID that no other declaration has.
func NewUID() UID {
	for {
		var b [8]byte
		rand.Read(b[:]) // never fails: crypto/rand ends the process instead
		if uid := UID(binary.BigEndian.Uint64(b[:])); uid != 0 {
			return uid
		}
	}
}

func (u UID) String() string { return fmt.Sprintf("%016x", uint64(u)) }

// MarshalText writes the 16 digits.
func (u UID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (u *UID) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil || len(text) != 16 {
		return Invalid("uid", "UID_MALFORMED", "%q is not 16 hexadecimal digits", text)
	}
	*u = UID(n)
	return nil
}

// ShardID numbers a shard in its keyspace. Ids are not used again.
type ShardID uint64

func (s ShardID) String() string { return strconv.FormatUint(uint64(s), 10) }

// NodeID numbers a node in its cluster, from 1. Ids are not used again.
type NodeID uint32

// AttributeID numbers an attribute in its keyspace, from 1. Ids are not used
// again, so a value outlives neither its attribute nor a change of its type.
type AttributeID uint32
