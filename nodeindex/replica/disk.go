package replica

import (
	"fmt"
	"sync"
	"syscall"
	"time"

	"cairn"
)

// diskInterval is how often free space is looked at.
const diskInterval = 250 * time.Millisecond

// refusals says why writes are refused at present.
type refusals struct {
	mu sync.Mutex // guards what follows
	// full: there is less free space than the reserve, or a write found none.
	full *cairn.Error
	// hung: the disk does not answer.
	hung *cairn.Error
	// stopped: the log has stopped.
	stopped *cairn.Error
}

// get is why writes are refused, nil while they are taken.
func (r *refusals) get() *cairn.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, refusal := range []*cairn.Error{r.stopped, r.hung, r.full} {
		if refusal != nil {
			return refusal
		}
	}
	return nil
}

// log is why the log takes nothing at all, nil while it does.
func (r *refusals) log() *cairn.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopped
}

func (r *refusals) setFull(err *cairn.Error) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed = (r.full == nil) != (err == nil)
	r.full = err
	return changed
}

func (r *refusals) setHung(err *cairn.Error) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed = (r.hung == nil) != (err == nil)
	r.hung = err
	return changed
}

func (r *refusals) setStopped(err *cairn.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = err
}

// checkDisk looks at the free space, and refuses writes or takes them again.
// It is taken back a little above the reserve, so as not to flap.
func (r *Replica) checkDisk() (enough bool) {
	free, err := r.config.FreeSpace(r.config.Dir)
	if err != nil {
		r.config.Logger.Warn("can't tell the free space", "dir", r.config.Dir, "err", err)
		return true // a disk that is full says so itself
	}
	need := r.config.DiskReserve
	if r.refusals.get() != nil {
		need += need / 8
	}
	if free >= need {
		if r.refusals.setFull(nil) {
			r.config.Logger.Info("there is free space again: writes are taken", "dir", r.config.Dir, "free", bytesText(free))
		}
		return true
	}
	full := cairn.Errorf(cairn.KindExhausted, "DISK_FULL", "the disk of %s has %s free, less than the reserve of %s; make room, and writes go on by themselves",
		r.config.Dir, bytesText(free), bytesText(r.config.DiskReserve))
	if r.refusals.setFull(full) {
		r.config.Logger.Error("writes are refused", "err", full)
	}
	return false
}

// hangLimit is how long a sync of the log may take before the disk is taken for
// hung. With the time of an election after it another replica leads within 5 s.
const hangLimit = 2500 * time.Millisecond

// checkHang looks at how long the log has been waiting for the disk. While that
// hangs, raft's own goroutine does too and would keep leading: so this replica
// falls silent, and the others elect another leader.
func (r *Replica) checkHang() {
	log := r.log.Load()
	if !log.store.hangs(hangLimit) {
		log.transport.silent.Store(false)
		if r.refusals.setHung(nil) {
			r.config.Logger.Warn("the disk answers again", "dir", r.config.Dir)
		}
		return
	}
	log.transport.silent.Store(true)
	hung := cairn.Errorf(cairn.KindUnavailable, "DISK_HANGS", "the disk of %s has not answered for %s; another replica takes over, if there is one, and writes go on here when it answers", r.config.Dir, hangLimit)
	if r.refusals.setHung(hung) {
		r.config.Logger.Error("the disk hangs; this replica neither takes writes nor leads", "dir", r.config.Dir)
		r.committer.landed() // those who wait behind what hangs are refused
	}
}

// freeSpace is what the file system of a directory has free for us.
func freeSpace(dir string) (uint64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	return stat.Bavail * uint64(stat.Bsize), nil
}

func bytesText(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
