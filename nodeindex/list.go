package nodeindex

import (
	"bytes"
	"errors"
	"slices"

	"cairn"
	"cairn/shardmap/placement"

	"go.etcd.io/bbolt"
)

// The largest page, where a request does not bound it.
const (
	maxListEntries = 10_000
	maxListBytes   = 1 << 20
)

// List answers from the applied state and never waits, as Locate does. A
// keyspace that the log does not know has no entries and the zero
// Fingerprint. Limits that are not positive stand for 10,000 entries and a
// megabyte; a page has at least one entry if there is one.
func (x *Index) List(req *cairn.ListRequest, reply *cairn.ListReply) error {
	for {
		if err := x.list(req, reply); !errors.Is(err, errOvertaken) {
			return err
		}
	}
}

func (x *Index) list(req *cairn.ListRequest, reply *cairn.ListReply) (err error) {
	s, r, applied, err := x.acquireApplied(x.position.applied.Load())
	if err != nil {
		return err
	}
	defer r.pool.release(r)
	defer recovered(&err)

	*reply = cairn.ListReply{Answer: cairn.Answer{Revision: s.revision, Index: applied}, Entries: reply.Entries[:0]}
	k := s.keyspaces[req.Keyspace]
	if k == nil {
		return nil
	}
	reply.Fingerprint = k.fingerprint
	limit, size := req.Limit, req.MaxBytes
	if limit <= 0 {
		limit = maxListEntries
	}
	if size <= 0 {
		size = maxListBytes
	}
	page := lister{view: s.view(k, r), end: req.End}
	page.seek(req.Start)
	for {
		entry, found, err := page.next()
		if err != nil || !found {
			return err
		}
		if len(reply.Entries) == limit || size <= 0 {
			reply.More = true
			return nil
		}
		reply.Entries = append(reply.Entries, entry)
		size -= len(entry.Key) + len(entry.Attributes) + 4*len(entry.Nodes) + 16
	}
}

// lister merges the entries of one keyspace, file and overlays, in key order.
type lister struct {
	view
	end    []byte
	tables []listedTable // newest first
	cursor *bbolt.Cursor
	key    []byte // of the file's next entry, nil at the end
	value  []byte

	nodes []cairn.NodeID
	bytes []byte
}

// listedTable is what is left of a table's keys.
type listedTable struct {
	table *table
	keys  []string
}

func (l *lister) seek(start []byte) {
	add := func(t *table) {
		keys := t.keys()
		first, _ := slices.BinarySearchFunc(keys, start, compareKey)
		l.tables = append(l.tables, listedTable{t, keys[first:]})
	}
	for _, t := range l.view.tables {
		if t != nil {
			add(t)
		}
	}
	for _, t := range l.view.more {
		add(t)
	}
	if l.cursor = l.reader.keyspace(l.keyspace.UID); l.cursor != nil {
		l.key, l.value = l.cursor.Seek(start)
	}
}

func compareKey(key string, other []byte) int {
	switch {
	case key < string(other): // the comparison does not allocate
		return -1
	case key == string(other):
		return 0
	}
	return 1
}

// next is the next entry, false after the last.
func (l *lister) next() (cairn.Entry, bool, error) {
	for {
		least, newest := l.key, -1 // the table that has it, -1 for the file
		for i := range l.tables {
			keys := l.tables[i].keys
			if len(keys) > 0 && (least == nil || compareKey(keys[0], least) < 0 || newest < 0 && compareKey(keys[0], least) == 0) {
				least, newest = keyBytes(keys[0]), i
			}
		}
		if least == nil || len(l.end) > 0 && bytes.Compare(least, l.end) >= 0 {
			return cairn.Entry{}, false, nil
		}
		entry, visible, err := l.entry(least, newest)
		if err != nil {
			return cairn.Entry{}, false, err
		}
		l.skip(least)
		if visible {
			return entry, true, nil
		}
	}
}

// skip passes a key in every source.
func (l *lister) skip(key []byte) {
	for i := range l.tables {
		if keys := l.tables[i].keys; len(keys) > 0 && compareKey(keys[0], key) == 0 {
			l.tables[i].keys = keys[1:]
		}
	}
	if l.key != nil && bytes.Equal(l.key, key) {
		l.key, l.value = l.cursor.Next()
	}
}

// arrives tells whether a key is of a shard that is not there yet.
func (l *lister) arrives(key cairn.Key) bool {
	return len(l.keyspace.arriving) > 0 && l.keyspace.arrivesAt(placement.Key(l.keyspace.Placement, key, l.reader.placement[:0]))
}

// overtakenAt is what an item that came with a shard later than the page's state
// means: the page had the key, or never did.
func (l *lister) overtakenAt(key cairn.Key) error {
	if l.keyspace.locate(key, l.reader.placement[:0]) != nil {
		return errOvertaken
	}
	return nil
}

// entry is a key's entry from a table, or from the file, and whether it has
// one.
func (l *lister) entry(key []byte, from int) (cairn.Entry, bool, error) {
	if l.arrives(key) {
		return cairn.Entry{}, false, nil
	}
	if from >= 0 {
		i := l.tables[from].table.get(key)
		if l.overtaken(i) {
			return cairn.Entry{}, false, l.overtakenAt(key)
		}
		if i.deleted || l.hidden(i.ordinal) {
			return cairn.Entry{}, false, nil
		}
		return i.entry, true, nil
	}
	first := len(l.nodes)
	ordinal, nodes, ok := decodeEntryValue(l.value, l.nodes)
	if !ok {
		return cairn.Entry{}, false, corrupt("ENTRY_MALFORMED", "the entry of key %s is not what was written", cairn.Key(key))
	}
	if l.hidden(ordinal) {
		return cairn.Entry{}, false, nil
	}
	l.nodes = nodes
	record, err := l.reader.record(l.keyspace.UID, l.value, ordinal)
	if err != nil {
		return cairn.Entry{}, false, err
	}
	entry := cairn.Entry{Nodes: nodes[first:len(nodes):len(nodes)], Version: record.version}
	entry.Key, entry.Attributes = l.keep(key), l.keep(record.attributes)
	return entry, true, nil
}

// keep copies bytes of the file, which are gone when the reader is.
func (l *lister) keep(value []byte) []byte {
	const chunk = 16 << 10
	if cap(l.bytes)-len(l.bytes) < len(value) {
		l.bytes = make([]byte, 0, max(chunk, len(value)))
	}
	first := len(l.bytes)
	l.bytes = append(l.bytes, value...)
	return l.bytes[first:len(l.bytes):len(l.bytes)]
}
