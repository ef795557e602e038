package nodeindex

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"os"
	"syscall"
	"time"

	bbolterrors "go.etcd.io/bbolt/errors"
)

// checkHeader looks at a file's two meta pages (the layout is that of bbolt's
// file format 2) before bbolt does. bbolt uses whichever page is whole, and so
// would take a file whose newer page is damaged back to the checkpoint before,
// behind which the log may be gone already; and it maps the file without
// asking whether all pages are in it, so that a truncated one ends the process
// at the first page that is missing.
//
// It waits up to a timeout for a process that has the file open to write
// (bbolt's ErrTimeout), for a header being written might look damaged.
func checkHeader(path string, timeout time.Duration) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // nothing was written; it unlocks too
	if err := lockShared(file, timeout); err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	newest, err := readNewestMeta(file)
	if err != nil {
		return err
	}
	if needed := newest.pages * uint64(newest.pageSize); uint64(info.Size()) < needed {
		return corrupt("FILE_TRUNCATED", "the file has %d bytes and should have %d", info.Size(), needed)
	}
	return nil
}

// lockShared takes the lock that bbolt takes, for reading.
func lockShared(file *os.File, timeout time.Duration) error {
	const pause = 20 * time.Millisecond
	for deadline := time.Now().Add(timeout); ; time.Sleep(pause) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if time.Now().After(deadline) {
			return bbolterrors.ErrTimeout
		}
	}
}

// metaPage is what matters here of one.
type metaPage struct {
	pageSize       uint32
	root, freelist uint64 // pages
	pages          uint64 // the high-water mark
	txid           uint64
}

// readNewestMeta is the later of both meta pages. Both must be whole.
func readNewestMeta(file io.ReaderAt) (metaPage, error) {
	first, err := readMetaPage(file, 0)
	if err != nil {
		return metaPage{}, err
	}
	second, err := readMetaPage(file, int64(first.pageSize))
	if err != nil {
		return metaPage{}, err
	}
	if first.pageSize != second.pageSize {
		return metaPage{}, corrupt("FILE_DAMAGED", "the two meta pages differ in the size of a page")
	}
	if second.txid > first.txid {
		return second, nil
	}
	return first, nil
}

func readMetaPage(file io.ReaderAt, at int64) (metaPage, error) {
	const (
		pageHeader = 16
		checked    = 56 // bytes under the checksum
		magic      = 0xED0CDAED
		version    = 2
	)
	var page [pageHeader + checked + 8]byte
	if _, err := file.ReadAt(page[:], at); err != nil {
		if err == io.EOF {
			return metaPage{}, corrupt("FILE_TRUNCATED", "the file ends within its header")
		}
		return metaPage{}, err
	}
	body := page[pageHeader:]
	if binary.NativeEndian.Uint32(body) != magic || binary.NativeEndian.Uint32(body[4:]) != version {
		return metaPage{}, corrupt("FILE_FOREIGN", "not an index file of Cairn: its header is not bbolt's")
	}
	sum := fnv.New64a()
	sum.Write(body[:checked]) // never fails
	m := metaPage{
		pageSize: binary.NativeEndian.Uint32(body[8:]),
		root:     binary.NativeEndian.Uint64(body[16:]),
		freelist: binary.NativeEndian.Uint64(body[32:]),
		pages:    binary.NativeEndian.Uint64(body[40:]),
		txid:     binary.NativeEndian.Uint64(body[48:]),
	}
	if sum.Sum64() != binary.NativeEndian.Uint64(body[checked:]) || m.pageSize < 1024 || m.pageSize > 1<<16 {
		return metaPage{}, corrupt("FILE_DAMAGED", "the file's header is damaged: its checksum does not fit")
	}
	return m, nil
}
