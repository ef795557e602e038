package etcdstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

const (
	// A journal is written anew when its changes outgrow its snapshot, and not
	// below this many bytes.
	compactBytes = 1 << 20
	// What waits for the disk is bounded: beyond this a snapshot is cheaper.
	maxQueued = 64 << 20
	// How often the journal notes that its Map is current.
	proveJournalEvery = time.Minute
	// snapshotFrame is how many records a frame of a snapshot has.
	snapshotFrame = 1_000
)

// journal is the file that the last Map is kept in. The goroutine that follows
// etcd hands it changes and never waits; run writes them. It is a copy of what
// etcd has, so that appending is not synced: a crash costs its newest changes.
type journal struct {
	path   string
	failed func(error)

	mu       sync.Mutex
	queue    []byte    // frames that wait to be written
	snapshot *snapshot // to be written before queue
	want     bool      // a snapshot is wanted at the next change
	handed   uint64    // the revision up to which changes were handed over
	noted    time.Time // when the Map was last noted to be current
	kick     chan struct{}

	// Only run uses these.
	file     *os.File
	size     int64 // of the file
	snapshed int64 // of its snapshot
}

// snapshot is everything a journal is to begin with.
type snapshot struct {
	current *shardmap.Map
	hidden  []record
	time    time.Time
}

// openJournal reads the journal at path. It never fails: what is wrong is told
// to failed, and a foreign file makes it return no journal, so that it is not
// written to. j is nil where there is no Map to start from.
func openJournal(path string, failed func(error)) (*journal, *journaled) {
	if failed == nil {
		failed = func(error) {}
	}
	w := &journal{path: path, failed: failed, kick: make(chan struct{}, 1)}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return w, nil
	}
	if err != nil {
		failed(journalError("open", path, err))
		return w, nil
	}
	defer file.Close()
	j, err := readJournal(file)
	if err != nil {
		failed(journalError("read", path, err))
	}
	if errors.Is(err, errForeign) {
		return nil, nil
	}
	return w, j
}

func journalError(op, path string, err error) error {
	kind := cairn.KindOf(err)
	if kind == cairn.KindInternal {
		kind = cairn.KindUnavailable // of the file system
	}
	e := cairn.Errorf(kind, "JOURNAL_FAILED", "%s: %w", path, err)
	e.Op = op + " the map journal"
	return e
}

// rewrite has the journal begin anew.
func (w *journal) rewrite(begin *snapshot) {
	w.mu.Lock()
	w.snapshot, w.queue, w.want = begin, nil, false
	w.handed = begin.current.Revision()
	w.mu.Unlock()
	w.wake()
}

// append has a change appended. It answers whether a snapshot is wanted
// instead; the change is in it.
func (w *journal) append(revision uint64, records []record) (wantSnapshot bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handed = revision
	if len(records) == 0 {
		return false
	}
	if len(w.queue) > maxQueued {
		w.want = true
	}
	if w.want {
		return true
	}
	w.queue = appendFrame(w.queue, framed(revision, records))
	w.wake()
	return false
}

// proven notes, now and then, that the Map of a revision was current, unless
// what led to it has yet to be handed over.
func (w *journal) proven(revision uint64, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if revision > w.handed || at.Sub(w.noted) < proveJournalEvery {
		return
	}
	w.noted = at
	w.queue = appendFrame(w.queue, frame{Time: at.UnixNano()})
	w.wake()
}

func (w *journal) wake() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// run writes what is handed over, until ctx ends.
func (w *journal) run(ctx context.Context) {
	for {
		select {
		case <-w.kick:
			w.flush()
		case <-ctx.Done():
			return
		}
	}
}

