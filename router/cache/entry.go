package cache

import (
	"slices"
	"sync/atomic"
	"unsafe"

	"cairn"
	"cairn/shardmap/catalog"
)

// Entry is where one key lived, or that it had no entry. It is immutable but for Named.
//
// To find one is to wait for memory: once for the Entry, not again for its key and its
// nodes, if they are as short as most. What a lookup compares stands first.
type Entry struct {
	session  *session
	keyspace cairn.UID
	length   int // of the key
	short    [shortKey]byte
	// Located is what the index answered; the slices are the Entry's.
	cairn.Located
	few [fewNodes]cairn.NodeID
	// Token is the Stamp as clients hold it.
	Token cairn.Token
	// WithAttributes tells whether Version and Attributes were asked for.
	WithAttributes bool
	// Revision is the map revision that the index had noted.
	Revision uint64
	// Named is for whoever serves the Entry, to keep it under names.
	Named atomic.Pointer[Named]

	long string // the key, if it is longer than shortKey
}

// The key and the nodes of an Entry stand in it up to these lengths.
const (
	shortKey = 40
	fewNodes = 4
)

// Named is an Entry's location as declarations have its names.
type Named struct {
	// Cluster and Keyspace are the declarations that it was named by, compared by identity.
	Cluster  *catalog.Cluster
	Keyspace *catalog.Keyspace
	Location cairn.Location
	// Known tells whether they have all of its names.
	Known bool
}

// entryOverhead is what an Entry takes beside what is long: itself, its
// token, its node in the table and in the policy, and the policy's sketch.
const entryOverhead = int(unsafe.Sizeof(Entry{})) + 192

// namedOverhead is what Named takes, a node more and an attribute.
const (
	namedOverhead = int(unsafe.Sizeof(Named{})) + 16
	namedNode     = int(unsafe.Sizeof((*cairn.Node)(nil)))
	namedValue    = int(unsafe.Sizeof(cairn.NamedValue{}))
)

// size is about how many bytes the entry takes in memory, once it has been named.
func (e *Entry) size() int {
	size := entryOverhead + len(e.long) + len(e.Attributes)
	if len(e.Nodes) > fewNodes {
		size += 4 * len(e.Nodes)
	}
	if e.NeedsNames() {
		// An encoded value takes at least two bytes.
		size += namedOverhead + namedNode*len(e.Nodes) + namedValue*min(len(e.Attributes)/2, maxNamed)
	}
	return size
}

// maxNamed bounds the values that are counted for an entry.
const maxNamed = 64

// NeedsNames tells whether to name the entry takes memory, so that it is worth keeping.
func (e *Entry) NeedsNames() bool { return len(e.Nodes) > 1 || len(e.Attributes) > 0 }

// Fill is an index's answer about one key.
type Fill struct {
	// Located is Found or Absent. What it refers to is copied.
	Located        *cairn.Located
	WithAttributes bool
	// Revision is the answer's.
	Revision uint64
}

func newEntry(s *Source, key cairn.Key, fill Fill) *Entry {
	e := &Entry{
		Located: *fill.Located, WithAttributes: fill.WithAttributes, Revision: fill.Revision,
		Token:    cairn.Token{}.With(s.id.Cluster, fill.Located.Stamp),
		keyspace: s.id.Keyspace, length: len(key),
	}
	if copy(e.short[:], key) < len(key) {
		e.long = string(key)
	}
	e.Nodes, e.Attributes = append(e.few[:0], e.Nodes...), slices.Clone(e.Attributes)
	return e
}

// is tells whether the entry is of a key.
func (e *Entry) is(keyspace cairn.UID, key cairn.Key) bool {
	if e.keyspace != keyspace || e.length != len(key) {
		return false
	}
	if e.length > shortKey {
		return e.long == string(key)
	}
	return string(e.short[:e.length]) == string(key)
}
