package replica

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/hashicorp/raft"

	"cairn"
	"cairn/nodeindex"
)

// sending are the snapshots on their way to other replicas: files below
// DIR/snapshots, written at the disk's speed, so that no transaction lasts as
// long as a slow peer does. Replicas that take one at the same time share it.
// The log behind it stays for as long.
type sending struct {
	config    Config
	index     *nodeindex.Index
	retention *retention
	dir       string

	mu     sync.Mutex // guards what follows
	latest *sentFile  // the one to share, nil if there is none
	count  int
}

// sentFile is one file for all who read it.
type sentFile struct {
	path    string
	pin     *pin
	readers int           // guarded by sending.mu
	written chan struct{} // closed when what follows is set
	meta    *raft.SnapshotMeta
	err     error
}

// newSending removes what a former process has left.
func newSending(config Config, index *nodeindex.Index, retention *retention) (*sending, error) {
	dir := filepath.Join(config.Dir, "snapshots")
	if err := os.RemoveAll(dir); err != nil {
		return nil, cairn.Errorf(cairn.KindUnavailable, "DATA_DIR", "removing old snapshots: %w", err)
	}
	return &sending{config: config, index: index, retention: retention, dir: dir}, nil
}

// open is a snapshot of the last checkpoint, or of an earlier one that is being
// sent and that the log still goes on from. It must be closed.
func (s *sending) open() (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	file := s.latest
	shared := file != nil && s.retention.keeps(file.pin)
	if !shared {
		s.count++
		file = &sentFile{path: filepath.Join(s.dir, strconv.Itoa(s.count)), written: make(chan struct{})}
		// What the log has from here on is needed once the snapshot is there.
		file.pin = s.retention.pin(s.index.Checkpointed().Index)
		s.latest = file
	}
	file.readers++
	s.mu.Unlock()
	if shared {
		<-file.written
	} else {
		file.meta, file.err = s.write(file.path)
		close(file.written)
	}
	reader := &sentReader{of: s, file: file}
	err := file.err
	if err == nil {
		reader.File, err = os.Open(file.path)
	}
	if err != nil {
		s.release(file)
		return nil, nil, err
	}
	return file.meta, reader, nil
}

// write writes a snapshot, if there is room for it.
func (s *sending) write(path string) (*raft.SnapshotMeta, error) {
	info, err := os.Stat(filepath.Join(s.config.Dir, nodeindex.FileName))
	if err == nil {
		err = s.config.room(uint64(info.Size()))
	}
	if err == nil {
		err = os.MkdirAll(s.dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	snapshot, err := s.index.WriteSnapshot(path)
	if err != nil {
		return nil, err
	}
	meta, err := snapshotMeta(snapshot.CheckpointMeta)
	if err != nil {
		return nil, err
	}
	meta.Size = snapshot.Bytes
	return meta, nil
}

// release counts one reader less, and removes the file after the last.
func (s *sending) release(file *sentFile) {
	s.mu.Lock()
	file.readers--
	last := file.readers == 0
	if last && s.latest == file {
		s.latest = nil
	}
	s.mu.Unlock()
	if last {
		s.retention.unpin(file.pin)
		if err := os.Remove(file.path); err != nil && file.err == nil {
			s.config.Logger.Warn("a snapshot that was sent could not be removed", "err", err)
		}
	}
}

// sentReader is one replica's reading of a file.
type sentReader struct {
	*os.File
	of   *sending
	file *sentFile
}

func (r *sentReader) Close() error {
	defer r.of.release(r.file)
	return r.File.Close()
}
