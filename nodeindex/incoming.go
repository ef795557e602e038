package nodeindex

import (
	"errors"
	"os"
	"path/filepath"

	"cairn/nodeindex/durable"

	"github.com/cespare/xxhash/v2"
	"go.etcd.io/bbolt"
)

// Incoming is a snapshot being received, a file beside the index's. It is for
// one goroutine. Finish or Discard must be called.
type Incoming struct {
	disk     durable.Disk
	path     string
	file     *os.File
	hash     *xxhash.Digest
	length   int64 // of what is written
	tail     []byte
	finished bool // and the file closed
	over     bool // discarded or installed: the name may be another's by now
	meta     CheckpointMeta
}

// incomingName is what a snapshot's file is called before it is installed.
const incomingName = FileName + ".incoming"

// Receive begins to receive a snapshot. There is one at a time: another that
// was begun before is overwritten.
func (x *Index) Receive() (*Incoming, error) {
	// Its own file, whatever may still be open of another.
	if err := x.removeIncoming(); err != nil {
		return nil, err
	}
	path := filepath.Join(x.dir, incomingName)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, storageError("receive snapshot", err)
	}
	return &Incoming{disk: x.options.Disk, path: path, file: file, hash: xxhash.New()}, nil
}

// Write takes more of the snapshot. The last bytes are kept back: they may be
// the trailer, which is not part of the file.
func (in *Incoming) Write(data []byte) (int, error) {
	pages := max(0, len(in.tail)+len(data)-trailerSize)
	held := min(pages, len(in.tail))
	for _, part := range [][]byte{in.tail[:held], data[:pages-held]} {
		_, _ = in.hash.Write(part) // never fails
		n, err := in.file.Write(part)
		if in.length += int64(n); err != nil {
			return 0, storageError("receive snapshot", err)
		}
	}
	in.tail = append(append(make([]byte, 0, trailerSize), in.tail[held:]...), data[pages-held:]...)
	return len(data), nil
}

// Finish ends the receiving, and returns what the snapshot covers. One that is
// not what was sent, or not an index file that could be served from, is
// KindCorrupt, and is discarded, as after any error.
func (in *Incoming) Finish() (CheckpointMeta, error) {
	err := in.disk.Sync(durable.Receive, in.file)
	if err = errors.Join(err, in.file.Close()); err != nil {
		err = storageError("receive snapshot", err)
	} else if string(in.tail) != string(sealTrailer(in.length, in.hash)) {
		err = corrupt("SNAPSHOT_DAMAGED", "a snapshot of %d bytes is not what was sent: its trailer does not fit", in.length+int64(len(in.tail)))
	} else {
		err = in.verify()
	}
	in.finished = true
	if err != nil {
		_ = in.Discard() // the error before matters more
		return CheckpointMeta{}, err
	}
	return in.meta, nil
}

// verify looks at the structure of the pages, which the sender copied without
// looking at them, and at everything that is loaded at a start.
func (in *Incoming) verify() error {
	options := Options{}.withDefaults()
	if err := verify(in.path, options); err != nil {
		return err
	}
	if err := CheckPages(in.path); err != nil {
		return inFile(in.path, err)
	}
	return withReadOnly(in.path, options, func(tx *bbolt.Tx) error {
		image, err := loadImage(tx)
		if err == nil {
			in.meta = image.meta
		}
		return err
	})
}

// Discard gives the snapshot up. After Install it does nothing.
func (in *Incoming) Discard() error {
	if in.over {
		return nil
	}
	in.over = true
	if !in.finished {
		in.finished = true
		_ = in.file.Close() // it is removed
	}
	return removeFile(in.path)
}

func (x *Index) removeIncoming() error { return removeFile(filepath.Join(x.dir, incomingName)) }

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return storageError("remove "+path, err)
	}
	return nil
}
