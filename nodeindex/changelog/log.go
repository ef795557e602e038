package changelog

import (
	"errors"
	"os"
	"sync"
	"time"

	"cairn/nodeindex/durable"
)

// Options tune a Log; the zero value is good.
type Options struct {
	// Bytes and Age bound what is kept: whole segments go, the oldest first,
	// when there is more or when what they have is older than the newest by the
	// log's time. Defaults 1 GiB and 24 hours.
	Bytes int64
	Age   time.Duration
	// SegmentBytes is when the next segment is begun. Default a sixteenth of
	// Bytes.
	SegmentBytes int64
	// Lost is told when changes had to be given up, and why. It may be called by
	// any goroutine and must not call the Log.
	Lost func(error)
	// Disk is where it is kept.
	Disk durable.Disk
}

func (o Options) withDefaults() Options {
	if o.Bytes <= 0 {
		o.Bytes = 1 << 30
	}
	if o.Age <= 0 {
		o.Age = 24 * time.Hour
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = o.Bytes / 16
	}
	if o.Lost == nil {
		o.Lost = func(error) {}
	}
	return o
}

const (
	// writeBytes is how much is gathered before it is written.
	writeBytes = 256 << 10
	// mostWaiting is how much may wait to be written until Append waits for it.
	mostWaiting = 32 << 20
)

// Log is the change log of one index. Append, Sync, Left and Restart belong to
// whoever applies and writes checkpoints; readers may be any goroutines.
type Log struct {
	dir     string
	options Options

	// writing is held by who writes, across I/O, and guards what follows. It is
	// taken before mu.
	writing sync.Mutex
	file    *os.File // the last segment; nil if there is none
	made    bool     // a segment, since the directory was synced

	mu       sync.Mutex
	segments []*segment // ascending by number; the last is written to
	number   uint64     // of the last segment there was
	waiting  []chunk
	waits    int64  // bytes of waiting
	writer   bool   // one has been started
	taken    bool   // what waited has been taken to be written, and is not there yet
	base     uint64 // where it began, if there is no segment
	last     uint64 // log index of the last record
	lastTime int64
	begun    int64 // log time of the first record of the last segment
	filled   int64 // bytes of the last segment, with what waits
	through  uint64
	closed   bool
}

// chunk is what is to be written at once.
type chunk struct {
	segment *segment // to begin with it; nil for the present one
	bytes   []byte
}

// Append takes the next records of the log. It does no I/O, unless much more is
// waiting for it than should.
func (l *Log) Append(r *Record) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.appendLocked(r)
	full := l.waits >= mostWaiting
	if l.waits >= writeBytes && !l.writer {
		l.writer = true
		go l.write()
	}
	l.mu.Unlock()
	if full {
		l.write()
	}
}

func (l *Log) appendLocked(r *Record) {
	if l.filled == 0 || r.Kind != synced && r.Index > l.last && l.roundedLocked(r) {
		l.number++
		l.begun = max(l.lastTime, r.Time)
		next := &segment{number: l.number, base: l.last, through: l.through, time: l.begun}
		l.waiting = append(l.waiting, chunk{segment: next, bytes: next.header()})
		l.filled, l.waits = headerLength, l.waits+headerLength
	}
	if len(l.waiting) == 0 {
		l.waiting = append(l.waiting, chunk{})
	}
	into := &l.waiting[len(l.waiting)-1]
	before := len(into.bytes)
	into.bytes = appendRecord(into.bytes, r)
	added := int64(len(into.bytes) - before)
	l.filled, l.waits = l.filled+added, l.waits+added
	if r.Kind != synced {
		if l.begun == 0 {
			l.begun = r.Time
		}
		l.last, l.lastTime = max(l.last, r.Index), max(l.lastTime, r.Time)
	}
}

// roundedLocked tells whether a record is to begin the next segment: when the
// present one is large, or old enough that what is kept would be much older than
// it should.
func (l *Log) roundedLocked(r *Record) bool {
	return l.filled >= l.options.SegmentBytes || l.begun > 0 && r.Time-l.begun > l.options.Age.Microseconds()/16
}

// write writes what waits.
func (l *Log) write() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.writeLocked()
}

// writeLocked writes what waits, or gives all up and is false. l.writing is
// held.
func (l *Log) writeLocked() bool {
	l.mu.Lock()
	chunks := l.waiting
	l.waiting, l.waits, l.writer = nil, 0, false
	l.taken = len(chunks) > 0
	l.mu.Unlock()
	for _, c := range chunks {
		if err := l.put(c); err != nil {
			l.giveUp(err)
			return false
		}
	}
	l.mu.Lock()
	l.taken = false
	l.mu.Unlock()
	return true
}

