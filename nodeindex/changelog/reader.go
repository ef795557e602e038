package changelog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"cairn"
)

// ErrGone is for changes that are no longer kept.
var ErrGone = errors.New("changes are no longer kept")

// Reader reads the changes of one keyspace in log order. It is for one
// goroutine and needs no closing.
type Reader struct {
	log      *Log
	keyspace cairn.UID

	at     uint64 // the log index it has read up to
	number uint64 // of the segment it has come to, 0 before the first Read
	offset int64  // in that
}

// Reader makes a reader of a keyspace's changes after a log index.
func (l *Log) Reader(keyspace cairn.UID, after uint64) *Reader {
	return &Reader{log: l, keyspace: keyspace, at: after}
}

// At is the log index up to which the reader has read.
func (r *Reader) At() uint64 { return r.at }

// Read returns the records after At up to a log index, about so many bytes of
// them but whole log entries, and moves At: to the index, or to that of the last
// record returned where there is more. revision is the map's, as far as records
// up to At tell. All records up to the index must have been appended.
//
// ErrGone: they are not kept, or no longer. Errors else are the file system's.
func (r *Reader) Read(upTo uint64, bytes int) (records []Record, revision uint64, err error) {
	r.log.flush()
	p := part{after: r.at, upTo: upTo, bytes: bytes, keyspace: r.keyspace}
	for !p.done {
		s, next, err := r.log.find(r)
		if err != nil {
			return nil, 0, err
		}
		if s == nil {
			break
		}
		err = r.scan(s, p.take)
		if errors.Is(err, errDamaged) {
			r.log.damaged(s)
			err = ErrGone
		}
		if err != nil {
			return nil, 0, err
		}
		if next == 0 {
			break
		}
		if !p.done {
			r.number, r.offset = next, headerLength
		}
	}
	r.at = max(r.at, p.upTo)
	return p.records, p.revision, nil
}

// part is what one Read gathers.
type part struct {
	after, upTo uint64
	bytes       int // about so many
	keyspace    cairn.UID

	records  []Record
	size     int
	revision uint64
	done     bool // more would be too much, or is behind upTo
}

// take takes the next record, or is false where the part ends before it.
func (p *part) take(_ int64, r Record) bool {
	switch {
	case r.Kind == synced || r.Index <= p.after:
		return true
	case r.Index > p.upTo:
		p.done = true
		return false
	case r.Keyspace != p.keyspace:
		p.revision = r.Revision
		return true
	}
	if n := len(p.records); n > 0 && p.size >= p.bytes && r.Index != p.records[n-1].Index {
		p.done, p.upTo, p.revision = true, p.records[n-1].Index, p.records[n-1].Revision
		return false
	}
	r.Payload = bytes.Clone(r.Payload)
	p.records = append(p.records, r)
	p.size += fixedLength + len(r.Payload)
	p.revision = r.Revision
	return true
}

// flush writes what waits, or waits for whoever does, if anything is to be written.
func (l *Log) flush() {
	l.mu.Lock()
	waits := l.waits > 0 || l.taken
	l.mu.Unlock()
	if waits {
		l.write()
	}
}

// find is the segment that a reader is to read, as it is now, with the number of
// the one after it; nil if there has been nothing to write, ErrGone if it is gone.
func (l *Log) find(r *Reader) (s *segment, next uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.segments) == 0 && r.number == 0 && r.at >= l.base {
		return nil, 0, nil
	}
	for i, s := range l.segments {
		last := i == len(l.segments)-1
		mine := s.number == r.number
		if r.number == 0 {
			mine = s.base <= r.at && (last || l.segments[i+1].base > r.at)
		}
		if !mine {
			continue
		}
		copied := *s
		if !last {
			next = l.segments[i+1].number
		}
		return &copied, next, nil
	}
	return nil, 0, ErrGone
}

// scan goes on in a segment, from where the reader is in it.
func (r *Reader) scan(s *segment, each func(int64, Record) bool) error {
	file, err := os.Open(s.path(r.log.dir))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrGone
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // nothing was written
	if r.number != s.number {
		r.number, r.offset = s.number, headerLength
	}
	r.offset, err = scan(file, r.offset, s.size, each)
	return err
}

// damaged lets go of a segment that was not read as it was written, and of all
// before it.
func (l *Log) damaged(s *segment) {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.options.Lost(fmt.Errorf("changes after log index %d are damaged in %s", s.base, s.path(l.dir)))
	for {
		l.mu.Lock()
		oldest, only := uint64(0), len(l.segments) == 1
		if len(l.segments) > 0 {
			oldest = l.segments[0].number
		}
		l.mu.Unlock()
		if oldest == 0 || oldest > s.number {
			return
		}
		if only {
			l.restart(0)
			return
		}
		l.dropOldest()
	}
}
