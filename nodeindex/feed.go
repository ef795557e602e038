package nodeindex

import (
	"context"
	"sort"
	"sync"
	"unsafe"

	"cairn"
)

// feeds are the recent changes of each keyspace, for watchers.
type feeds struct {
	limit int64 // bytes a keyspace

	mu sync.RWMutex // guards what follows
	// begun is the log index that the file held when it was opened: changes up
	// to there are not known.
	begun      uint64
	byKeyspace map[cairn.UID]*feed
	// left is when keyspaces have left.
	left map[cairn.UID]uint64
}

// feed is one keyspace's recent changes, whole log entries in their order.
type feed struct {
	mu sync.Mutex
	// floor: every change after this index is here.
	floor   uint64
	batches []feedBatch // ascending by index
	first   int         // the oldest that is kept; those before it are empty
	bytes   int64
	closed  bool // the keyspace has left
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

// open starts the feed of a keyspace, if it has none. That of a keyspace new
// to the log begins with the log: there have been no changes before.
func (f *feeds) open(keyspace cairn.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byKeyspace == nil {
		f.byKeyspace = make(map[cairn.UID]*feed)
	}
	if f.byKeyspace[keyspace] == nil {
		f.byKeyspace[keyspace] = &feed{floor: max(f.begun, f.left[keyspace])}
	}
}

// close ends the feed of a keyspace that leaves at a log index.
func (f *feeds) close(keyspace cairn.UID, index uint64) {
	f.mu.Lock()
	ended := f.byKeyspace[keyspace]
	if ended != nil {
		if f.left == nil {
			f.left = make(map[cairn.UID]uint64)
		}
		f.left[keyspace] = index
	}
	delete(f.byKeyspace, keyspace)
	f.mu.Unlock()
	if ended != nil {
		ended.mu.Lock()
		ended.closed = true
		ended.batches = nil
		ended.mu.Unlock()
	}
}

// restart goes on from a log index that the log has jumped to, with the
// keyspaces that there are then: what happened before is not known. A watch of
// it is told that, of a keyspace that has left meanwhile too.
func (f *feeds) restart(index uint64, keyspaces map[cairn.UID]*keyspace) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun, f.left = index, nil
	for uid, feed := range f.byKeyspace {
		feed.restart(index, keyspaces[uid] == nil)
		if keyspaces[uid] == nil {
			delete(f.byKeyspace, uid)
		}
	}
}

func (f *feed) restart(index uint64, left bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.floor, f.closed = index, left
	f.batches, f.first, f.bytes = nil, 0, 0
}

// append adds the changes of one log entry and lets go of the oldest ones over
// the limit.
func (f *feeds) append(keyspace cairn.UID, index, revision uint64, changes []cairn.Change) {
	if len(changes) == 0 {
		return
	}
	feed := f.of(keyspace)
	if feed == nil {
		return
	}
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

// after are the changes after an index up to a position, about watchBatchBytes
// of them, whole log entries, with the index up to which they are all and the
// map revision noted there.
func (f *feed) after(after uint64, upTo cairn.Answer) (cairn.WatchBatch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after < f.floor {
		return cairn.WatchBatch{}, f.compactedLocked(after)
	}
	if f.closed {
		return cairn.WatchBatch{}, errNotOwned
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
			return cairn.WatchBatch{Answer: cairn.Answer{Index: last.index, Revision: last.revision}, Changes: changes}, nil
		}
		changes = append(changes, b.changes...)
		bytes += b.bytes
	}
	upTo.Index = max(after, upTo.Index)
	return cairn.WatchBatch{Answer: upTo, Changes: changes}, nil
}

func (f *feed) compactedLocked(after uint64) error {
	return cairn.Errorf(cairn.KindCompacted, "STAMP_COMPACTED",
		"changes after index %d are no longer kept; the oldest index to watch after is %d", after, f.floor)
}

// Watch starts a watch of a keyspace's changes after a log index, 0 meaning
// from now on. KindStale (NOT_OWNED): the log does not know the keyspace.
// KindCompacted (STAMP_COMPACTED): changes after that index are no longer
// kept; the message names the oldest index to watch after. KindNotYet
// (LOG_BEHIND): the index lies ahead of the applied one.
func (x *Index) Watch(keyspace cairn.UID, after uint64) (*Watcher, error) {
	if x.state.Load() == nil {
		return nil, errClosed
	}
	f := x.feeds.of(keyspace)
	if f == nil {
		return nil, errNotOwned
	}
	applied, _ := x.Position()
	if after > applied {
		return nil, cairn.Errorf(cairn.KindNotYet, "LOG_BEHIND", "the replica has applied index %d; asked to watch after %d", applied, after)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case after == 0:
		// The keyspace may have come with the log entry being applied.
		after = max(applied, f.floor)
	case after < f.floor:
		return nil, f.compactedLocked(after)
	}
	return &Watcher{index: x, feed: f, after: after}, nil
}

// Watcher is one watch. It needs no closing and is for one goroutine.
type Watcher struct {
	index *Index
	feed  *feed
	after uint64
}

// Next waits for changes and returns those since the call before, whole log
// entries, in the log's order, bounded to about a megabyte. Errors: ctx's end
// is KindDeadline and the watch can go on; KindCompacted (STAMP_COMPACTED),
// the watch fell too far behind; KindStale (NOT_OWNED), the keyspace left;
// KindUnavailable (CLOSED).
func (w *Watcher) Next(ctx context.Context) (cairn.WatchBatch, error) {
	p := &w.index.position
	for {
		batch, err := w.Poll()
		if err != nil || len(batch.Changes) > 0 {
			return batch, err
		}
		err = p.until(ctx, func() bool { return p.applied.Load() > w.after })
		if err != nil && ctx.Err() != nil {
			return cairn.WatchBatch{}, &cairn.Error{Op: "watch", Kind: cairn.KindDeadline, Reason: "DEADLINE_EXCEEDED", Err: err}
		}
		if err != nil {
			return cairn.WatchBatch{}, err
		}
	}
}

// Poll is Next without waiting: a batch without changes is a heartbeat.
func (w *Watcher) Poll() (cairn.WatchBatch, error) {
	if w.index.state.Load() == nil {
		return cairn.WatchBatch{}, errClosed
	}
	applied, revision := w.index.Position()
	batch, err := w.feed.after(w.after, cairn.Answer{Revision: revision, Index: applied})
	if err == nil {
		w.after = batch.Index
	}
	return batch, err
}
