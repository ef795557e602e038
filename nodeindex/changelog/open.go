package changelog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"cairn/nodeindex/durable"
)

// Open opens the change log in a directory, which is made if there is none, for
// an index whose file covers a log index: what is later is cut, since the log
// brings it again. One that does not reach that index, or is damaged, begins
// anew there. Errors are the file system's.
func Open(dir string, index uint64, options Options) (*Log, error) {
	l := &Log{dir: dir, options: options.withDefaults(), base: index, last: index}
	if err := l.options.Disk.MakeDir(durable.Directory, dir, 0o700); err != nil {
		return nil, err
	}
	found, err := list(dir)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		l.number = found[len(found)-1].number
	}
	kept, err := l.chain(found)
	if err != nil {
		return nil, err
	}
	if err := l.recover(kept, index); err != nil {
		return nil, err
	}
	return l, l.removeOthers(found)
}

// chain are the last of the segments that follow each other and have a header.
func (l *Log) chain(found []*segment) ([]*segment, error) {
	first := len(found)
	for i := len(found) - 1; i >= 0; i-- {
		s := found[i]
		if i < len(found)-1 && s.number+1 != found[i+1].number {
			break
		}
		err := s.readHeader(l.dir)
		if errors.Is(err, errDamaged) && i == len(found)-1 {
			// It was being made when there was a crash.
			found, first = found[:i], i
			continue
		}
		if errors.Is(err, errDamaged) {
			break
		}
		if err != nil {
			return nil, err
		}
		first = i
	}
	return found[first:], nil
}

func (s *segment) readHeader(dir string) error {
	file, err := os.Open(s.path(dir))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // nothing was written
	header := make([]byte, headerLength)
	if _, err := io.ReadFull(file, header); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errDamaged
		}
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if s.size = info.Size(); !s.parseHeader(header) {
		return errDamaged
	}
	return nil
}

// recover goes on with the segments that were found, cut after a log index, if
// they are proven to hold all up to it.
func (l *Log) recover(found []*segment, index uint64) error {
	first := -1
	for i, s := range found {
		if first < 0 && s.base <= index || s.base < index {
			first = i
		}
	}
	if first < 0 {
		return nil // they begin behind the index, or there are none
	}
	cut := tail{through: found[first].through}
	for i := first; i < len(found); i++ {
		if err := cut.look(l.dir, i, found[i], index); err != nil {
			return err
		}
		if cut.damaged {
			break
		}
	}
	if cut.through < index {
		if cut.damaged && found[first].base < index {
			l.options.Lost(fmt.Errorf("changes up to log index %d are damaged in %s", index, found[cut.segment].path(l.dir)))
		}
		return nil
	}
	last := found[cut.segment]
	last.size = cut.offset
	file, err := os.OpenFile(last.path(l.dir), os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := file.Truncate(last.size); err != nil {
		return errors.Join(err, file.Close())
	}
	l.file, l.made, l.number = file, true, last.number
	l.segments, l.filled = found[:cut.segment+1:cut.segment+1], last.size
	l.begun, l.lastTime = last.time, max(last.time, cut.time)
	l.Sync(index) // the mark that proved it may be cut off
	return nil
}

// tail is where the records up to a log index end, and how far they were synced.
type tail struct {
	segment int
	offset  int64
	time    int64
	through uint64
	ended   bool // a record after the index has been met
	damaged bool
}

// look goes over the next segment.
func (t *tail) look(dir string, number int, s *segment, index uint64) error {
	file, err := os.Open(s.path(dir))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // nothing was written
	if !t.ended {
		t.segment = number
	}
	t.through = max(t.through, s.through)
	end, err := scan(file, headerLength, s.size, func(offset int64, r Record) bool {
		switch {
		case r.Kind == synced:
			t.through = max(t.through, r.Index)
		case r.Index > index && !t.ended:
			t.ended, t.offset = true, offset
		case !t.ended:
			t.time = max(t.time, r.Time)
		}
		return true
	})
	if !t.ended {
		t.offset = end
	}
	if errors.Is(err, errDamaged) {
		t.damaged, err = true, nil
	}
	return err
}

// removeOthers removes what is in the directory and not of the log.
func (l *Log) removeOthers(found []*segment) error {
	mine := make(map[uint64]bool)
	for _, s := range l.segments {
		mine[s.number] = true
	}
	for _, s := range found {
		if mine[s.number] {
			continue
		}
		if err := os.Remove(s.path(l.dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// full tells whether a full disk refused it.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
