package nodeindex

import (
	"errors"
	"slices"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// Locate answers from the applied state and never waits; whether that is
// fresh enough is the caller's to see to (Wait). It reuses reply.Results'
// array and nothing else of reply. A keyspace that the log does not know has
// NotOwned keys. Errors: KindUnavailable (CLOSED), KindCorrupt.
func (x *Index) Locate(req *cairn.LocateRequest, reply *cairn.LocateReply) error {
	for {
		if err := x.locate(req, reply); !errors.Is(err, errOvertaken) {
			return err
		}
	}
}

// errOvertaken is for a reader whose state does not have its keys any more: they
// have left, and are arriving again.
var errOvertaken = errors.New("the reader's state is overtaken")

func (x *Index) locate(req *cairn.LocateRequest, reply *cairn.LocateReply) (err error) {
	s, r, applied, err := x.acquireApplied(x.position.applied.Load())
	if err != nil {
		return err
	}
	defer r.pool.release(r)
	defer recovered(&err)

	reply.Answer = cairn.Answer{Revision: s.revision, Index: applied}
	results := slices.Grow(reply.Results[:0], len(req.Keys))[:len(req.Keys)]
	reply.Results = results
	k := s.keyspaces[req.Keyspace]
	if k == nil {
		for i := range results {
			results[i] = cairn.Located{State: cairn.NotOwned}
		}
		return nil
	}
	l := locator{view: s.view(k, r), attributes: req.WithAttributes, applied: applied, keys: len(req.Keys)}
	found := r.findAll(req.Keyspace, req.Keys)
	if sampled() {
		k.countReads(req.Keys, r.placement[:0])
	}
	for i, key := range req.Keys {
		if found != nil {
			results[i], err = l.locate(key, found[i], true)
		} else {
			results[i], err = l.locate(key, nil, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// view is one keyspace as one request sees it.
type view struct {
	keyspace *keyspace
	reader   *reader
	assigned uint64          // see state
	departed *roaring.Bitmap // nil if none
	tables   [3]*table       // newest first, nil at the end
	more     []*table        // those that tables has no room for
}

func (s *state) view(k *keyspace, r *reader) view {
	v := view{keyspace: k, reader: r, assigned: s.assigned, departed: s.departed[k.UID]}
	n := 0
	push := func(t *table) {
		switch {
		case t == nil:
		case n < len(v.tables):
			v.tables[n] = t
			n++
		default:
			v.more = append(v.more, t)
		}
	}
	push(s.active.table(k.UID))
	for _, o := range s.frozen {
		push(o.table(k.UID))
	}
	return v
}

// item is the newest of a key in the overlays, nil if it is in none.
func (v *view) item(key []byte) *item {
	for _, t := range v.tables {
		if t == nil {
			return nil
		}
		if found := t.get(key); found != nil {
			return found
		}
	}
	for _, t := range v.more {
		if found := t.get(key); found != nil {
			return found
		}
	}
	return nil
}

// hidden reports whether an ordinal's entry is out of sight: its shard has
// left, and it is still to be swept.
func (v *view) hidden(ordinal uint32) bool { return v.departed != nil && v.departed.Contains(ordinal) }

// overtaken tells whether an item of one of the view's own keys has come with a
// shard that was not there yet: a shard arrives where none is.
func (v *view) overtaken(i *item) bool { return i.staged && i.index > v.assigned }

// locator answers the keys of one request.
type locator struct {
	view
	attributes bool
	applied    uint64
	keys       int

	// Slabs that the results' slices are carved from.
	nodes []cairn.NodeID
	bytes []byte
}

// locate locates a key, of which it may be known what stands under it in the file.
func (l *locator) locate(key cairn.Key, value []byte, known bool) (cairn.Located, error) {
	s := l.keyspace.locate(key, l.reader.placement[:0])
	if s == nil {
		return cairn.Located{State: cairn.NotOwned}, nil
	}
	absent := cairn.Located{State: cairn.Absent, Stamp: cairn.Stamp{Epoch: s.Epoch, Index: l.applied}}
	if i := l.item(key); i != nil {
		if l.overtaken(i) {
			return cairn.Located{}, errOvertaken
		}
		absent.Stamp.Index = max(l.applied, i.index)
		absent.Stamp.Epoch = max(s.Epoch, i.entry.Version.Epoch)
		if i.deleted || l.hidden(i.ordinal) {
			return absent, nil
		}
		found := cairn.Located{State: cairn.Found, Stamp: absent.Stamp, Nodes: i.entry.Nodes}
		if l.attributes {
			found.Version, found.Attributes = i.entry.Version, i.entry.Attributes
		}
		return found, nil
	}
	if !known {
		value = l.reader.find(l.keyspace.UID, key)
	}
	if value == nil {
		return absent, nil
	}
	found := cairn.Located{State: cairn.Found, Stamp: absent.Stamp}
	ordinal, ok := uint32(0), false
	ordinal, found.Nodes, ok = l.decode(value)
	if !ok {
		return cairn.Located{}, corrupt("ENTRY_MALFORMED", "the entry of key %s is not what was written", key)
	}
	if l.hidden(ordinal) {
		return absent, nil
	}
	if l.attributes {
		record, err := l.reader.record(l.keyspace.UID, value, ordinal)
		if err != nil {
			return cairn.Located{}, err
		}
		found.Version, found.Attributes = record.version, l.keep(record.attributes)
	}
	return found, nil
}

// decode reads an entry's value with its nodes in the slab.
func (l *locator) decode(value []byte) (uint32, []cairn.NodeID, bool) {
	most := len(value) - 4 // nodes in it
	if cap(l.nodes)-len(l.nodes) < most {
		l.nodes = make([]cairn.NodeID, 0, max(most, min(l.keys, 1024)*max(1, l.keyspace.Replicas)))
	}
	first := len(l.nodes)
	ordinal, nodes, ok := decodeEntryValue(value, l.nodes)
	l.nodes = nodes
	return ordinal, nodes[first:len(nodes):len(nodes)], ok
}

// keep copies bytes of the file, which are gone when the reader is.
func (l *locator) keep(value []byte) []byte {
	if cap(l.bytes)-len(l.bytes) < len(value) {
		// Enough for the keys to come, if they are like this one.
		l.bytes = make([]byte, 0, len(value)*min(l.keys, 256))
	}
	first := len(l.bytes)
	l.bytes = append(l.bytes, value...)
	return l.bytes[first:len(l.bytes):len(l.bytes)]
}
