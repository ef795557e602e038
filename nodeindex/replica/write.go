package replica

import (
	"context"
	"runtime"
	"time"

	"cairn"
)

// Write has the mutations of a request take effect, durably, and returns how
// each went. Errors of the request as a whole: KindInvalid (more than
// cairn.MaxBatch mutations), KindNotYet (the log has not noted the map
// revision that the request was decided by), KindExhausted (DISK_FULL,
// QUEUE_FULL), KindUnavailable (LOG_FAILED, NOT_LEADER, NO_LEADER, CLOSED), KindDeadline
// (withdrawn before it took effect), all of which changed nothing; and
// KindUnknown (OUTCOME_UNKNOWN).
func (r *Replica) Write(ctx context.Context, request *cairn.WriteRequest) (*cairn.WriteReply, error) {
	if len(request.Mutations) > cairn.MaxBatch {
		return nil, cairn.Invalid("mutations", "BATCH_TOO_LARGE", "%d mutations; a request has at most %d", len(request.Mutations), cairn.MaxBatch)
	}
	if err := r.index.Diverged(); err != nil {
		return nil, err
	}
	if refusal := r.refusals.get(); refusal != nil {
		return nil, refusal
	}
	if refusal := r.log.Load().refusal(); refusal != nil {
		return nil, refusal
	}
	if err := r.reach(ctx, request.Epoch, 0); err != nil {
		return nil, err
	}
	if len(request.Mutations) == 0 {
		applied, revision := r.index.Position()
		return &cairn.WriteReply{Answer: cairn.Answer{Revision: revision, Index: applied}}, nil
	}
	if reply := r.index.FencedWrites(request); reply != nil {
		return reply, nil
	}
	return r.committer.submit(ctx, request)
}

// commit runs the committer until the replica closes.
func (r *Replica) commit() {
	slots := make(chan struct{}, commandsInFlight)
	for {
		select {
		case <-r.committer.wake:
		case <-r.ctx.Done():
			r.committer.failAll(errClosed())
			return
		}
		if len(slots) > 0 && r.committer.waitsForMore() {
			if refusal := r.refusals.get(); refusal != nil {
				r.committer.failAll(refusal) // what is on its way may never come to its end
			}
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-r.ctx.Done():
			r.committer.failAll(errClosed())
			return
		}
		log, err := r.readyLog()
		if err == nil {
			err = r.awaitRelief()
		}
		if err != nil {
			r.committer.failAll(err)
			<-slots
			continue
		}
		// Writers that can run come first, and share this command. Where there are more of
		// them than processors, each would have one of its own, with a sync, for which all
		// else that the process does waits.
		runtime.Gosched()
		r.committer.encoding.Lock()
		batch := r.committer.take()
		var command []byte
		if len(batch) > 0 {
			requests := make([]*cairn.WriteRequest, len(batch))
			for i, w := range batch {
				requests[i] = w.request
			}
			command = r.index.Prepare(r.config.Now(), requests)
		}
		r.committer.encoding.Unlock()
		if len(batch) == 0 {
			<-slots
			continue
		}
		r.running.Go(func() {
			r.finish(log, command, batch)
			<-slots
			r.committer.landed()
		})
	}
}

// finish has a command applied and answers those whose requests it holds.
func (r *Replica) finish(log *replicatedLog, command []byte, batch []*waitingWrite) {
	result, err := log.propose(command)
	if err == nil && result.Err != nil {
		err = result.Err
	}
	if err == nil && len(result.Requests) != len(batch) {
		err = cairn.Errorf(cairn.KindInternal, "LOG_RESPONSE", "%d outcomes for %d requests", len(result.Requests), len(batch))
	}
	for i, w := range batch {
		if err != nil {
			w.err = err
		} else {
			w.reply = &cairn.WriteReply{Answer: result.Answer, Results: result.Requests[i]}
		}
		w.done <- struct{}{}
	}
	if _, bytes := r.index.Pending(); bytes >= r.config.CheckpointBytes {
		r.checkpointSoon()
	}
}

// readyLog is the log once it takes commands, or why it does not.
func (r *Replica) readyLog() (*replicatedLog, error) {
	if refusal := r.refusals.get(); refusal != nil {
		return nil, refusal
	}
	log := r.log.Load()
	if _, err := log.awaitLead(r.ctx); err != nil {
		if r.ctx.Err() != nil {
			err = errClosed()
		}
		return nil, err
	}
	return log, nil
}

// slowest is how long a command waits that comes when there is nearly too much that
// no checkpoint holds.
const slowest = 100 * time.Millisecond

// slowdown is how long a command waits that comes when so many bytes are in no
// checkpoint.
func (c *Config) slowdown(bytes int64) time.Duration {
	slow := (c.CheckpointBytes + c.OverlayBytes) / 2
	if bytes <= slow || bytes >= c.OverlayBytes { // from there on it waits for the checkpoint
		return 0
	}
	return time.Duration(float64(bytes-slow) / float64(c.OverlayBytes-slow) * float64(slowest))
}

// awaitRelief waits while there is too much that no checkpoint holds. Half way to
// there it begins to wait a little, so that writes come as fast as checkpoints bring
// relief instead of standing still until one is over.
func (r *Replica) awaitRelief() error {
	_, bytes := r.index.Pending()
	if pause := r.config.slowdown(bytes); pause > 0 {
		select {
		case <-time.After(pause):
		case <-r.ctx.Done():
			return errClosed()
		}
	}
	return r.awaitCheckpoint(r.config.OverlayBytes)
}

// moveBytes is from how many bytes on, that no checkpoint holds, what arrives with shards
// waits for one: before writes are slowed down, with room for those that come meanwhile.
func (c *Config) moveBytes() int64 { return (3*c.CheckpointBytes + c.OverlayBytes) / 4 }

// awaitCheckpoint waits while as many bytes are in no checkpoint.
func (r *Replica) awaitCheckpoint(most int64) error {
	for {
		if _, bytes := r.index.Pending(); bytes < most {
			return nil
		}
		if refusal := r.refusals.get(); refusal != nil {
			return refusal
		}
		r.checkpointSoon()
		select {
		case <-time.After(5 * time.Millisecond):
		case <-r.ctx.Done():
			return errClosed()
		}
	}
}
