package cache

import (
	"slices"
	"sync/atomic"
	"unsafe"

	"cairn"
	"cairn/shardmap/catalog"
)

// Entry is where one key lived, or that it had no entry. It is immutable but for Named.
type Entry struct {
	// Located is what the index answered; the slices are the Entry's.
	cairn.Located
	// Token is the Stamp as clients hold it.
	Token cairn.Token
	// WithAttributes tells whether Version and Attributes were asked for.
	WithAttributes bool
	// Named is for whoever serves the Entry, to keep it under names.
	Named atomic.Pointer[Named]

	keyspace cairn.UID
	key      string
	session  *session
}

// Named is an Entry's location as declarations have its names.
type Named struct {
	// Cluster and Keyspace are the declarations that it was named by, compared by identity.
	Cluster  *catalog.Cluster
	Keyspace *catalog.Keyspace
	Location cairn.Location
}

// entryOverhead is what an Entry takes beside its key, nodes and attributes: itself, its
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
	size := entryOverhead + len(e.key) + 4*len(e.Nodes) + len(e.Attributes)
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
}

func newEntry(s *Source, key cairn.Key, fill Fill) *Entry {
	e := &Entry{
		Located: *fill.Located, WithAttributes: fill.WithAttributes,
		Token:    cairn.Token{}.With(s.id.Cluster, fill.Located.Stamp),
		keyspace: s.id.Keyspace, key: string(key),
	}
	e.Nodes, e.Attributes = slices.Clone(e.Nodes), slices.Clone(e.Attributes)
	return e
}

// is tells whether the entry is of a key.
func (e *Entry) is(keyspace cairn.UID, key cairn.Key) bool {
	return e.keyspace == keyspace && e.key == string(key)
}
