package replica

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"

	"cairn"
	"cairn/nodeindex"
	"cairn/nodeindex/durable"
)

// Restart makes the index file in config.Dir, which has no log, the beginning of
// a new group of this replica alone, whose log goes on at an index: that of a
// checkpoint of the new log. What the file lacks below it is lost, and the index
// says so. One that has got there already is left as it is, so that doing it
// again after a crash is harmless.
//
// KindPrecondition (LOG_PRESENT): the directory has a log. Else errors are those
// of Open.
func Restart(config Config, index uint64) error {
	config, err := config.completed()
	if err != nil {
		return err
	}
	before, err := nodeindex.CheckpointOf(config.Dir)
	if err != nil {
		return err
	}
	if before.Index >= index {
		return nil
	}
	// The log first: with the term that the file is going to be of. A log that
	// is lost later does not know it.
	term := before.Term + 1
	if err := beginLog(config, term); err != nil {
		return err
	}
	x, err := nodeindex.Open(config.Dir, config.Index)
	if err != nil {
		return err
	}
	group := raft.Configuration{Servers: []raft.Server{{
		Suffrage: raft.Voter, ID: raft.ServerID(config.ID), Address: raft.ServerAddress(config.Address),
	}}}
	err = x.Rebase(nodeindex.CheckpointMeta{Index: index, Term: term, Configuration: encodeConfiguration(group, index)})
	return errors.Join(err, x.Close())
}

// beginLog makes an empty log that knows a term.
func beginLog(config Config, term uint64) error {
	dir := filepath.Join(config.Dir, "log")
	s, err := openStore(config, dir)
	if err != nil {
		return err
	}
	_, last, err := s.bounds()
	switch {
	case err != nil:
		err = cairn.Errorf(cairn.KindCorrupt, "LOG_BROKEN", "%w", err)
	case last > 0:
		err = cairn.Errorf(cairn.KindPrecondition, "LOG_PRESENT", "%s has a log, up to index %d, so it is not what a restore made", config.Dir, last)
	default:
		// Not as raft would: a failure would end this goroutine.
		if err = s.WAL.SetUint64(keyCurrentTerm, term); err != nil {
			err = storageFailed(err)
		}
	}
	return errors.Join(err, s.close())
}

// encodeConfiguration is a group as a checkpoint keeps it, as of a log index.
func encodeConfiguration(group raft.Configuration, index uint64) []byte {
	return append(binary.BigEndian.AppendUint64(nil, index), raft.EncodeConfiguration(group)...)
}

// Recovered is what Recover made of a directory.
type Recovered struct {
	// Checkpoint is the log index that the index's file held, Last the one that
	// its log ends with.
	Checkpoint, Last uint64
	// Entries is how many of the log were applied.
	Entries int
}

// Recover applies all that the log in config.Dir holds to the index beside it,
// and removes the log. Whether the last entries were ever agreed on is not
// known: that takes a majority, and this is for when there is none. It must be a
// copy of the directory, which nobody else has open.
func Recover(config Config) (out Recovered, err error) {
	config, err = config.completed()
	if err != nil {
		return out, err
	}
	x, err := nodeindex.Open(config.Dir, config.Index)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	out.Checkpoint = x.Checkpointed().Index
	dir := filepath.Join(config.Dir, "log")
	s, err := openStore(config, dir)
	if err != nil {
		return out, err
	}
	last, err := replay(s, x, config, &out)
	if err = errors.Join(err, s.close()); err != nil {
		return out, err
	}
	if err := writeAll(x, last); err != nil {
		return out, err
	}
	disk := config.Index.Disk
	err = disk.Do(durable.Recovered, durable.Remove, dir, func() error { return os.RemoveAll(dir) })
	if err == nil {
		err = disk.SyncDir(durable.Recovered, config.Dir)
	}
	if err != nil {
		return out, storageFailed(err)
	}
	return out, nil
}

// replay applies what a log holds beyond the index's checkpoint.
func replay(s *store, x *nodeindex.Index, config Config, out *Recovered) (last nodeindex.CheckpointMeta, err error) {
	last = x.Checkpointed()
	out.Last = last.Index
	if err := continueFrom(s, last, config.Logger); err != nil {
		return last, err
	}
	_, end, err := s.bounds()
	if err != nil {
		return last, cairn.Errorf(cairn.KindCorrupt, "LOG_BROKEN", "%w", err)
	}
	for index := last.Index + 1; index <= end; index++ {
		var entry raft.Log
		if err := s.GetLog(index, &entry); err != nil {
			return last, cairn.Errorf(cairn.KindCorrupt, "LOG_BROKEN", "entry %d of the log: %w", index, err)
		}
		if entry.Type == raft.LogCommand {
			x.Apply(entry.Index, entry.Term, entry.Data)
			out.Entries++
		}
		last.Index, last.Term, out.Last = entry.Index, entry.Term, entry.Index
	}
	return last, nil
}

// writeAll writes a checkpoint of everything applied.
func writeAll(x *nodeindex.Index, meta nodeindex.CheckpointMeta) error {
	if meta.Index == x.Checkpointed().Index {
		return nil
	}
	frozen, err := x.Freeze()
	if err != nil {
		return err
	}
	return frozen.Write(meta)
}
