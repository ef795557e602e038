package replica

import (
	"log/slog"

	"cairn"
	"cairn/nodeindex"
)

// keyCurrentTerm is under what raft keeps its term.
var keyCurrentTerm = []byte("CurrentTerm")

// continueFrom refuses a log that does not go on where the checkpoint ends:
// acknowledged writes are missing from it. Where the checkpoint is a snapshot
// that was installed, a log that does not go on from it is what the snapshot
// took the place of: a crash came before its removal. It is removed now.
func continueFrom(s *store, checkpoint nodeindex.CheckpointMeta, logger *slog.Logger) error {
	first, last, err := s.bounds()
	if err != nil {
		return cairn.Errorf(cairn.KindCorrupt, "LOG_BROKEN", "%w", err)
	}
	if checkpoint.Installed {
		term, err := s.GetUint64(keyCurrentTerm)
		if err != nil {
			return cairn.Errorf(cairn.KindCorrupt, "LOG_BROKEN", "%w", err)
		}
		// Installing came after the term was kept, so this log knows of it, or
		// is not the one that was here.
		if term >= checkpoint.Term && first != checkpoint.Index+1 && !s.holds(checkpoint.Index, checkpoint.Term) {
			return discard(s, first, last, checkpoint, logger)
		}
	}
	if last < checkpoint.Index || first > checkpoint.Index+1 {
		return cairn.Errorf(cairn.KindCorrupt, "LOG_MISSING",
			"the log holds the entries %d to %d, and the index's checkpoint ends with %d: a part of the log is lost; restore the directory from a backup",
			first, last, checkpoint.Index)
	}
	return nil
}

// discard removes a log that a snapshot took the place of.
func discard(s *store, first, last uint64, checkpoint nodeindex.CheckpointMeta, logger *slog.Logger) error {
	if last == 0 {
		return nil
	}
	logger.Warn("the log is removed: a snapshot that was installed took its place", "first", first, "last", last, "snapshot", checkpoint.Index)
	if err := s.DeleteRange(first, last); err != nil {
		if isFull(err) {
			return cairn.Errorf(cairn.KindExhausted, "DISK_FULL", "removing a log that a snapshot took the place of: %w", err)
		}
		return cairn.Errorf(cairn.KindCorrupt, "LOG_BROKEN", "removing a log that a snapshot took the place of: %w", err)
	}
	return nil
}
