package replica

import (
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"cairn"
	"cairn/nodeindex"
	"cairn/nodeindex/durable"
)

// machine is the index as raft's state machine. It outlives the log that
// drives it: a log opened anew applies again what the index has, which does
// nothing.
type machine struct {
	index *nodeindex.Index
	disk  durable.Disk
	// installed, if it is there, is called when the index has gone on from a
	// snapshot.
	installed func()

	mu    sync.Mutex // guards what follows
	store *store     // that of the present log
	// reached is the last index that the present log has brought.
	reached uint64
	// installing: a snapshot is being installed, so no checkpoint begins to be
	// written. writing is closed when one that did is over, for raft too.
	installing bool
	writing    chan struct{}
}

func (m *machine) drivenBy(s *store) {
	m.mu.Lock()
	m.store, m.reached = s, 0
	m.mu.Unlock()
}

// reach notes that the present log has brought an index.
func (m *machine) reach(index uint64) {
	m.mu.Lock()
	m.reached = index
	m.mu.Unlock()
}

// caughtUp tells whether the present log has brought everything that the index
// has applied.
func (m *machine) caughtUp() bool {
	applied, _ := m.index.Position()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reached >= applied
}

func (m *machine) driver() *store {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.store
}

// Apply applies one command and returns its nodeindex.Result. That the log has
// brought it is noted first: what is applied is never beyond.
func (m *machine) Apply(entry *raft.Log) any {
	m.reach(entry.Index)
	var result nodeindex.Result
	_ = m.disk.Do(nodeindex.StepOf(entry.Data), durable.Memory, "", func() error { // which never fails
		result = m.index.Apply(entry.Index, entry.Term, entry.Data)
		return nil
	})
	m.driver().applied(entry.Index)
	return result
}

// StoreConfiguration hears of a change of the group, which is raft's to keep.
// That it is heard lets a checkpoint cover it.
func (m *machine) StoreConfiguration(index uint64, _ raft.Configuration) { m.reach(index) }

// Snapshot sets the applied state aside.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	frozen, err := m.index.Freeze()
	if err != nil {
		return nil, err
	}
	return &frozenIndex{machine: m, checkpoint: frozen}, nil
}

// Restore has the index go on from a snapshot that was received.
func (m *machine) Restore(snapshot io.ReadCloser) error {
	if wrapper, is := snapshot.(raft.ReadCloserWrapper); is {
		snapshot = wrapper.WrappedReadCloser()
	}
	received, is := snapshot.(*receivedSnapshot)
	if !is {
		return cairn.Errorf(cairn.KindInternal, "SNAPSHOT_SOURCE", "a snapshot to install that is a %T", snapshot)
	}
	m.beginInstall()
	defer m.endInstall()
	if err := m.index.Install(received.incoming); err != nil {
		return err
	}
	m.reach(received.meta.Index)
	if err := m.driver().installed(received.meta.Index); err != nil {
		return err
	}
	if m.installed != nil {
		m.installed()
	}
	return nil
}

// beginInstall waits until no checkpoint is being written. raft notes the index
// of one as that of the last snapshot when it is over; after an install that
// would be a step back, by which raft would take its log for shorter than what
// it has acknowledged.
func (m *machine) beginInstall() {
	m.mu.Lock()
	m.installing = true
	writing := m.writing
	m.mu.Unlock()
	if writing != nil {
		<-writing
	}
}

func (m *machine) endInstall() {
	m.mu.Lock()
	m.installing = false
	m.mu.Unlock()
}

// beginWriting is false while a snapshot is being installed.
func (m *machine) beginWriting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.installing {
		return false
	}
	m.writing = make(chan struct{})
	return true
}

// endCheckpoint ends what beginWriting began, if it did.
func (m *machine) endCheckpoint() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writing != nil {
		close(m.writing)
		m.writing = nil
	}
}

// frozenIndex is a checkpoint as raft's snapshot.
type frozenIndex struct {
	machine    *machine
	checkpoint *nodeindex.Checkpoint
}

// Persist writes the checkpoint. The sink knows what it covers. One that an
// installed snapshot has overtaken has not failed.
func (f *frozenIndex) Persist(sink raft.SnapshotSink) error {
	to, is := sink.(*snapshotSink)
	if !is {
		return cairn.Errorf(cairn.KindInternal, "SNAPSHOT_SINK", "a checkpoint to write to a %T", sink)
	}
	if !f.machine.beginWriting() {
		return cairn.Errorf(cairn.KindConflict, "CHECKPOINT_SUPERSEDED", "a snapshot is being installed")
	}
	err := f.checkpoint.Write(to.meta)
	if cairn.KindOf(err) != cairn.KindConflict {
		to.of.outcome(err)
	}
	return err
}

// Release gives up a checkpoint that was not written.
func (f *frozenIndex) Release() { f.checkpoint.Discard() }
