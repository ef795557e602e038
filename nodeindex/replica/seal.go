package replica

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"

	"cairn/nodeindex"
	"cairn/nodeindex/durable"
)

// sealingMeta is raft-wal's metadata, held against the segments when it is loaded,
// and put right after a crash. raft-wal fills a segment, seals it with an index, and
// starts the next one in the background. After a crash between the two it takes the
// sealed segment for the one to append to, and refuses every append; so that is
// given its next segment here. What a crash has left of a batch that was not synced
// is taken away, lest what is written over it has a part of it behind it.
//
// And where the end of a log is removed, as of entries that no majority got,
// raft-wal calls the segment sealed without giving it an index. It can read that
// until it is opened anew; so the index is written then.
type sealingMeta struct {
	types.MetaStore
	dir   string
	files *segment.Filer
	disk  durable.Disk
}

// CommitState keeps the metadata.
func (m *sealingMeta) CommitState(state types.PersistentState) error {
	return m.synced(m.disk.Commit(durable.LogMeta, m.path(), func() error { return m.MetaStore.CommitState(state) }))
}

// SetStable keeps a value of raft's own.
func (m *sealingMeta) SetStable(key, value []byte) error {
	return m.synced(m.disk.Commit(durable.Vote, m.path(), func() error { return m.MetaStore.SetStable(key, value) }))
}

// path is the file of the metadata.
func (m *sealingMeta) path() string { return filepath.Join(m.dir, metadb.FileName) }

// synced says of a bare error number, which is how bbolt returns that of a
// sync, what it is.
func (m *sealingMeta) synced(err error) error {
	var number syscall.Errno
	var path *os.PathError
	if errors.As(err, &number) && !errors.As(err, &path) {
		return &os.PathError{Op: "sync", Path: m.dir, Err: number}
	}
	return err
}

// Load loads the metadata, after everything has been put right. It fails where a
// segment is not what was written and synced.
func (m *sealingMeta) Load(dir string) (types.PersistentState, error) {
	state, err := m.load(dir)
	if err != nil {
		return state, err
	}
	for i := range state.Segments {
		info := &state.Segments[i]
		content, err := readWritten(m.segmentPath(*info))
		if errors.Is(err, os.ErrNotExist) && info.SealTime.IsZero() {
			return state, nil // made known before it was made; raft-wal makes it
		}
		if err != nil {
			return state, err
		}
		found, err := scanSegment(*info, content)
		if err != nil {
			return state, err
		}
		switch {
		case info.SealTime.IsZero():
			return state, m.endTail(&state, found)
		case info.IndexStart == 0:
			err = m.indexCut(state, info, found)
		case found.unfinished || found.last < info.MaxIndex || found.indexStart != info.IndexStart:
			err = fmt.Errorf("%w: %s does not have the entries up to %d and their index; "+damagedHint, types.ErrCorrupt, segment.FileName(*info), info.MaxIndex)
		}
		if err != nil {
			return state, err
		}
	}
	return state, nil
}

// load loads what the file says, or makes it, and makes it durable: a former
// process may not have.
func (m *sealingMeta) load(dir string) (state types.PersistentState, err error) {
	err = m.disk.Do(durable.Opened, durable.Sync, m.path(), func() error {
		if err := nodeindex.CheckPages(m.path()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err // bbolt would panic, now or later
		}
		if state, err = m.MetaStore.Load(dir); err != nil {
			return err
		}
		file, err := os.OpenFile(m.path(), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close())
	})
	if err == nil {
		err = m.disk.SyncDir(durable.Opened, dir)
	}
	return state, err
}

// endTail puts the last segment right.
func (m *sealingMeta) endTail(state *types.PersistentState, found scannedSegment) error {
	tail := &state.Segments[len(state.Segments)-1]
	if found.unfinished {
		if err := m.cut(*tail, found.end); err != nil {
			return err
		}
	}
	if found.indexStart == 0 {
		return nil
	}
	// Nothing more is written to it, so nothing else would sync it.
	if err := m.syncSegment(*tail); err != nil {
		return err
	}
	now := time.Now()
	tail.SealTime, tail.MaxIndex, tail.IndexStart = now, found.last, found.indexStart
	state.Segments = append(state.Segments, types.SegmentInfo{
		ID: state.NextSegmentID, BaseIndex: found.last + 1, MinIndex: found.last + 1,
		Codec: tail.Codec, CreateTime: now, SizeLimit: tail.SizeLimit,
	})
	state.NextSegmentID++
	return m.CommitState(*state)
}

// indexCut writes the index that a sealed segment is missing, behind an entry more
// that the metadata do not count.
func (m *sealingMeta) indexCut(state types.PersistentState, cut *types.SegmentInfo, found scannedSegment) error {
	if found.unfinished {
		if err := m.cut(*cut, found.end); err != nil {
			return err
		}
	}
	if found.indexStart == 0 {
		var err error
		if found.indexStart, err = m.writeIndex(*cut); err != nil {
			return err
		}
	}
	cut.IndexStart = found.indexStart
	return m.CommitState(state)
}

// writeIndex appends an entry that fills a segment, and returns where the index
// stands.
func (m *sealingMeta) writeIndex(info types.SegmentInfo) (indexStart uint64, err error) {
	info.SealTime, info.MaxIndex, info.SizeLimit = time.Time{}, 0, 0 // as one that is written to
	writer, err := m.files.RecoverTail(info)
	if err != nil {
		return 0, err
	}
	err = writer.Append([]types.LogEntry{{Index: writer.LastIndex() + 1, Data: []byte{0}}})
	if err == nil {
		_, indexStart, err = writer.Sealed()
	}
	return indexStart, errors.Join(err, writer.Close())
}

func (m *sealingMeta) segmentPath(info types.SegmentInfo) string {
	return filepath.Join(m.dir, segment.FileName(info))
}

func (m *sealingMeta) syncSegment(info types.SegmentInfo) error {
	file, err := os.OpenFile(m.segmentPath(info), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(m.disk.Sync(durable.Repair, file), file.Close())
}

// cut replaces everything from end on by zeros.
func (m *sealingMeta) cut(info types.SegmentInfo, end int64) error {
	file, err := os.OpenFile(m.segmentPath(info), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	before, err := file.Stat()
	if err == nil {
		err = errors.Join(file.Truncate(end), file.Truncate(before.Size()), m.disk.Sync(durable.Repair, file))
	}
	return errors.Join(err, file.Close())
}