// flush writes what waits. After an error the file is left alone until a new
// snapshot replaces it.
func (w *journal) flush() {
	w.mu.Lock()
	begin, queue := w.snapshot, w.queue
	w.snapshot, w.queue = nil, nil
	w.mu.Unlock()
	if begin != nil {
		if err := w.begin(begin); err != nil {
			w.fail("write", err)
			return
		}
	}
	if w.file == nil || len(queue) == 0 {
		return
	}
	n, err := w.file.Write(queue)
	w.size += int64(n)
	if err != nil {
		w.fail("append to", err)
		return
	}
	if changes := w.size - w.snapshed; changes > max(compactBytes, w.snapshed) {
		w.mu.Lock()
		w.want = true
		w.mu.Unlock()
	}
}

// fail gives the file up: a frame may be torn in its middle, and nothing may
// follow it.
func (w *journal) fail(op string, err error) {
	if w.file != nil {
		_ = w.file.Close() // the error that led here is the one to tell
		w.file = nil
	}
	w.mu.Lock()
	w.want = true
	w.mu.Unlock()
	w.failed(journalError(op, w.path, err))
}

// begin replaces the file by one that begins with a snapshot.
func (w *journal) begin(from *snapshot) error {
	temporary := w.path + ".tmp"
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	size, err := from.write(file)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(temporary, w.path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(w.path))
	}
	if err != nil {
		_ = file.Close()
		_ = os.Remove(temporary)
		return err
	}
	if w.file != nil {
		_ = w.file.Close() // nobody reads it any more
	}
	w.file, w.size, w.snapshed = file, size, size
	return nil
}

// close writes what waits and closes the file. run must have ended.
func (w *journal) close() error {
	w.flush()
	if w.file == nil {
		return nil
	}
	err := errors.Join(w.file.Sync(), w.file.Close())
	w.file = nil
	if err != nil {
		return journalError("close", w.path, err)
	}
	return nil
}

// write writes the header and the snapshot, and returns their size.
func (s *snapshot) write(to io.Writer) (size int64, err error) {
	put := func(f frame) {
		if err != nil {
			return
		}
		var n int
		n, err = to.Write(appendFrame(nil, f))
		size += int64(n)
	}
	put(frame{Journal: journalForm})
	revision := s.current.Revision()
	var records []record
	add := func(r record) {
		if records = append(records, r); len(records) >= snapshotFrame {
			put(framed(revision, records))
			records = nil
		}
	}
	for _, c := range s.current.Catalog().Clusters() {
		add(record{clustersFolder + c.Name, catalog.EncodeCluster(c), c.Revision})
	}
	for _, k := range s.current.Catalog().Keyspaces() {
		add(record{keyspacesFolder + k.Name, catalog.EncodeKeyspace(k), k.ModRevision})
	}
	for _, move := range s.current.Moves() {
		add(record{moveKey(move.UID), encodeMove(move), move.Revision})
	}
	if settings := s.current.Settings(); settings.Revision > 0 {
		add(record{settingsKey, encodeSettings(settings), settings.Revision})
	}
	for _, k := range s.current.Catalog().Keyspaces() {
		for shard := range s.current.Shards(k.UID) {
			add(record{shardKey(generation{k.UID, k.Generation}, shard.ID), encodeShard(shard), shard.Revision})
		}
	}
	for _, v := range s.current.Catalog().Views() {
		add(record{viewsFolder + v.Name, catalog.EncodeView(v), v.Revision})
	}
	for _, r := range s.hidden {
		add(r)
	}
	last := framed(revision, records)
	last.Time, last.Complete = s.time.UnixNano(), true
	put(last)
	return size, err
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// journalAppend hands a change to the journal.
func (s *Store) journalAppend(state *state, records []record) {
	if s.journal != nil && s.journal.append(state.current.Revision(), records) {
		s.journalRewrite(state)
	}
}

// journalRewrite has the journal begin anew with a state.
func (s *Store) journalRewrite(state *state) {
	if s.journal != nil {
		s.journal.rewrite(&snapshot{state.current, state.hiddenRecords(), s.config.Now()})
	}
}
