package replica

import (
	"errors"
	"os"
	"sync"
)

// writtenAhead keeps a log file written with zeros ahead of what is appended. A
// segment is allocated when it is made, and yet a sync behind which blocks are used
// for the first time has the file system's journal to write too; where they have been
// written it takes half as long.
//
// Behind the end of a log is nothing that anybody needs, and zeros are what is read
// there anyway: they are no step of a Disk, and that they fail costs no more than time.
// They go through a file of their own, since a failed sync is told once to each open
// file, and it is those who append who must hear of it.
type writtenAhead struct {
	path string
	size int64 // nothing is written behind it

	mu sync.Mutex // guards what follows
	// end is up to where the file is written or being written.
	end int64
	// filling, while not nil, is closed once the zeros before end are written.
	filling chan struct{}
	failed  bool
}

const (
	// aheadBytes is how much is written at a time, and how far ahead at least.
	// The sync that comes then has as much to write.
	aheadBytes = 1 << 20
)

var zeros [aheadBytes]byte

// before is called before what ends there is written: zeros won't come over it.
func (a *writtenAhead) before(end int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.filling != nil && end > a.end-aheadBytes {
		filled := a.filling
		a.mu.Unlock()
		<-filled
		a.mu.Lock()
	}
	a.end = max(a.end, end)
}

// after is called after what ends there has been written, and has zeros written ahead
// of it if there are too few.
func (a *writtenAhead) after(end int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed || a.filling != nil || a.end-end >= aheadBytes || a.end >= a.size {
		return
	}
	from := a.end
	a.end = min(from+aheadBytes, a.size)
	filled := make(chan struct{})
	a.filling = filled
	go a.fill(from, a.end, filled)
}

func (a *writtenAhead) fill(from, to int64, filled chan struct{}) {
	err := writeZeros(a.path, from, to)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.filling, a.failed = nil, err != nil
	close(filled)
}

// wait waits until nothing is being written.
func (a *writtenAhead) wait() {
	a.mu.Lock()
	filled := a.filling
	a.mu.Unlock()
	if filled != nil {
		<-filled
	}
}

func writeZeros(path string, from, to int64) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(zeros[:to-from], from)
	return errors.Join(err, file.Sync(), file.Close())
}
