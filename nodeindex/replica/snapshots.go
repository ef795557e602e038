package replica

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/hashicorp/raft"

	"cairn"
	"cairn/nodeindex"
)

// snapshotStore is raft's view of the checkpoints. There is one, in the
// index's own file, and its metadata are in that same transaction; so this
// keeps nothing.
type snapshotStore struct {
	index *nodeindex.Index
	// outcome is told how each checkpoint ended; raft keeps errors as text.
	outcome func(error)
}

// Create begins a checkpoint.
func (s *snapshotStore) Create(_ raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	encoded := binary.BigEndian.AppendUint64(nil, configurationIndex)
	encoded = append(encoded, raft.EncodeConfiguration(configuration)...)
	meta := nodeindex.CheckpointMeta{Index: index, Term: term, Configuration: encoded}
	return &checkpointSink{meta: meta, outcome: s.outcome}, nil
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

// Open would read a checkpoint for another replica.
func (s *snapshotStore) Open(string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	return nil, nil, errNoInstall()
}

// checkpointSink carries a checkpoint's metadata to where it is written.
type checkpointSink struct {
	meta    nodeindex.CheckpointMeta
	outcome func(error)
}

func (s *checkpointSink) ID() string                { return snapshotID(s.meta) }
func (s *checkpointSink) Write([]byte) (int, error) { return 0, errNoInstall() }
func (s *checkpointSink) Close() error              { return nil }
func (s *checkpointSink) Cancel() error             { return nil }