// put writes one chunk; where the disk is full, old segments give way.
func (l *Log) put(c chunk) error {
	if c.segment != nil {
		if err := l.begin(c.segment); err != nil {
			return err
		}
	}
	l.mu.Lock()
	into := l.segments[len(l.segments)-1]
	at := into.size
	l.mu.Unlock()
	for {
		_, err := l.file.WriteAt(c.bytes, at)
		if err == nil {
			break
		}
		if !full(err) || !l.dropOldest() {
			return err
		}
	}
	l.mu.Lock()
	into.size = at + int64(len(c.bytes))
	l.mu.Unlock()
	return nil
}

// begin ends the last segment and makes the next.
func (l *Log) begin(next *segment) error {
	if l.file != nil {
		// What its successor says of how far it was synced must be so, and its name
		// must not be lost where that of its successor is not.
		if err := errors.Join(l.sync(durable.ChangesSegment), l.file.Close()); err != nil {
			l.file = nil
			return err
		}
	}
	l.file, l.made = nil, true
	for {
		file, err := os.OpenFile(next.path(l.dir), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
		if err == nil {
			l.file = file
			break
		}
		if !full(err) || !l.dropOldest() {
			return err
		}
	}
	l.mu.Lock()
	l.segments = append(l.segments, next)
	l.mu.Unlock()
	for l.tooMuch() && l.dropOldest() {
	}
	return nil
}

// tooMuch tells whether the oldest segment is over what is to be kept.
func (l *Log) tooMuch() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	bytes := l.options.SegmentBytes // that the last one is about to have
	for _, s := range l.segments {
		bytes += s.size
	}
	// What the oldest has is no newer than the first of the next.
	return bytes > l.options.Bytes || len(l.segments) > 1 && l.lastTime-l.segments[1].time > l.options.Age.Microseconds()
}

// dropOldest removes the oldest segment, but never the last one. Who reads it is
// told at the next Read.
func (l *Log) dropOldest() bool {
	l.mu.Lock()
	if len(l.segments) < 2 {
		l.mu.Unlock()
		return false
	}
	oldest := l.segments[0]
	l.segments = l.segments[1:]
	l.mu.Unlock()
	return os.Remove(oldest.path(l.dir)) == nil
}

// Sync makes all changes up to a log index durable: for a checkpoint of that
// index, before it is. Where that fails they are given up instead.
func (l *Log) Sync(index uint64) {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.through = max(l.through, index)
		l.appendLocked(&Record{Kind: synced, Index: index})
	}
	l.mu.Unlock()
	if closed || !l.writeLocked() {
		return
	}
	if err := l.sync(durable.Changes); err != nil {
		l.giveUp(err)
	}
}

// sync makes the last segment durable, and its name.
func (l *Log) sync(step durable.Step) error {
	if err := l.options.Disk.Sync(step, l.file); err != nil || !l.made {
		return err
	}
	if err := l.options.Disk.SyncDir(step, l.dir); err != nil {
		return err
	}
	l.made = false
	return nil
}

// giveUp lets go of all changes so far, since some could not be written.
func (l *Log) giveUp(why error) {
	l.restart(0)
	l.options.Lost(why)
}

// Restart lets go of all changes so far: the index goes on from a log index that
// came from elsewhere.
func (l *Log) Restart(index uint64) {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.restart(index)
}

// restart is Restart from a log index, or from the last record if that is later:
// one that comes while files are closed goes with those before it. l.writing is
// held.
func (l *Log) restart(index uint64) {
	if l.file != nil {
		_ = l.file.Close() // nothing of it is needed
		l.file = nil
	}
	l.mu.Lock()
	gone := l.segments
	l.segments, l.waiting, l.waits, l.taken, l.filled = nil, nil, 0, false, 0
	index = max(index, l.last)
	l.base, l.last, l.through = index, index, 0
	l.number++ // a gap: what is left of those is not taken for what comes before the next
	l.mu.Unlock()
	for _, s := range gone {
		_ = os.Remove(s.path(l.dir)) // if it is left, Open removes it
	}
}

// Floor is the log index after which every change is kept.
func (l *Log) Floor() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.segments) == 0 {
		return l.base
	}
	return l.segments[0].base
}

// Usage is what the log takes, and how far back it reaches.
type Usage struct {
	Bytes int64  // of all segments, without what waits
	Floor uint64 // as Floor
	Since int64  // log time of the oldest record, as Record.Time; 0 if there is none, or it is not known
}

// Usage tells what the log takes.
func (l *Log) Usage() (u Usage) {
	u.Floor = l.Floor()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.segments {
		u.Bytes += s.size
	}
	if len(l.segments) > 0 {
		u.Since = l.segments[0].time
	}
	return u
}

// Close drops what waits: no Sync has covered it, so the index's log brings it
// again.
func (l *Log) Close() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	l.closed = true
	l.waiting, l.waits = nil, 0
	l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
