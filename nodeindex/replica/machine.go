package replica

import (
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"cairn"
	"cairn/nodeindex"
)

// machine is the index as raft's state machine. It outlives the log that
// drives it: a log opened anew applies again what the index has, which does
// nothing.
type machine struct {
	index *nodeindex.Index

	mu    sync.Mutex // guards what follows
	store *store     // that of the present log
	// reached is the last index that the present log has brought.
	reached uint64
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

// Apply applies one command and returns its nodeindex.Result.
func (m *machine) Apply(entry *raft.Log) any {
	result := m.index.Apply(entry.Index, entry.Term, entry.Data)
	m.reach(entry.Index)
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
	return &frozenIndex{checkpoint: frozen}, nil
}

// Restore would install another replica's snapshot; a group of one voter has
// none to take it from.
func (m *machine) Restore(snapshot io.ReadCloser) error {
	return errNoInstall()
}

func errNoInstall() error {
	return cairn.Errorf(cairn.KindUnimplemented, "SNAPSHOT_INSTALL", "a group of one voter installs no snapshots")
}

// frozenIndex is a checkpoint as raft's snapshot.
type frozenIndex struct{ checkpoint *nodeindex.Checkpoint }

// Persist writes the checkpoint. The sink knows what it covers.
func (f *frozenIndex) Persist(sink raft.SnapshotSink) error {
	to, ok := sink.(*checkpointSink)
	if !ok {
		return errNoInstall()
	}
	err := f.checkpoint.Write(to.meta)
	to.outcome(err)
	return err
}

// Release gives up a checkpoint that was not written.
func (f *frozenIndex) Release() { f.checkpoint.Discard() }
