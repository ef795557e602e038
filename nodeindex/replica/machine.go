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

	mu    sync.Mutex // guards store
	store *store     // that of the present log
}

func (m *machine) drivenBy(s *store) {
	m.mu.Lock()
	m.store = s
	m.mu.Unlock()
}

func (m *machine) driver() *store {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.store
}

// Apply applies one command and returns its nodeindex.Result.
func (m *machine) Apply(entry *raft.Log) any {
	result := m.index.Apply(entry.Index, entry.Term, entry.Data)
	m.driver().applied(entry.Index)
	return result
}

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
