package views

import (
	"encoding/binary"
	"errors"
	"io"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// imageReader reads frames and what is in them. After the first failure it
// reads nothing but zeros; the error is in err. It reads no further than it
// has to.
type imageReader struct {
	in      io.Reader
	buffer  []byte // of the present frame
	rest    []byte // of it
	section section
	last    bool // whether it is the section's last
	sum     uint32
	err     error
}

func newImageReader(in io.Reader) *imageReader {
	r := &imageReader{in: in, last: true}
	var magic [len(imageMagic)]byte
	r.read(magic[:])
	if r.err == nil && string(magic[:]) != imageMagic {
		r.fail("it begins as no image does")
	}
	return r
}

// fail notes what is wrong, if nothing was before.
func (r *imageReader) fail(format string, args ...any) { r.stop(corrupt(format, args...)) }

// stop ends the reading with an error.
func (r *imageReader) stop(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest, r.last = nil, true
}

// read fills a slice.
func (r *imageReader) read(into []byte) {
	if r.err != nil {
		clear(into)
		return
	}
	switch _, err := io.ReadFull(r.in, into); {
	case err == nil:
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		r.fail("it ends too early, after a part of the %s", r.section)
	default:
		r.stop(cairn.Errorf(cairn.KindUnavailable, "IMAGE_UNREADABLE", "reading the image: %w", err))
	}
}

// next reads a frame.
func (r *imageReader) next() section {
	var header [frameHeader]byte
	r.read(header[:])
	size := int(binary.LittleEndian.Uint32(header[1:]))
	if size > frameSize {
		r.fail("a frame of %d bytes", size)
	}
	if r.err != nil {
		return 0
	}
	if size > len(r.buffer) {
		r.buffer = make([]byte, size)
	}
	r.rest = r.buffer[:size]
	r.read(r.rest)
	r.sum = frameSum(r.sum, header[:5], r.rest)
	if r.err == nil && r.sum != binary.LittleEndian.Uint32(header[5:]) {
		r.fail("the checksum of a frame after a part of the %s differs", r.section)
	}
	r.last = section(header[0])&lastFrame != 0
	if size == 0 && !r.last {
		r.fail("a frame without content")
	}
	return section(header[0]) &^ lastFrame
}

// open begins the next section, which must be of a kind. The one before has
// been read to its end.
func (r *imageReader) open(s section) {
	if len(r.rest) > 0 || !r.last {
		r.fail("the %s goes on after its end", r.section)
	}
	if got := r.next(); r.err == nil && got != s {
		r.fail("%s in place of %s", got, s)
	}
	r.section = s
}

// more reports whether there is more in the section.
func (r *imageReader) more() bool {
	if len(r.rest) == 0 && !r.last {
		if got := r.next(); r.err == nil && got != r.section {
			r.fail("%s in place of %s", got, r.section)
		}
	}
	return len(r.rest) > 0
}

// skip passes over the rest of the section.
func (r *imageReader) skip() {
	for r.more() {
		r.rest = nil
	}
}

// bytes are the next bytes of a record. They are good until the next record.
func (r *imageReader) bytes(n int) []byte {
	if n > 0 && !r.more() || n > len(r.rest) {
		r.fail("the %s ends too early", r.section)
		return nil
	}
	out := r.rest[:n:n]
	r.rest = r.rest[n:]
	return out
}

func (r *imageReader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *imageReader) uvarint() uint64 {
	r.more()
	number, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail("the %s has a broken number", r.section)
		return 0
	}
	r.rest = r.rest[n:]
	return number
}

// count is a number that is no larger than a bound.
func (r *imageReader) count(most uint64, of string) int {
	n := r.uvarint()
	if n > most {
		r.fail("%d %s", n, of)
		return 0
	}
	return int(n)
}

// Read reads the rest of the section across its frames.
func (r *imageReader) Read(into []byte) (int, error) {
	if len(into) > 0 && !r.more() {
		return 0, io.EOF
	}
	n := copy(into, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// bitmap reads the rest of the section as a bitmap. It is one that the
// library vouches for.
func (r *imageReader) bitmap() *roaring.Bitmap {
	out := roaring.New()
	if r.err != nil {
		return out
	}
	_, err := out.ReadFrom(r)
	if err == nil {
		err = validBitmap(out)
	}
	if r.more() && err == nil {
		err = errors.New("there is more behind it")
	}
	if err != nil {
		r.fail("the bitmap of the %s: %v", r.section, err)
		return roaring.New()
	}
	return out
}

// validBitmap refuses what is no bitmap. The library's own check refuses the
// empty one.
func validBitmap(b *roaring.Bitmap) error {
	if b.IsEmpty() {
		return nil
	}
	return b.Validate()
}
