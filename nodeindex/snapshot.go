package nodeindex

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"

	"cairn/nodeindex/durable"

	"github.com/cespare/xxhash/v2"
	"go.etcd.io/bbolt"
)

// A snapshot is a copy of the index's file as one checkpoint left it, and
// behind its pages a trailer: a name with a version, the length of the pages,
// and the xxHash64 of all that is before it. bbolt and Check read a snapshot as
// it is; they look at the pages only.

const (
	trailerName = "cairn snapshot 1"
	trailerSize = len(trailerName) + 8 + 8
)

// sealTrailer is the trailer of pages that were hashed.
func sealTrailer(length int64, hash *xxhash.Digest) []byte {
	trailer := binary.BigEndian.AppendUint64([]byte(trailerName), uint64(length))
	_, _ = hash.Write(trailer) // never fails
	return binary.BigEndian.AppendUint64(trailer, hash.Sum64())
}

// checkSnapshot reads a snapshot of a size, and refuses one that its trailer does
// not fit.
func checkSnapshot(file io.ReaderAt, size int64) error {
	pages := size - int64(trailerSize)
	hash := xxhash.New()
	if _, err := io.Copy(hash, io.NewSectionReader(file, 0, pages)); err != nil {
		return err
	}
	trailer := make([]byte, trailerSize)
	if _, err := file.ReadAt(trailer, pages); err != nil {
		return err
	}
	if string(trailer) != string(sealTrailer(pages, hash)) {
		return corrupt("SNAPSHOT_DAMAGED", "a snapshot of %d bytes is not what was written: its trailer does not fit", size)
	}
	return nil
}

// Snapshot is what WriteSnapshot wrote.
type Snapshot struct {
	CheckpointMeta
	// Bytes is the size of the file.
	Bytes int64
}

// WriteSnapshot writes the state of the last checkpoint to a file, whole and
// synced or not at all; one that is there is replaced. It takes as long as the
// disk does, in which everything else goes on; pages that checkpoints free
// meanwhile are not used again until it is over. Any goroutine may call it.
// Errors: KindExhausted (DISK_FULL), KindUnavailable (STORAGE_FAILED, CLOSED,
// also after Interrupt), KindCorrupt.
func (x *Index) WriteSnapshot(path string) (Snapshot, error) {
	for tries := 0; ; tries++ {
		snapshot, err := x.writeSnapshot(path, tries == copyTries)
		if !errors.Is(err, errGiveWay) {
			return snapshot, err
		}
	}
}

// copyTries is how often a snapshot gives way to a checkpoint that has to grow
// the file's map. The next one has checkpoints wait.
const copyTries = 3

// errGiveWay ends a copy that something waits for.
var errGiveWay = errors.New("the copy gives way")

// copies are the copies of the file being made, each with a read transaction
// that the file's map can't grow beside. All of it but the end of a copy is
// done with Index.writing held.
type copies struct {
	asked   chan struct{} // closed to have those under way give way
	running sync.WaitGroup
}

func (c *copies) begin() (asked <-chan struct{}) {
	if c.asked == nil {
		c.asked = make(chan struct{})
	}
	c.running.Add(1)
	return c.asked
}

func (c *copies) end() { c.running.Done() }

// giveWay ends the copies under way and waits for them. Later ones wait for
// Index.writing.
func (c *copies) giveWay() {
	if c.asked != nil {
		close(c.asked)
		c.running.Wait()
		c.asked = nil
	}
}

// writeSnapshot is one try. Alone, it keeps checkpoints waiting.
func (x *Index) writeSnapshot(path string, alone bool) (snapshot Snapshot, err error) {
	tx, asked, end, err := x.beginCopy(alone)
	if err != nil {
		return snapshot, storageError("write snapshot", err)
	}
	defer end()
	defer panicOnFault(&err)()
	if snapshot.CheckpointMeta, err = loadCheckpoint(tx); err != nil {
		return snapshot, err
	}
	unfinished := path + unfinishedTag
	file, err := os.OpenFile(unfinished, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return snapshot, storageError("write snapshot", err)
	}
	snapshot.Bytes, err = copyPages(tx, &copyWriter{file: interruptible{file, x}, hash: xxhash.New(), asked: asked})
	if err == nil {
		err = x.options.Disk.Sync(durable.Snapshot, file)
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = x.options.Disk.Publish(durable.Snapshot, unfinished, path)
	}
	if err != nil {
		_ = os.Remove(unfinished) // the error before matters more
		if errors.Is(err, errGiveWay) {
			return snapshot, errGiveWay
		}
		return snapshot, storageError("write snapshot", err)
	}
	return snapshot, nil
}

// beginCopy begins a transaction of the file as the last checkpoint left it.
// It is ended by end.
func (x *Index) beginCopy(alone bool) (tx *bbolt.Tx, asked <-chan struct{}, end func(), err error) {
	x.writing.Lock()
	if err = x.settle(); err == nil {
		tx, err = x.db.Begin(false)
	}
	if err != nil {
		x.writing.Unlock()
		return nil, nil, nil, err
	}
	over := x.writing.Unlock
	if !alone {
		asked, over = x.copies.begin(), x.copies.end
		x.writing.Unlock()
	}
	return tx, asked, func() {
		_ = tx.Rollback() // of a read transaction: it can't fail
		over()
	}, nil
}

// copyPages writes the pages of a transaction and the trailer, and returns how
// many bytes that are.
func copyPages(tx *bbolt.Tx, to *copyWriter) (int64, error) {
	length, err := tx.WriteTo(to)
	if to.err != nil {
		return 0, to.err // bbolt keeps errors as text
	}
	if err != nil {
		return 0, err
	}
	n, err := to.file.Write(sealTrailer(length, to.hash))
	return length + int64(n), err
}

// copyWriter writes to a file, and hashes, until it is asked to give way.
type copyWriter struct {
	file  interruptible
	hash  *xxhash.Digest
	asked <-chan struct{}
	err   error // of the write that failed
}

func (w *copyWriter) Write(data []byte) (n int, err error) {
	select {
	case <-w.asked:
		err = errGiveWay
	default:
		_, _ = w.hash.Write(data) // never fails
		n, err = w.file.Write(data)
	}
	w.err = err
	return n, err
}
