package nodeindex

import (
	"cmp"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"cairn"
	"cairn/nodeindex/pace"
)

// item is what an overlay holds of a key: its entry, or that it has none. An
// item does not change after it is put.
type item struct {
	entry cairn.Entry
	// index is the log index of the write.
	index   uint64
	ordinal uint32
	// deleted: the key has no entry; entry has only Key, and Version is of the
	// deletion.
	deleted bool
	// staged: it came with a shard that was moving here then.
	staged bool
}

// overlay is one generation of what is applied and not checkpointed: a table
// for each keyspace. Apply puts; readers get.
type overlay struct {
	tables atomic.Pointer[map[cairn.UID]*table] // copied on write
	// freed are the ordinals of entries deleted in this generation, each with
	// an item in a table. Guarded by Index.mu.
	freed []uint32
}

func newOverlay() *overlay {
	o := &overlay{}
	o.tables.Store(&map[cairn.UID]*table{})
	return o
}

// table is the keyspace's table, nil if nothing was put for it.
func (o *overlay) table(keyspace cairn.UID) *table { return (*o.tables.Load())[keyspace] }

// makeTable is table for who is about to put. Only Apply calls it.
func (o *overlay) makeTable(keyspace cairn.UID) *table {
	tables := *o.tables.Load()
	if t := tables[keyspace]; t != nil {
		return t
	}
	t := &table{seed: maphash.MakeSeed()}
	tables = maps.Clone(tables)
	tables[keyspace] = t
	o.tables.Store(&tables)
	return t
}

// empty reports whether nothing was put.
func (o *overlay) empty() bool { return len(*o.tables.Load()) == 0 }

// joinOverlays is what overlays that nobody puts into any more, the newest
// first, hold all together. Their items are shared with it.
func joinOverlays(newestFirst []*overlay) *overlay {
	joined := newOverlay()
	for _, o := range newestFirst {
		joined.freed = append(joined.freed, o.freed...)
		for uid, t := range *o.tables.Load() {
			into := joined.makeTable(uid)
			for i := range t.all {
				if into.get(i.entry.Key) == nil {
					into.put(i)
				}
			}
		}
	}
	return joined
}

// size is how many keys the overlay holds and about how many bytes they take.
func (o *overlay) size() (keys int, bytes int64) {
	for _, t := range *o.tables.Load() {
		keys += int(t.count.Load())
		bytes += t.bytes.Load()
	}
	return keys, bytes
}

// stripes is how many locks a table has, so that readers and Apply seldom
// meet.
const stripes = 64

// table maps keys to items, of one keyspace and one generation.
type table struct {
	seed    maphash.Seed
	count   atomic.Int64
	bytes   atomic.Int64
	stripes [stripes]struct {
		mu    sync.RWMutex
		items map[string]*item
	}

	orderMu sync.Mutex
	// added are the keys in the order they came, sorted the first of them,
	// ascending: listing sorts what came since the last time and merges it in.
	added  []string
	sorted []string
}

// get is the key's item, nil if it has none here. It does not allocate.
func (t *table) get(key []byte) *item {
	s := &t.stripes[maphash.Bytes(t.seed, key)%stripes]
	s.mu.RLock()
	found := s.items[string(key)]
	s.mu.RUnlock()
	return found
}

// itemOverhead is about what an item takes beside its key, nodes and
// attributes: the item, its place in the map and in the order.
const itemOverhead = int64(unsafe.Sizeof(item{})) + 64

func (i *item) size() int64 {
	return itemOverhead + int64(len(i.entry.Key)+4*len(i.entry.Nodes)+len(i.entry.Attributes))
}

// keyString is a key as a string, without a copy; the key must not change
// afterwards.
func keyString(key cairn.Key) string { return unsafe.String(unsafe.SliceData(key), len(key)) }

// keyBytes is the reverse of keyString.
func keyBytes(key string) cairn.Key { return unsafe.Slice(unsafe.StringData(key), len(key)) }

// put sets the key's item. Only Apply calls it. The item's key must not change
// afterwards: it becomes the map's.
func (t *table) put(i *item) {
	key := keyString(i.entry.Key)
	s := &t.stripes[maphash.Bytes(t.seed, i.entry.Key)%stripes]
	s.mu.Lock()
	if s.items == nil {
		s.items = make(map[string]*item)
	}
	before := s.items[key]
	if before != nil {
		// The map keeps the key it has: so must the item, or its memory would
		// be held twice.
		i.entry.Key = before.entry.Key
	}
	s.items[key] = i
	s.mu.Unlock()
	if before != nil {
		t.bytes.Add(i.size() - before.size())
		return
	}
	t.count.Add(1)
	t.bytes.Add(i.size())
	t.orderMu.Lock()
	t.added = append(t.added, key)
	t.orderMu.Unlock()
}

// keys are the table's keys, ascending. The slice does not change afterwards.
func (t *table) keys() []string {
	t.orderMu.Lock()
	defer t.orderMu.Unlock()
	if len(t.sorted) == len(t.added) {
		return t.sorted
	}
	fresh := slices.Sorted(slices.Values(t.added[len(t.sorted):]))
	merged := make([]string, 0, len(t.added))
	old := t.sorted
	for len(old) > 0 && len(fresh) > 0 {
		if old[0] < fresh[0] {
			merged, old = append(merged, old[0]), old[1:]
		} else {
			merged, fresh = append(merged, fresh[0]), fresh[1:]
		}
	}
	merged = append(append(merged, old...), fresh...)
	t.sorted = merged
	return merged
}

// byKey yields every item, by their keys. Only where nobody puts meanwhile.
func (t *table) byKey(pacer *pace.Pacer) iter.Seq[*item] {
	return func(yield func(*item) bool) {
		type keyed struct {
			key  string
			item *item
		}
		order := make([]keyed, 0, t.count.Load())
		for i := range t.all {
			pacer.Step()
			order = append(order, keyed{keyString(i.entry.Key), i})
		}
		pace.SortFunc(pacer, order, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
		for _, k := range order {
			if !yield(k.item) {
				return
			}
		}
	}
}

// all yields every item, in no order. Only where nobody puts meanwhile.
func (t *table) all(yield func(*item) bool) {
	for i := range t.stripes {
		for _, each := range t.stripes[i].items {
			if !yield(each) {
				return
			}
		}
	}
}
