package nodeindex

import (
	"context"
	"errors"

	"cairn"
	"cairn/nodeindex/changelog"
)

// Watch starts a watch of a keyspace's changes after a log index, 0 meaning
// from now on. A keyspace that has left is watched to its end. KindStale
// (NOT_OWNED): the log does not know the keyspace, and the index asked for is
// not before that left. KindCompacted (STAMP_COMPACTED): changes after that
// index are no longer kept; the message names the oldest index to watch after.
// KindNotYet (LOG_BEHIND): the index lies ahead of the applied one.
func (x *Index) Watch(keyspace cairn.UID, after uint64) (*Watcher, error) {
	if x.state.Load() == nil {
		return nil, errClosed
	}
	f := x.feeds.of(keyspace)
	applied, _ := x.Position()
	if after > applied {
		return nil, cairn.Errorf(cairn.KindNotYet, "LOG_BEHIND", "the replica has applied index %d; asked to watch after %d", applied, after)
	}
	switch {
	case f == nil && (after == 0 || after == applied):
		return nil, errNotOwned
	case f == nil:
		f = &feed{floor: applied, closed: true}
	case after == 0:
		// The keyspace may have come with the log entry being applied.
		f.mu.Lock()
		after = max(applied, f.floor)
		f.mu.Unlock()
	}
	w := &Watcher{index: x, keyspace: keyspace, feed: f, after: after}
	if oldest := x.feeds.log.Floor(); after < oldest && !f.reaches(after) {
		return nil, w.compacted(oldest)
	}
	return w, nil
}

// Watcher is one watch. It needs no closing and is for one goroutine.
type Watcher struct {
	index    *Index
	keyspace cairn.UID
	feed     *feed
	after    uint64
	// log reads what memory no longer has; nil before it has to.
	log *changelog.Reader
}

// Next waits for changes and returns those since the call before, whole log
// entries, in the log's order, bounded to about a megabyte. Errors: ctx's end
// is KindDeadline and the watch can go on; KindCompacted (STAMP_COMPACTED),
// the watch fell too far behind; KindStale (NOT_OWNED), the keyspace left, and
// its changes have been returned; KindUnavailable (CLOSED, STORAGE_FAILED);
// KindCorrupt.
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
	batch, floor, ok := w.feed.after(w.after, cairn.Answer{Revision: revision, Index: applied})
	if !ok {
		var err error
		if batch, err = w.older(min(floor, applied)); err != nil {
			return cairn.WatchBatch{}, err
		}
	}
	w.after = batch.Index
	return batch, nil
}

// older are changes that the change log alone has, up to an index.
func (w *Watcher) older(upTo uint64) (batch cairn.WatchBatch, err error) {
	if w.after >= upTo {
		return batch, errNotOwned // all that there was has been told
	}
	if w.log == nil || w.log.At() != w.after {
		w.log = w.index.feeds.log.Reader(w.keyspace, w.after)
	}
	records, revision, err := w.log.Read(upTo, watchBatchBytes)
	if errors.Is(err, changelog.ErrGone) {
		return batch, w.compacted(w.index.feeds.log.Floor())
	}
	if err != nil {
		return batch, storageError("read changes", err)
	}
	batch.Answer = cairn.Answer{Index: w.log.At(), Revision: revision}
	for i := range records {
		if records[i].Kind == changelog.Left {
			return w.untilLeft(batch, records[i].Index)
		}
		changes, ok := decodeChanges(&records[i])
		if !ok {
			return batch, corrupt("CHANGES_MALFORMED", "the changes of log index %d are not what was written", records[i].Index)
		}
		batch.Changes = append(batch.Changes, changes...)
	}
	return batch, nil
}

// untilLeft ends a watch where its keyspace left. If that has come again since,
// what happened to it meanwhile is not here.
func (w *Watcher) untilLeft(batch cairn.WatchBatch, left uint64) (cairn.WatchBatch, error) {
	w.log = nil
	switch {
	case len(batch.Changes) > 0:
		batch.Index = left - 1
		batch.Revision = 0 // that of the leaving is for the end
		return batch, nil
	case w.index.feeds.of(w.keyspace) != nil:
		return batch, w.compacted(left)
	}
	return batch, errNotOwned
}

func (w *Watcher) compacted(oldest uint64) error {
	return cairn.Errorf(cairn.KindCompacted, "STAMP_COMPACTED",
		"changes after index %d are no longer kept; the oldest index to watch after is %d", w.after, oldest)
}
