package replica

import (
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"sync"

	"github.com/hashicorp/raft"

	"cairn"
	"cairn/nodeindex"
)

// snapshotStore is raft's view of the checkpoints. There is one, in the
// index's own file, and its metadata are in that same transaction; so this
// keeps nothing but what is on its way to or from another replica.
type snapshotStore struct {
	config  Config
	index   *nodeindex.Index
	store   *store
	sending *sending
	// outcome is told how each checkpoint ended; raft keeps errors as text.
	outcome func(error)

	mu       sync.Mutex        // guards received
	received *receivedSnapshot // and to be installed next
}

func newSnapshotStore(config Config, index *nodeindex.Index, s *store, outcome func(error)) (*snapshotStore, error) {
	sending, err := newSending(config, index, s.retention)
	if err != nil {
		return nil, err
	}
	return &snapshotStore{config: config, index: index, store: s, sending: sending, outcome: outcome}, nil
}

// Create begins a checkpoint, or a snapshot from another replica: which of
// both, it turns out when something is written to it.
func (s *snapshotStore) Create(_ raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	encoded := encodeConfiguration(configuration, configurationIndex)
	return &snapshotSink{of: s, meta: nodeindex.CheckpointMeta{Index: index, Term: term, Configuration: encoded}}, nil
}

// List names the last durable checkpoint, if there is one.
func (s *snapshotStore) List() ([]*raft.SnapshotMeta, error) {
	meta := s.index.Checkpointed()
	if meta.Index == 0 {
		return nil, nil
	}
	as, err := snapshotMeta(meta)
	if err != nil {
		return nil, err
	}
	return []*raft.SnapshotMeta{as}, nil
}

// snapshotMeta is a checkpoint's metadata as raft's.
func snapshotMeta(meta nodeindex.CheckpointMeta) (out *raft.SnapshotMeta, err error) {
	if len(meta.Configuration) < 8 {
		return nil, cairn.Errorf(cairn.KindCorrupt, "CONFIGURATION_BROKEN", "the checkpoint's raft configuration has %d bytes", len(meta.Configuration))
	}
	defer func() {
		// raft.DecodeConfiguration panics over what it can't read.
		if broken := recover(); broken != nil {
			err = cairn.Errorf(cairn.KindCorrupt, "CONFIGURATION_BROKEN", "the checkpoint's raft configuration: %v", broken)
		}
	}()
	return &raft.SnapshotMeta{
		Version: raft.SnapshotVersionMax, ID: snapshotID(meta), Index: meta.Index, Term: meta.Term,
		Configuration:      raft.DecodeConfiguration(meta.Configuration[8:]),
		ConfigurationIndex: binary.BigEndian.Uint64(meta.Configuration),
	}, nil
}

func snapshotID(meta nodeindex.CheckpointMeta) string {
	return fmt.Sprintf("%d-%d", meta.Term, meta.Index)
}

// Open is the snapshot that was received by that name, for Restore, or one of
// the last checkpoint, which may be later than the named, for another replica.
func (s *snapshotStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	received := s.received
	if received != nil && received.meta.ID == id {
		s.received = nil
		s.mu.Unlock()
		return received.meta, received, nil
	}
	s.mu.Unlock()
	return s.sending.open()
}

// snapshotSink carries a checkpoint's metadata to where it is written, or takes
// in a snapshot.
type snapshotSink struct {
	of   *snapshotStore
	meta nodeindex.CheckpointMeta
	// incoming is what is received; nil for a checkpoint.
	incoming  *nodeindex.Incoming
	unchecked int // bytes since the disk was looked at
}

// ID is the snapshot's name here. A received one is never taken for one of our
// own.
func (s *snapshotSink) ID() string {
	if s.incoming != nil {
		return "received-" + snapshotID(s.meta)
	}
	return snapshotID(s.meta)
}

// checkEvery is after how many received bytes the disk is looked at again.
const checkEvery = 16 << 20

// Write takes in more of a snapshot. The disk's reserve is not for it.
func (s *snapshotSink) Write(data []byte) (_ int, err error) {
	if s.incoming == nil {
		if s.incoming, err = s.of.index.Receive(); err != nil {
			return 0, err
		}
		s.unchecked = checkEvery
	}
	if s.unchecked += len(data); s.unchecked >= checkEvery {
		s.unchecked = 0
		if err := s.of.config.room(0); err != nil {
			return 0, err
		}
	}
	return s.incoming.Write(data)
}

// Close ends the sink. A snapshot is refused if it is not what was announced,
// or if the log has all of it: what it has beyond may have been acknowledged,
// and raft would remove that too.
func (s *snapshotSink) Close() error {
	if s.incoming == nil {
		return nil
	}
	got, err := s.incoming.Finish()
	if err != nil {
		return err
	}
	switch {
	case got.Index != s.meta.Index || got.Term != s.meta.Term:
		err = cairn.Errorf(cairn.KindCorrupt, "SNAPSHOT_OTHER", "a snapshot of index %d and term %d was announced as of %d and %d",
			got.Index, got.Term, s.meta.Index, s.meta.Term)
	case s.of.store.holds(got.Index, got.Term):
		err = cairn.Errorf(cairn.KindConflict, "SNAPSHOT_OLDER", "the log goes on from the snapshot's index %d already", got.Index)
	}
	var as *raft.SnapshotMeta
	if err == nil {
		as, err = snapshotMeta(got)
	}
	if err != nil {
		_ = s.incoming.Discard() // the error before matters more
		return err
	}
	as.ID = s.ID()
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.received = &receivedSnapshot{incoming: s.incoming, meta: as}
	return nil
}

// Cancel gives up what was received.
func (s *snapshotSink) Cancel() error {
	if s.incoming == nil {
		return nil
	}
	return s.incoming.Discard()
}

// receivedSnapshot is a snapshot as raft hands it to Restore, which knows it
// again.
type receivedSnapshot struct {
	incoming *nodeindex.Incoming
	meta     *raft.SnapshotMeta
}

func (*receivedSnapshot) Read([]byte) (int, error) { return 0, io.EOF }

// Close discards what has not been installed.
func (r *receivedSnapshot) Close() error { return r.incoming.Discard() }

// room refuses to write so many bytes, where these and the reserve are not
// free.
func (c *Config) room(bytes uint64) error {
	free, err := c.FreeSpace(c.Dir)
	if err == nil && free < c.DiskReserve+bytes {
		return cairn.Errorf(cairn.KindExhausted, "DISK_FULL", "a snapshot would take the disk of %s below its reserve: %s free of %s",
			filepath.Clean(c.Dir), bytesText(free), bytesText(c.DiskReserve+bytes))
	}
	return nil // a disk that can't tell says so itself when it is full
}
