package replica

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"cairn"
	"cairn/nodeindex"
)

// Replica is one replica of a cluster's node index. Any goroutine may call it.
type Replica struct {
	config  Config
	index   *nodeindex.Index
	machine *machine
	// log is the present log; replaced after a full disk has stopped it.
	log       atomic.Pointer[replicatedLog]
	committer *committer
	refusals  refusals
	outcome   checkpointOutcome
	speed     speed

	verifies, refreshes rounds
	latest              rounds        // of the map, for reads of fenced shards
	assigning           chan struct{} // held by the one Assign under way
	checkpointDue       chan struct{}
	checkpointAsked     chan chan<- bool // answered when one was tried

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup
	asking  inFlight // goroutines of requests
	closed  sync.Once
	closing error
}

// startTimeout is how long Open waits for the log to be replayed.
const startTimeout = time.Minute

// Open opens the replica in config.Dir, and makes one if there is none. A
// replica that is alone in its group returns once everything that was committed
// has been applied; a log that can't be written (a full disk) leaves it
// answering reads and refusing writes. Errors: KindInvalid (config), KindUnavailable (DATA_DIR_IN_USE),
// KindCorrupt (a damaged or foreign file, which is not changed; LOG_MISSING, a
// part of the log is lost), KindExhausted (DISK_FULL, and nothing there to
// serve).
func Open(config Config) (*Replica, error) {
	config, err := config.completed()
	if err != nil {
		return nil, err
	}
	index, err := nodeindex.Open(config.Dir, config.Index)
	if err != nil {
		return nil, err
	}
	if err := removeBackups(config.Dir); err != nil {
		return nil, errors.Join(err, index.Close())
	}
	r := &Replica{
		config: config, index: index, machine: &machine{index: index, disk: config.Index.Disk}, committer: newCommitter(config),
		assigning: make(chan struct{}, 1), checkpointDue: make(chan struct{}, 1),
		checkpointAsked: make(chan chan<- bool),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.verifies.run, r.refreshes.run, r.latest.run = r.verify, r.refresh, r.readLatest
	r.machine.installed = r.keepKeysAgain
	log, err := openLog(config, r.machine, r.outcome.set)
	if err != nil {
		r.cancel()
		return nil, errors.Join(err, index.Close())
	}
	r.log.Store(log)
	r.checkDisk()
	r.running.Go(r.tend)
	r.running.Go(r.commit)
	r.running.Go(r.checkpoints)
	r.running.Go(r.keepKeys)
	r.running.Go(r.tendViews)
	r.running.Go(r.marks)
	r.awaitStart(log)
	return r, nil
}

// awaitStart waits until a replica that is the only one of its group has
// applied its whole log. Others hear from their leader how far to go.
func (r *Replica) awaitStart(log *replicatedLog) {
	if !log.alone() {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, startTimeout)
	defer cancel()
	if _, err := log.awaitLead(ctx); err != nil && ctx.Err() != nil {
		r.config.Logger.Warn("the log is not ready yet; it may be long, or the disk slow", "dir", r.config.Dir)
	}
}

// closingTime is how long Close may be kept by a checkpoint. One that would take
// longer is left out or given up: the log has what it would have written.
const closingTime = time.Second

// Close ends everything under way and closes the files. Calls after it are
// KindUnavailable (CLOSED).
func (r *Replica) Close() error {
	r.closed.Do(func() {
		r.committer.close()
		if entries, _ := r.index.Pending(); r.speed.within(entries, closingTime) {
			giveUp := time.AfterFunc(closingTime, r.index.Interrupt)
			r.checkpoint() // one that fails is made up for from the log
			giveUp.Stop()
		}
		r.cancel()
		r.index.Interrupt()
		r.log.Load().close(r.config.Logger)
		r.running.Wait()
		// tend may have opened another log meanwhile.
		r.log.Load().close(r.config.Logger)
		r.verifies.close()
		r.closing = r.index.Close()
		<-r.asking.drain()
		r.refreshes.close()
		r.latest.close()
	})
	return r.closing
}

// keepKeys reads the keys into memory. Until it has, they are read from the
// file.
func (r *Replica) keepKeys() {
	start := time.Now()
	if err := r.index.KeepKeys(r.ctx); err != nil && r.ctx.Err() == nil {
		r.config.Logger.Error("the keys could not be read into memory; locates go on from the file", "err", err)
		return
	}
	r.config.Logger.Debug("keys in memory", "took", time.Since(start))
}

// keepKeysAgain is for an index that has gone on from a snapshot.
func (r *Replica) keepKeysAgain() {
	r.config.Logger.Info("the index goes on from a snapshot of the leader's", "index", r.index.Checkpointed().Index)
	if !r.asking.begin() {
		return
	}
	go func() {
		defer r.asking.end()
		r.keepKeys()
	}()
}

// tend looks after the disk and the log until the replica closes.
func (r *Replica) tend() {
	tick := time.NewTicker(diskInterval)
	defer tick.Stop()
	failed := r.log.Load().store.failed
	var overtaken <-chan time.Time
	var aside time.Time
	for {
		select {
		case <-tick.C:
			r.checkHang()
			enough := r.checkDisk()
			aside = r.stepAside(aside)
			if failed == nil && enough && r.reopen() {
				failed = r.log.Load().store.failed
			}
		case <-failed:
			failed = nil
			if err := r.log.Load().store.err(); !errors.Is(err, errOvertaken) {
				r.stop(stopReason(err))
				continue
			}
			// First the leader is told that the snapshot is here: it would send another.
			overtaken = time.After(diskInterval)
		case <-overtaken:
			r.stop(stopReason(errOvertaken))
		case <-r.ctx.Done():
			return
		}
	}
}

// stopReason is what a failure of the log means for writes.
func stopReason(failure error) *cairn.Error {
	if isFull(failure) {
		return cairn.Errorf(cairn.KindExhausted, "DISK_FULL", "the log found the disk full; make room, and writes go on by themselves: %w", failure)
	}
	if errors.Is(failure, errOvertaken) {
		return cairn.Errorf(cairn.KindUnavailable, "LOG_OVERTAKEN", "the log is opened anew: %w", failure)
	}
	return cairn.Errorf(cairn.KindUnavailable, "LOG_FAILED", "the log could not be written, so no write is taken until the index is started again: %w", failure)
}

// stop stops the log for a reason. Reads go on.
func (r *Replica) stop(reason *cairn.Error) {
	r.config.Logger.Error("the log is stopped; reads go on", "err", reason)
	r.refusals.setStopped(reason)
	r.log.Load().close(r.config.Logger)
}

// reopen opens a log that a full disk has stopped again, or one that a
// snapshot has overtaken, as after a crash. It is false if it was stopped by
// anything else, or can't be opened yet.
func (r *Replica) reopen() bool {
	reason := r.refusals.log()
	if reason == nil || reason.Kind != cairn.KindExhausted && !errors.Is(reason, errOvertaken) {
		return false
	}
	log, err := openLog(r.config, r.machine, r.outcome.set)
	if err != nil {
		if cairn.KindOf(err) != cairn.KindExhausted {
			r.refusals.setStopped(cairn.Errorf(cairn.KindUnavailable, "LOG_FAILED", "the log can't be opened again: %w", err))
		}
		r.config.Logger.Error("opening the log again", "err", err)
		return false
	}
	r.log.Store(log)
	r.refusals.setStopped(nil)
	r.config.Logger.Info("the log is written again")
	return true
}
