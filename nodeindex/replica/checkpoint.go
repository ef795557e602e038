package replica

import (
	"sync"
	"time"

	"cairn"
)

// checkpointPause is the wait after a checkpoint that failed.
const checkpointPause = time.Second

// checkpointOutcome is how the last checkpoint's write ended.
type checkpointOutcome struct {
	mu  sync.Mutex // guards err
	err error
}

func (o *checkpointOutcome) set(err error) {
	o.mu.Lock()
	o.err = err
	o.mu.Unlock()
}

// take returns the outcome and forgets it.
func (o *checkpointOutcome) take() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.err
	o.err = nil
	return err
}

// speed is how fast checkpoints are written here.
type speed struct {
	mu      sync.Mutex
	writing int // checkpoints
	// entries were written in took, by the last checkpoint of so many that it
	// says something.
	entries int
	took    time.Duration
}

// speedEntries is the least number of entries that a speed is taken from.
const speedEntries = 1000

func (p *speed) begin() {
	p.mu.Lock()
	p.writing++
	p.mu.Unlock()
}

func (p *speed) end(entries int, took time.Duration, taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writing--
	if taken && entries >= speedEntries {
		p.entries, p.took = entries, took
	}
}

// within reports whether a checkpoint of some entries can be expected to be
// written in a time: none is being written, and the last one was quick enough
// or, where there was none yet, the entries are few.
func (p *speed) within(entries int, limit time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.writing > 0:
		return false
	case p.entries == 0:
		return entries <= 10*speedEntries
	}
	return float64(entries)*float64(p.took)/float64(p.entries) <= float64(limit)
}

// checkpointSoon has the need for a checkpoint looked at now.
func (r *Replica) checkpointSoon() {
	select {
	case r.checkpointDue <- struct{}{}:
	default:
	}
}

// checkpoints takes checkpoints, by size and by age, until the replica closes.
func (r *Replica) checkpoints() {
	tick := time.NewTicker(min(time.Second, r.config.CheckpointAge))
	defer tick.Stop()
	var changedSince time.Time
	for {
		select {
		case taken := <-r.checkpointAsked:
			taken <- r.checkpoint()
			continue
		case <-r.checkpointDue:
		case <-tick.C:
		case <-r.ctx.Done():
			return
		}
		applied, _ := r.index.Position()
		if applied <= r.index.Checkpointed().Index {
			changedSince = time.Time{}
			continue
		}
		now := time.Now()
		if changedSince.IsZero() {
			changedSince = now
		}
		if _, bytes := r.index.Pending(); !r.index.CheckpointWanted() && bytes < r.config.CheckpointBytes && now.Sub(changedSince) < r.config.CheckpointAge {
			continue
		}
		if r.checkpoint() {
			changedSince = now
			continue
		}
		select {
		case <-time.After(checkpointPause):
		case <-r.ctx.Done():
			return
		}
	}
}

// checkpoint takes one checkpoint. It is false if that failed. One that found
// the disk full changed nothing and is tried again. After any other failure of
// the file nothing more is written: what the file holds is then known after
// it has been opened anew only, with the log still whole behind it.
func (r *Replica) checkpoint() bool {
	log := r.log.Load()
	if !r.machine.caughtUp() {
		// A log opened again applies anew what the index has already, and does
		// not know yet how far that is.
		return false
	}
	if r.refusals.log() != nil {
		return false
	}
	r.checkDisk() // a checkpoint makes the file grow
	start := time.Now()
	entries, _ := r.index.Pending()
	r.speed.begin()
	taken, err := log.checkpoint()
	r.speed.end(entries, time.Since(start), taken)
	if failure := r.outcome.take(); failure != nil && r.ctx.Err() == nil && cairn.ReasonOf(failure) != "CLOSED" {
		if cairn.KindOf(failure) == cairn.KindExhausted {
			full := cairn.Errorf(cairn.KindExhausted, "DISK_FULL", "a checkpoint found the disk full; make room, and writes go on by themselves: %w", failure)
			r.refusals.setFull(full)
			r.config.Logger.Error("checkpoint failed; writes are refused until there is space", "err", failure)
			return false
		}
		r.stop(cairn.Errorf(cairn.KindUnavailable, "CHECKPOINT_FAILED", "a checkpoint failed, so no write is taken until the index is started again: %w", failure))
		return false
	}
	if err != nil {
		if r.ctx.Err() == nil {
			r.config.Logger.Warn("no checkpoint could be taken, or the log not be cut; it will be tried again", "err", err)
		}
		return false
	}
	if taken {
		r.config.Logger.Debug("checkpoint", "index", r.index.Checkpointed().Index, "took", time.Since(start))
	}
	return true
}
