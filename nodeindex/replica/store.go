package replica

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"

	"cairn"
	"cairn/nodeindex/durable"
)

// store is the log on disk, as raft's LogStore and StableStore. It stops at
// its first failure: raft answers a failed append by stepping down and trying
// again, and raft-wal leaves a failed sync behind as if it had worked, so
// neither may get a second chance.
type store struct {
	*wal.WAL
	meta      *metadb.BoltMetaDB
	logs      *walLogger
	retention *retention
	// beforeSync is Config.BeforeSync.
	beforeSync func()
	// syncing is since when something is being written and synced, in
	// nanoseconds since 1970; 0: nothing is.
	syncing atomic.Int64

	mu sync.Mutex // guards what follows
	// failure is why the store has stopped.
	failure error
	// commands are the indexes of commands stored and not yet applied,
	// ascending.
	commands []uint64
	// overtaken: a snapshot was installed that ends before the log does.
	overtaken bool
	// failed is closed with the first failure.
	failed chan struct{}
}

// errOvertaken stops a log whose entries went on after a snapshot that was
// installed, and were others than the leader's. They have been removed; but
// raft remembers the last one, and would find nothing that the leader sends to
// follow on it. A log opened anew has forgotten.
var errOvertaken = errors.New("the log was longer than a snapshot that took its place")

// openStore opens the log in a directory, and makes it if there is none.
func openStore(config Config, dir string) (*store, error) {
	disk := config.Index.Disk
	if err := disk.MakeDir(durable.Directory, dir, 0o755); err != nil {
		return nil, cairn.Errorf(cairn.KindUnavailable, "DATA_DIR", "%w", err)
	}
	s := &store{meta: &metadb.BoltMetaDB{}, logs: newWALLogger(config.Logger), retention: newRetention(config, dir), failed: make(chan struct{})}
	files := segment.NewFiler(dir, walFiles{fs.New(), disk})
	var err error
	s.WAL, err = wal.Open(dir, wal.WithMetaStore(&sealingMeta{MetaStore: s.meta, dir: dir, files: files, disk: disk}),
		wal.WithSegmentFiler(files), wal.WithSegmentSize(config.SegmentBytes), wal.WithLogger(s.logs))
	if err != nil {
		_ = s.meta.Close() // nothing was written
		if isFull(err) {
			return nil, cairn.Errorf(cairn.KindExhausted, "DISK_FULL", "opening the log in %s: %w", dir, err)
		}
		if errors.Is(err, os.ErrPermission) {
			return nil, cairn.Errorf(cairn.KindUnavailable, "DATA_DIR", "opening the log in %s: %w", dir, err)
		}
		return nil, cairn.Errorf(cairn.KindCorrupt, "LOG_BROKEN", "opening the log in %s: %w", dir, err)
	}
	return s, nil
}

// close closes the files. raft-wal leaves its metadata open, locked.
func (s *store) close() error { return errors.Join(s.WAL.Close(), s.meta.Close()) }

// err is why the store has stopped, nil while it has not.
func (s *store) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

