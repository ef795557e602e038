package changelog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	magic        = "cairnch1"
	headerLength = 36
	suffix       = ".changes"
)

// segment is one file.
type segment struct {
	number  uint64
	base    uint64 // every change after this index is here or later
	through uint64 // how far all before was synced when it was begun
	time    int64  // of its first record; 0 if not known
	size    int64  // of what is written
}

func (s *segment) path(dir string) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", s.number, suffix))
}

func (s *segment) header() []byte {
	out := append(make([]byte, 0, headerLength), magic...)
	out = binary.BigEndian.AppendUint64(out, s.base)
	out = binary.BigEndian.AppendUint64(out, s.through)
	out = binary.BigEndian.AppendUint64(out, uint64(s.time))
	return binary.BigEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// parseHeader reads what header writes.
func (s *segment) parseHeader(header []byte) bool {
	body := header[:headerLength-4]
	s.base = binary.BigEndian.Uint64(body[8:])
	s.through = binary.BigEndian.Uint64(body[16:])
	s.time = int64(binary.BigEndian.Uint64(body[24:]))
	return string(body[:8]) == magic && crc32.Checksum(body, castagnoli) == binary.BigEndian.Uint32(header[headerLength-4:])
}

// list are the segments of a directory by number, whatever is in them.
func list(dir string) ([]*segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []*segment
	for _, entry := range entries {
		name, ours := strings.CutSuffix(entry.Name(), suffix)
		number, err := strconv.ParseUint(name, 16, 64)
		if !ours || err != nil {
			continue
		}
		found = append(found, &segment{number: number})
	}
	slices.SortFunc(found, func(a, b *segment) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	return found, nil
}

// errDamaged is for what is not what was written.
var errDamaged = errors.New("damaged")

// scan reads the records of a segment from an offset on, up to an end, until
// each is false. It returns where the record that it stopped at begins, or that
// was not whole; then with errDamaged. Payloads are valid until the next record.
func scan(file io.ReaderAt, offset, end int64, each func(offset int64, r Record) bool) (int64, error) {
	in := &window{file: file, end: end, at: offset}
	for in.at < end {
		start := in.at
		frame, err := in.take(frameLength)
		if err != nil {
			return start, err
		}
		length, sum, ok := parseFrame(frame)
		if !ok {
			return start, errDamaged
		}
		body, err := in.take(length)
		if err != nil {
			return start, err
		}
		r, ok := parseBody(body, sum)
		if !ok {
			return start, errDamaged
		}
		if !each(start, r) {
			return start, nil
		}
	}
	return in.at, nil
}

// window reads a file from front to back in large pieces.
type window struct {
	file  io.ReaderAt
	end   int64
	at    int64 // of the next byte to take
	bytes []byte
	rest  []byte // of bytes, from at on
}

const windowBytes = 256 << 10

// take is the next n bytes, valid until the call after; errDamaged where the
// file ends before.
func (w *window) take(n int) ([]byte, error) {
	if int64(n) > w.end-w.at {
		return nil, errDamaged
	}
	if n > len(w.rest) {
		want := int(min(int64(max(n, windowBytes)), w.end-w.at))
		if cap(w.bytes) < want {
			w.bytes = make([]byte, want)
		}
		w.rest = w.bytes[:want]
		if _, err := w.file.ReadAt(w.rest, w.at); err != nil {
			if errors.Is(err, io.EOF) {
				err = errDamaged
			}
			return nil, err
		}
	}
	taken := w.rest[:n]
	w.rest = w.rest[n:]
	w.at += int64(n)
	return taken, nil
}
