package nodeindex

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	"go.etcd.io/bbolt"

	"cairn"
	"cairn/nodeindex/durable"
)

// An index that goes on from a backup, or from what one replica of several had,
// has lost what was acknowledged after that. So that nothing old passes for new,
// its log goes on at an index that none before it has reached, and the file
// keeps which indexes it jumped over: who holds a token of one of those is told
// that it is lost.

// Gap is a stretch of a log that is lost: the indexes between both ends, which
// are not in it.
type Gap struct {
	// From is the last index that is not lost, To the one that the log went on
	// with.
	From, To uint64
}

func (g Gap) contains(index uint64) bool { return g.From < index && index < g.To }

func (g Gap) String() string { return fmt.Sprintf("those after log index %d, before %d", g.From, g.To) }

// metaGaps is under what bucketMeta keeps the gaps, ascending.
var metaGaps = []byte("gaps")

func putGaps(tx *bbolt.Tx, gaps []Gap) error {
	out := binary.AppendUvarint(nil, uint64(len(gaps)))
	for _, g := range gaps {
		out = binary.AppendUvarint(out, g.From)
		out = binary.AppendUvarint(out, g.To)
	}
	return tx.Bucket(bucketMeta).Put(metaGaps, seal(out))
}

// loadGaps reads what putGaps wrote; a file that was never rebased has none.
func loadGaps(tx *bbolt.Tx) (gaps []Gap, err error) {
	sealed := tx.Bucket(bucketMeta).Get(metaGaps)
	if sealed == nil {
		return nil, nil
	}
	value, ok := unseal(sealed)
	d := decoder{rest: value}
	for range d.count(2) {
		gaps = append(gaps, Gap{From: d.uvarint(), To: d.uvarint()})
	}
	if !ok || !d.done() {
		return nil, corrupt("META_DAMAGED", "which log indexes are lost is not what was written")
	}
	return gaps, nil
}

// Lost is nil, or KindCorrupt (DATA_LOSS) for a log index that was jumped over:
// what was acknowledged with it is not here and never will be.
func (x *Index) Lost(index uint64) error {
	s := x.state.Load()
	if s == nil {
		return errClosed
	}
	for _, g := range s.gaps {
		if g.contains(index) {
			return cairn.Errorf(cairn.KindCorrupt, "DATA_LOSS",
				"the index was restored, and writes after log index %d are lost; asked for one of index %d: read again without the token to see what there is", g.From, index)
		}
	}
	return nil
}

// Rebase has the file go on at a later log index, as the beginning of a log of
// its own, and notes what lies between as lost. meta is what the file covers
// from then on. The index must then be closed and opened again; one that has
// applied anything that is in no checkpoint is refused with KindInternal.
// Errors are those of Checkpoint.Write.
func (x *Index) Rebase(meta CheckpointMeta) error {
	x.writing.Lock()
	defer x.writing.Unlock()
	s := x.state.Load()
	if s == nil {
		return errClosed
	}
	before := x.Checkpointed()
	if applied, _ := x.Position(); applied != before.Index || meta.Index <= before.Index {
		return cairn.Errorf(cairn.KindInternal, "REBASE_INDEX",
			"an index with a checkpoint of log index %d that has applied %d can't go on at %d", before.Index, applied, meta.Index)
	}
	rebase := func(tx *bbolt.Tx) error {
		if err := putGaps(tx, append(slices.Clone(s.gaps), Gap{From: before.Index, To: meta.Index})); err != nil {
			return err
		}
		if err := putCheckpoint(tx, meta); err != nil {
			return err
		}
		return markInstalled(tx)
	}
	err := x.options.Disk.Commit(durable.Rebase, x.db.Path(), func() error { return x.db.Update(rebase) })
	x.shut() // what it serves is not what is in the file
	if err != nil {
		return storageError("rebase index", err)
	}
	return nil
}

// CheckpointOf is what the checkpoint in the file of a directory covers.
// KindNotFound (INDEX_MISSING) where there is none; else errors are those of
// Open.
func CheckpointOf(dir string) (meta CheckpointMeta, err error) {
	path := indexPath(dir)
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return meta, cairn.Errorf(cairn.KindNotFound, "INDEX_MISSING", "there is no index in %s", dir)
	}
	options := Options{}.withDefaults()
	if err := verify(path, options); err != nil {
		return meta, err
	}
	return meta, withReadOnly(path, options, func(tx *bbolt.Tx) (err error) {
		meta, err = loadCheckpoint(tx)
		return err
	})
}
