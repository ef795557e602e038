package replica

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// sealingMeta is raft-wal's metadata, put right when it is loaded after a
// crash. raft-wal fills a segment, seals it with an index, and starts the next
// one in the background. After a crash between the two it takes the sealed
// segment for the one to append to, and refuses every append; after a crash in
// the middle of writing the seal it does so too, and would read an index that
// was never written whole. So the first is given its next segment here, and
// the second its uncommitted rest taken away.
//
// And where the end of a log is removed, as of entries that no majority got,
// raft-wal calls the segment sealed without giving it an index. It can read that
// until it is opened anew; so the index is written then.
type sealingMeta struct {
	types.MetaStore
	dir string
}

// frameHeader is the size of raft-wal's frame headers; frames are padded to
// multiples of it.
const frameHeader = 8

// CommitState keeps the metadata.
func (m *sealingMeta) CommitState(state types.PersistentState) error {
	return m.synced(m.MetaStore.CommitState(state))
}

// SetStable keeps a value of raft's own.
func (m *sealingMeta) SetStable(key, value []byte) error {
	return m.synced(m.MetaStore.SetStable(key, value))
}

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

// Load loads the metadata, after it has been put right.
func (m *sealingMeta) Load(dir string) (types.PersistentState, error) {
	state, err := m.MetaStore.Load(dir)
	if err != nil || len(state.Segments) == 0 {
		return state, err
	}
	if err := m.indexCut(state); err != nil {
		return state, err
	}
	tail := &state.Segments[len(state.Segments)-1]
	if !tail.SealTime.IsZero() {
		return state, nil
	}
	seal, err := m.readSeal(*tail)
	if err != nil || !seal.present {
		return state, err
	}
	if !seal.committed {
		return state, m.cut(*tail, seal.end)
	}
	now := time.Now()
	tail.SealTime, tail.MaxIndex, tail.IndexStart = now, seal.lastIndex, seal.indexStart
	state.Segments = append(state.Segments, types.SegmentInfo{
		ID: state.NextSegmentID, BaseIndex: seal.lastIndex + 1, MinIndex: seal.lastIndex + 1,
		Codec: tail.Codec, CreateTime: now, SizeLimit: tail.SizeLimit,
	})
	state.NextSegmentID++
	return state, m.CommitState(state)
}

// indexCut writes what indexes are missing of sealed segments.
func (m *sealingMeta) indexCut(state types.PersistentState) error {
	for i := range state.Segments {
		cut := &state.Segments[i]
		if cut.SealTime.IsZero() || cut.IndexStart != 0 {
			continue
		}
		var err error
		if cut.IndexStart, err = m.writeIndex(*cut); err != nil {
			return err
		}
		if err := m.CommitState(state); err != nil {
			return err
		}
	}
	return nil
}

// writeIndex writes a segment's index, behind an entry more that the metadata
// do not count, and returns where it stands.
func (m *sealingMeta) writeIndex(info types.SegmentInfo) (indexStart uint64, err error) {
	// As one that is written to, and that the next entry fills.
	info.SealTime, info.MaxIndex, info.SizeLimit = time.Time{}, 0, 0
	before, err := m.readSeal(info)
	if err != nil || before.committed {
		return before.indexStart, err
	}
	if before.present {
		if err := m.cut(info, before.end); err != nil {
			return 0, err
		}
	}
	writer, err := segment.NewFiler(m.dir, fs.New()).RecoverTail(info)
	if err != nil {
		return 0, err
	}
	err = writer.Append([]types.LogEntry{{Index: writer.LastIndex() + 1, Data: []byte{0}}})
	if err == nil {
		_, indexStart, err = writer.Sealed()
	}
	return indexStart, errors.Join(err, writer.Close())
}

// seal is what the last segment says of its end.
type seal struct {
	present   bool // an index was written, or begun
	committed bool // and is followed by its commit
	lastIndex uint64
	// indexStart is where the index stands, end where the last commit ends.
	indexStart uint64
	end        int64
}

func (m *sealingMeta) readSeal(tail types.SegmentInfo) (seal, error) {
	recovered, err := segment.NewFiler(m.dir, fs.New()).RecoverTail(tail)
	if errors.Is(err, os.ErrNotExist) {
		return seal{}, nil // made known before it was made; raft-wal makes it
	}
	if err != nil {
		return seal{}, err
	}
	defer recovered.Close()
	var s seal
	if s.present, s.indexStart, err = recovered.Sealed(); err != nil || !s.present {
		return seal{}, err
	}
	s.lastIndex = recovered.LastIndex()
	if s.lastIndex == 0 {
		return s, nil
	}
	writer, ok := recovered.(*segment.Writer)
	if !ok {
		return seal{}, fmt.Errorf("a segment of type %T", recovered)
	}
	offset, err := writer.OffsetForFrame(s.lastIndex)
	if err != nil {
		return seal{}, err
	}
	entry, err := writer.GetLog(s.lastIndex)
	if err != nil {
		return seal{}, err
	}
	length := int64(len(entry.Bs))
	if err := entry.Close(); err != nil {
		return seal{}, err
	}
	entryEnd := int64(offset) + frameHeader + (length+frameHeader-1)/frameHeader*frameHeader
	// A sealing append writes entries, index, commit; any other entries, commit.
	s.committed = int64(s.indexStart) == entryEnd+frameHeader
	s.end = entryEnd + frameHeader
	return s, nil
}

// cut replaces everything from end on by zeros.
func (m *sealingMeta) cut(tail types.SegmentInfo, end int64) error {
	file, err := os.OpenFile(filepath.Join(m.dir, segment.FileName(tail)), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		err = errors.Join(file.Truncate(end), file.Truncate(info.Size()), file.Sync())
	}
	return errors.Join(err, file.Close())
}
