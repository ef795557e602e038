package nodeindex

import (
	"errors"
	"os"
	"path/filepath"

	"cairn"
	"cairn/nodeindex/durable"

	"go.etcd.io/bbolt"
)

// Install has the index go on from a received snapshot that is ahead of it, in
// place of its own file. It belongs to the goroutine that applies. Reads go on
// throughout, each of the state before or after. Views are made anew
// (FillViews), keys are read from the file until KeepKeys; a watch of what was
// before is KindCompacted; a checkpoint that was begun is superseded.
//
// A crash leaves the file before, or the new one, which then says
// CheckpointMeta.Installed. After an error the snapshot is discarded and the
// index serves on as before: KindConflict (SNAPSHOT_OLDER: it is not ahead of
// what is applied), KindExhausted (DISK_FULL), KindUnavailable (STORAGE_FAILED,
// CLOSED), KindCorrupt. Only where it is not known which of both files a crash
// would leave, the error is KindUnavailable (INSTALL_UNSYNCED) and the index
// closed to all but Close.
func (x *Index) Install(in *Incoming) error {
	x.writing.Lock()
	defer x.writing.Unlock()
	next, err := x.prepareInstall(in)
	if err != nil {
		_ = in.Discard() // the error before matters more
		return storageError("install snapshot", err)
	}
	path := filepath.Join(x.dir, FileName)
	switch err := x.options.Disk.Publish(durable.Install, in.path, path); {
	case errors.Is(err, durable.ErrUnsynced):
		// Writing to either file might be writing to the one that is lost.
		in.over = true
		next.close()
		x.shut()
		return errUnsynced(err)
	case err != nil:
		_ = in.Discard()
		next.close()
		return storageError("install snapshot", err)
	}
	in.over = true
	before := x.replace(next)
	before.readers.retire()
	x.copies.giveWay()
	_ = next.before.Close() // nothing of it is needed any more
	return nil
}

// installedFile is a loaded file that is to take the place of another.
type installedFile struct {
	*loadedFile
	before *bbolt.DB
}

// close gives the file up.
func (f *installedFile) close() {
	f.readers.retire()
	_ = f.db.Close() // it was not served from
}

// prepareInstall opens a snapshot under the name it was received by, marks it
// and loads it. x.writing is held.
func (x *Index) prepareInstall(in *Incoming) (_ *installedFile, err error) {
	if x.state.Load() == nil || x.interrupted.Load() {
		return nil, errClosed
	}
	if applied, _ := x.Position(); in.meta.Index <= applied {
		return nil, errOlder(in.meta.Index, applied)
	}
	defer panicOnFault(&err)()
	db, err := bbolt.Open(in.path, 0o600, x.options.bolt())
	if err != nil {
		return nil, openError(in.path, err)
	}
	err = x.options.Disk.Commit(durable.Install, in.path, func() error { return db.Update(markInstalled) })
	if err == nil {
		err = settleFile(db, x.options.Disk)
	}
	var info os.FileInfo
	if err == nil {
		info, err = os.Stat(in.path)
	}
	var loaded *loadedFile
	if err == nil {
		loaded, err = x.load(db, int(info.Size()))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &installedFile{loadedFile: loaded, before: x.db}, nil
}

// markInstalled notes that the file came from elsewhere: the images of views
// that it names are not here.
func markInstalled(tx *bbolt.Tx) error {
	if err := tx.DeleteBucket(bucketImages); err != nil {
		return err
	}
	if _, err := tx.CreateBucket(bucketImages); err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(metaInstalled, []byte{1})
}

// replace serves from another file from now on, and returns the state before.
// x.writing is held.
func (x *Index) replace(next *installedFile) (before *state) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.running != nil {
		x.running.superseded = true
		x.running = nil
	}
	// Before the new state can be seen: a projection that has not heard of it
	// would pass for one of that state.
	for _, p := range x.state.Load().projections {
		p.Replaced()
	}
	x.feeds.restart(next.meta.Index)
	after := x.adopt(next.loadedFile)
	x.checkpointAt = x.options.Now()
	before = x.publish(func(s *state) { *s = *after })
	x.position.advance(next.meta.Index, next.assignment.revision)
	x.wakeWork()
	return before
}

// errOlder refuses a snapshot that has less than what is applied.
func errOlder(snapshot, applied uint64) error {
	return cairn.Errorf(cairn.KindConflict, "SNAPSHOT_OLDER", "a snapshot of log index %d; the index has applied %d", snapshot, applied)
}

// errUnsynced is for an install that is neither done nor undone for certain.
func errUnsynced(err error) error {
	return cairn.Errorf(cairn.KindUnavailable, "INSTALL_UNSYNCED",
		"a snapshot took the place of the index's file, and that could not be made durable; start the index again: %w", err)
}
