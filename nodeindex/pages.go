package nodeindex

import (
	"encoding/binary"
	"io"
	"os"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// Of bbolt's pages (file format 2).
const (
	pageHeaderSize  = 16
	pageElementSize = 16
	bucketHeader    = 16

	pageBranch   = 0x01
	pageLeaf     = 0x02
	pageFreelist = 0x10

	elementBucket = 0x01
)

// CheckPages walks the pages of a bbolt file by reading them, and returns
// KindCorrupt if one points outside of the file, of itself, or to a page that
// is not what it should be. What passes, bbolt reads without a fault.
func CheckPages(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // nothing was written
	newest, err := readNewestMeta(file)
	if err != nil {
		return err
	}
	w := pageWalk{file: file, metaPage: newest, visited: roaring64.New()}
	if newest.freelist != noFreelist {
		if err := w.freelistPage(newest.freelist); err != nil {
			return err
		}
	}
	return w.page(newest.root, 0)
}

// noFreelist stands in a meta page that names none.
const noFreelist = 1<<64 - 1

type pageWalk struct {
	file io.ReaderAt
	metaPage
	visited *roaring64.Bitmap
}

// read is a page with its overflow.
func (w *pageWalk) read(id uint64) ([]byte, error) {
	if id < 2 || id >= w.pages {
		return nil, corrupt("PAGE_DAMAGED", "a page number %d; the file has %d pages", id, w.pages)
	}
	page := make([]byte, w.pageSize)
	if _, err := w.file.ReadAt(page, int64(id)*int64(w.pageSize)); err != nil {
		return nil, err
	}
	overflow := uint64(binary.NativeEndian.Uint32(page[12:]))
	switch {
	case binary.NativeEndian.Uint64(page) != id:
		return nil, corrupt("PAGE_DAMAGED", "page %d says that it is another", id)
	case overflow >= w.pages-id:
		return nil, corrupt("PAGE_DAMAGED", "page %d runs over the end of the file", id)
	}
	for i := range overflow + 1 {
		if !w.visited.CheckedAdd(id + i) {
			return nil, corrupt("PAGE_DAMAGED", "page %d is used twice", id+i)
		}
	}
	if overflow > 0 {
		page = make([]byte, (overflow+1)*uint64(w.pageSize))
		if _, err := w.file.ReadAt(page, int64(id)*int64(w.pageSize)); err != nil {
			return nil, err
		}
	}
	return page, nil
}

// page checks a page and those under it.
func (w *pageWalk) page(id uint64, depth int) error {
	const deepest = 64 // more than 2^64 entries need
	if depth > deepest {
		return corrupt("PAGE_DAMAGED", "page %d is nested too deep", id)
	}
	page, err := w.read(id)
	if err != nil {
		return err
	}
	return w.elements(id, page, depth)
}

// elements checks what a page has, or the inline page of a bucket on page id.
func (w *pageWalk) elements(id uint64, page []byte, depth int) error {
	damaged := corrupt("PAGE_DAMAGED", "page %d is damaged", id)
	if len(page) < pageHeaderSize {
		return damaged
	}
	flags, count := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if flags != pageBranch && flags != pageLeaf || flags == pageBranch && count == 0 || pageHeaderSize+count*pageElementSize > len(page) {
		return damaged
	}
	for i := range count {
		at := pageHeaderSize + i*pageElementSize
		element := page[at:]
		if flags == pageBranch {
			position, keySize := binary.NativeEndian.Uint32(element), binary.NativeEndian.Uint32(element[4:])
			if uint64(at)+uint64(position)+uint64(keySize) > uint64(len(page)) {
				return damaged
			}
			if err := w.page(binary.NativeEndian.Uint64(element[8:]), depth+1); err != nil {
				return err
			}
			continue
		}
		position, keySize := uint64(binary.NativeEndian.Uint32(element[4:])), uint64(binary.NativeEndian.Uint32(element[8:]))
		start := uint64(at) + position + keySize
		end := start + uint64(binary.NativeEndian.Uint32(element[12:]))
		if end > uint64(len(page)) {
			return damaged
		}
		if binary.NativeEndian.Uint32(element)&elementBucket != 0 {
			if err := w.bucket(id, page[start:end], depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// bucket checks a nested bucket: its own pages, or the one inside its value.
func (w *pageWalk) bucket(id uint64, value []byte, depth int) error {
	if len(value) < bucketHeader {
		return corrupt("PAGE_DAMAGED", "page %d has a damaged bucket", id)
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return w.page(root, depth+1)
	}
	return w.elements(id, value[bucketHeader:], depth+1)
}

// freelistPage checks the page of free pages.
func (w *pageWalk) freelistPage(id uint64) error {
	page, err := w.read(id)
	if err != nil {
		return err
	}
	count := uint64(binary.NativeEndian.Uint16(page[10:]))
	room := uint64(len(page)-pageHeaderSize) / 8
	if count == 0xFFFF {
		// It did not fit: it is the first of the numbers.
		count = binary.NativeEndian.Uint64(page[pageHeaderSize:])
		room--
	}
	if binary.NativeEndian.Uint16(page[8:]) != pageFreelist || count > room {
		return corrupt("PAGE_DAMAGED", "the page of free pages is damaged")
	}
	return nil
}