func (s *store) fail(err error) error {
	if errors.Is(err, wal.ErrSealed) {
		// raft-wal could not start a new segment, said so to its logger only,
		// and refuses what comes after.
		if cause := s.logs.rotation(); cause != nil {
			err = cause
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = err
		close(s.failed)
	}
	return s.failure
}

// StoreLog appends one entry.
func (s *store) StoreLog(entry *raft.Log) error { return s.StoreLogs([]*raft.Log{entry}) }

// StoreLogs appends entries and syncs them.
func (s *store) StoreLogs(entries []*raft.Log) error {
	if err := s.err(); err != nil {
		return err
	}
	s.noteCommands(entries)
	return s.timed(func() error {
		if err := s.WAL.StoreLogs(entries); err != nil {
			return s.fail(err)
		}
		return nil
	})
}

// timed runs what waits for the disk, and lets hangs see how long it takes.
func (s *store) timed(write func() error) error {
	s.syncing.Store(time.Now().UnixNano())
	defer s.syncing.Store(0)
	if s.beforeSync != nil {
		s.beforeSync()
	}
	return write()
}

// hangs tells whether something has waited for the disk for longer than a time.
func (s *store) hangs(limit time.Duration) bool {
	since := s.syncing.Load()
	return since != 0 && time.Since(time.Unix(0, since)) > limit
}

// DeleteRange cuts the log: behind a checkpoint, its end where the leader has
// other entries, or all of it after a snapshot. Behind a checkpoint what is
// still needed stays, and the last entry always does: a follower that has as
// much is told by its term what follows. A full disk only puts a cut off, but
// for that of everything, without which nothing can be appended.
func (s *store) DeleteRange(first, last uint64) error {
	if err := s.err(); err != nil {
		return err
	}
	begin, end, err := s.bounds()
	if err != nil {
		return s.fail(err)
	}
	all := first <= begin && last >= end
	if first <= begin && last < end {
		last = min(last, s.retention.floor(begin)) - 1
		if last < first {
			return nil
		}
	}
	if err := s.WAL.DeleteRange(first, last); err != nil {
		if isFull(err) && !all {
			return err
		}
		return s.fail(err)
	}
	s.forget(first, last)
	if all && s.isOvertaken() {
		return s.fail(errOvertaken)
	}
	return nil
}

// bounds are the first and the last index in the log, 0 if it is empty.
func (s *store) bounds() (first, last uint64, err error) {
	if first, err = s.FirstIndex(); err == nil {
		last, err = s.LastIndex()
	}
	return first, last, err
}

// holds tells whether the log has an entry of an index and a term.
func (s *store) holds(index, term uint64) bool {
	var entry raft.Log
	return s.GetLog(index, &entry) == nil && entry.Term == term
}

// installed notes that the state has gone on to an index by a snapshot. raft is
// going to remove the whole log.
func (s *store) installed(index uint64) error {
	_, last, err := s.bounds()
	if err != nil {
		return err
	}
	s.applied(index)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.overtaken = last > index
	return nil
}

func (s *store) isOvertaken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.overtaken
}

// Set keeps a value of raft's own: its term and vote.
func (s *store) Set(key, value []byte) error {
	return s.stable(s.timed(func() error { return s.WAL.Set(key, value) }))
}

// SetUint64 keeps a number of raft's own.
func (s *store) SetUint64(key []byte, value uint64) error {
	return s.stable(s.timed(func() error { return s.WAL.SetUint64(key, value) }))
}

// stable stops the store, and with it the calling goroutine, if err is one.
// raft panics when its term can't be kept, which would take the whole process
// along; its main goroutine, which is the one that calls, must not go on, but
// reads can.
func (s *store) stable(err error) error {
	if err != nil {
		_ = s.fail(err) // the log's owner hears of it through failed
		runtime.Goexit()
	}
	return nil
}

func (s *store) noteCommands(entries []*raft.Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, entry := range entries {
		if entry.Type == raft.LogCommand {
			s.commands = append(s.commands, entry.Index)
		}
	}
}

// applied forgets the commands up to an index.
func (s *store) applied(index uint64) { s.forget(0, index) }

// forget forgets commands that are applied or cut, from first to last.
func (s *store) forget(first, last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, _ := slices.BinarySearch(s.commands, first)
	to, _ := slices.BinarySearch(s.commands, last+1)
	s.commands = slices.Delete(s.commands, from, to)
}

// lastCommand is the highest index of a stored command, not above commit,
// that has not been applied; 0 if there is none.
func (s *store) lastCommand(commit uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := slices.BinarySearch(s.commands, commit+1)
	if n == 0 {
		return 0
	}
	return s.commands[n-1]
}

// isFull reports whether err is a full disk that refused a write. A sync that
// fails for want of space is not among it: what it did not write is lost to
// the page cache.
func isFull(err error) bool {
	var path *os.PathError
	if errors.As(err, &path) && path.Op == "sync" {
		return false
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
