package replica

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// A segment of raft-wal is a header and batches behind it, each one append: frames
// with entries, one with an index if it fills the segment, and a commit, which has
// the CRC-32C of the frames before it, and of the header for the first. Behind them
// are zeros, and what a crash has left of a batch that was being written.
//
// raft-wal looks at the last CRC only, and takes whatever does not fit for the end.
// So a bit that is not what was written is served, or ends the log before what was
// acknowledged. Here all are looked at when the log is opened.

const (
	// frameHeader is the size of frames' headers; frames are padded to multiples
	// of it.
	frameHeader   = 8
	segmentHeader = 32
	// diskSector is what a disk writes as a whole.
	diskSector = 512
)

// damagedHint says what to do about a log that is damaged.
const damagedHint = "start the replica with an empty directory and --join if there are others, else restore a backup"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// scannedSegment is what a segment has.
type scannedSegment struct {
	// last is the index of the last entry, 0 if there is none.
	last uint64
	// indexStart is where the index stands, 0 if the last batch has none.
	indexStart uint64
	// end is behind the last batch.
	end int64
	// unfinished: a crash has left something behind the end.
	unfinished bool
}

// scanSegment reads what is written of a segment. It fails where something is not
// what was written and synced.
func scanSegment(info types.SegmentInfo, content []byte) (scannedSegment, error) {
	var s scannedSegment
	content = append(content, make([]byte, -len(content)&(frameHeader-1))...) // a frame may end with zeros
	entries := 0
	for {
		b, whole := scanBatch(content, int(s.end))
		if !whole {
			break
		}
		entries += b.entries
		s.end, s.indexStart = int64(b.end), uint64(b.indexStart)
	}
	if entries > 0 {
		s.last = info.BaseIndex + uint64(entries) - 1
	}
	s.unfinished = len(content) > int(s.end)
	if s.unfinished && !isUnfinished(content, int(s.end)) {
		return s, fmt.Errorf("%w: %s is not what was written behind byte %d; "+damagedHint, types.ErrCorrupt, segment.FileName(info), s.end)
	}
	return s, nil
}

// readWritten reads a file but for zeros that it ends with: a segment is allocated
// ahead.
func readWritten(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	var written []byte
	const piece = 256 << 10
	buffer, zeros := make([]byte, piece), make([]byte, piece)
	for at := 0; ; {
		n, err := io.ReadFull(file, buffer)
		if read := buffer[:n]; !bytes.Equal(read, zeros[:n]) {
			if written == nil {
				written = make([]byte, 0, info.Size())
			}
			written = append(append(written, make([]byte, at-len(written))...), read...)
		}
		at += n
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return bytes.TrimRight(written, "\x00"), nil
		case err != nil:
			return nil, err
		}
	}
}

// batch is one append.
type batch struct {
	entries, indexStart, end int
}

// scanBatch reads the batch that begins at an offset, and tells whether all of it
// is there, and what was written.
func scanBatch(content []byte, start int) (b batch, whole bool) {
	at := start
	if start == 0 {
		at = segmentHeader
	}
	for at+frameHeader <= len(content) {
		length := int(binary.LittleEndian.Uint32(content[at+4:]))
		switch binary.LittleEndian.Uint32(content[at:]) {
		case uint32(segment.FrameEntry):
			b.entries++
		case uint32(segment.FrameIndex):
			b.indexStart = at + frameHeader
		case uint32(segment.FrameCommit):
			b.end = at + frameHeader
			return b, b.entries > 0 && crc32.Checksum(content[start:at], castagnoli) == uint32(length)
		default:
			return b, false
		}
		at += frameHeader + (length+frameHeader-1)/frameHeader*frameHeader
	}
	return b, false
}

// isUnfinished tells whether what stands behind an offset can be what a loss of
// power leaves of one batch: sectors of it are missing, which are zeros, or its end
// is. Else all of it was written, and is not what it was then.
func isUnfinished(content []byte, start int) bool {
	end := len(content)
	// Another batch is written when the one before is synced.
	for at := start + frameHeader; at < end; at += frameHeader {
		if _, whole := scanBatch(content, at); whole {
			return false
		}
	}
	for at := start; at < end; {
		next := min((at/diskSector+1)*diskSector, end)
		if len(bytes.Trim(content[at:next], "\x00")) == 0 {
			return true
		}
		at = next
	}
	commit := content[end-frameHeader : end]
	isCommit := binary.LittleEndian.Uint32(commit) == uint32(segment.FrameCommit)
	fits := crc32.Checksum(content[start:end-frameHeader], castagnoli) == binary.LittleEndian.Uint32(commit[4:])
	return !isCommit && !fits
}
