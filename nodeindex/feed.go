package nodeindex

import (
	"sort"
	"sync"
	"unsafe"

	"cairn"
	"cairn/nodeindex/changelog"
)

// feeds are the latest changes of each keyspace, for watchers. The change log
// has the same, from further back.
type feeds struct {
	limit int64 // bytes a keyspace
	log   *changelog.Log

	encoded []byte // reused from append to append, which belong to one goroutine

	mu         sync.RWMutex // guards what follows
	byKeyspace map[cairn.UID]*feed
}

// feed is one keyspace's recent changes, whole log entries in their order.
type feed struct {
	mu sync.Mutex
	// floor: every change after this index is here, and all before were in the
	// change log.
	floor   uint64
	batches []feedBatch // ascending by index
	first   int         // the oldest that is kept; those before it are empty
	bytes   int64
	closed  bool // the keyspace has left, at floor
}

type feedBatch struct {
	// revision is the map revision noted before the log entry of index.
	index, revision uint64

	changes []cairn.Change
	bytes   int64
}

func (f *feeds) of(keyspace cairn.UID) *feed {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.byKeyspace[keyspace]
}

// open starts the feed of a keyspace, if it has none, at a log index.
func (f *feeds) open(keyspace cairn.UID, index uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byKeyspace == nil {
		f.byKeyspace = make(map[cairn.UID]*feed)
	}
	if f.byKeyspace[keyspace] == nil {
		f.byKeyspace[keyspace] = &feed{floor: index}
	}
}

// close ends the feed of a keyspace that leaves at a log index, by which the log
// has a map revision.
func (f *feeds) close(keyspace cairn.UID, index, revision uint64) {
	f.mu.Lock()
	ended := f.byKeyspace[keyspace]
	delete(f.byKeyspace, keyspace)
	f.mu.Unlock()
	if ended == nil {
		return
	}
	f.log.Append(&changelog.Record{Kind: changelog.Left, Keyspace: keyspace, Index: index, Revision: revision})
	ended.mu.Lock()
	defer ended.mu.Unlock()
	ended.closed, ended.floor = true, index
	ended.batches, ended.first, ended.bytes = nil, 0, 0
}

// restart goes on from a log index that the log has jumped to: what happened
// before is not known, and watches of it are told that.
func (f *feeds) restart(index uint64) {
	f.log.Restart(index)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, feed := range f.byKeyspace {
		feed.mu.Lock()
		feed.closed, feed.floor = true, index
		feed.batches, feed.first, feed.bytes = nil, 0, 0
		feed.mu.Unlock()
	}
	f.byKeyspace = nil
}

// append adds the changes of one request in a log entry, of a time in
// microseconds since 1970, and lets go of the oldest ones over the limit.
func (f *feeds) append(keyspace cairn.UID, index, revision uint64, time int64, changes []cairn.Change) {
	if len(changes) == 0 {
		return
	}
	feed := f.of(keyspace)
	if feed == nil {
		return
	}
	f.encoded = appendChanges(f.encoded[:0], changes)
	f.log.Append(&changelog.Record{
		Kind: changelog.Changes, Keyspace: keyspace, Index: index, Revision: revision, Time: time, Payload: f.encoded,
	})
	batch := feedBatch{index: index, revision: revision, changes: changes}
	for i := range changes {
		batch.bytes += changeSize(&changes[i])
	}
	feed.mu.Lock()
	defer feed.mu.Unlock()
	feed.batches = append(feed.batches, batch)
	feed.bytes += batch.bytes
	for feed.bytes > f.limit && feed.first < len(feed.batches)-1 {
		oldest := &feed.batches[feed.first]
		feed.floor = oldest.index
		feed.bytes -= oldest.bytes
		*oldest = feedBatch{}
		feed.first++
	}
	if feed.first > 1024 && feed.first > len(feed.batches)/2 {
		feed.batches = append([]feedBatch(nil), feed.batches[feed.first:]...)
		feed.first = 0
	}
}

// changeSize is about how many bytes of memory a change takes.
func changeSize(c *cairn.Change) int64 {
	size := int(unsafe.Sizeof(*c)) + len(c.Key)
	for _, e := range []*cairn.Entry{c.Before, c.After} {
		if e != nil {
			size += int(unsafe.Sizeof(*e)) + 4*len(e.Nodes) + len(e.Attributes)
		}
	}
	return int64(size)
}

// watchBatchBytes is about how much one batch of a watch holds.
const watchBatchBytes = 1 << 20

// reaches tells whether every change after an index is here, whatever the change
// log has.
func (f *feed) reaches(after uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.closed && after >= f.floor
}

// after are the changes after an index up to a position, about watchBatchBytes
// of them, whole log entries, with the index up to which they are all and the
// map revision noted there. ok is false where memory does not reach that far
// back: then the change log has them up to the floor.
func (f *feed) after(after uint64, upTo cairn.Answer) (batch cairn.WatchBatch, floor uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after < f.floor || f.closed {
		return cairn.WatchBatch{}, f.floor, false
	}
	kept := f.batches[f.first:]
	kept = kept[sort.Search(len(kept), func(i int) bool { return kept[i].index > after }):]
	var changes []cairn.Change
	var bytes int64
	for i, b := range kept {
		if b.index > upTo.Index {
			break // of a log entry that is being applied
		}
		if bytes >= watchBatchBytes && b.index != kept[i-1].index {
			// More are to come, of which the revision must not tell: who
			// follows a former owner stops once that has noted the change.
			last := &kept[i-1]
			return cairn.WatchBatch{Answer: cairn.Answer{Index: last.index, Revision: last.revision}, Changes: changes}, f.floor, true
		}
		changes = append(changes, b.changes...)
		bytes += b.bytes
	}
	upTo.Index = max(after, upTo.Index)
	return cairn.WatchBatch{Answer: upTo, Changes: changes}, f.floor, true
}
