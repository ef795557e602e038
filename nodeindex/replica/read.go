package replica

import (
	"context"
	"time"

	"cairn"
)

// Locate answers from the applied state once that is as fresh as the request
// asks. A request that needs no wait is answered even if ctx has ended.
// Errors: KindNotYet (the log has not reached it when ctx ends),
// KindUnavailable (linearizable, and leadership can't be made sure of;
// CLOSED), KindCorrupt (DIVERGED, DATA_LOSS for what a restore has lost, or
// damage that was met).
func (r *Replica) Locate(ctx context.Context, request *cairn.LocateRequest, reply *cairn.LocateReply) error {
	if err := r.fresh(ctx, request.Read); err != nil {
		return err
	}
	if err := r.decided(ctx, request.Read, request.Keys); err != nil {
		return err
	}
	return r.index.Locate(request, reply)
}

// List answers a page, fresh as Locate's answer.
func (r *Replica) List(ctx context.Context, request *cairn.ListRequest) (*cairn.ListReply, error) {
	if err := r.freshWhole(ctx, request.Read); err != nil {
		return nil, err
	}
	reply := new(cairn.ListReply)
	if err := r.index.List(request, reply); err != nil {
		return nil, err
	}
	return reply, nil
}

// Status says how the replica does, once its log has noted the map revision
// epoch. KindNotYet: ctx ended first; KindUnavailable (CLOSED).
func (r *Replica) Status(ctx context.Context, epoch uint64) (cairn.IndexStatus, error) {
	if err := r.reach(ctx, epoch, 0); err != nil {
		return cairn.IndexStatus{}, err
	}
	status := r.index.Status()
	if r.ctx.Err() != nil { // what a closed index says of itself means nothing
		return cairn.IndexStatus{}, errClosed()
	}
	status.Replica = r.config.Name
	status.Diverged = r.index.Diverged() != nil
	identity := r.Identify()
	status.ReplicaID, status.Members, status.WriteRefusal = identity.ReplicaID, identity.Members, identity.WriteRefusal
	return status, nil
}

// Identify says who this replica is and who else is of its group, at once.
func (r *Replica) Identify() cairn.Identity {
	identity := cairn.Identity{Cluster: r.config.Cluster, ReplicaID: r.config.ID, Members: r.Members()}
	identity.AppliedIndex, identity.MapRevision = r.index.Position()
	if err := r.index.Diverged(); err != nil {
		identity.WriteRefusal = err.Error()
	} else if refusal := r.refusals.get(); refusal != nil {
		identity.WriteRefusal = refusal.Error()
	}
	return identity
}

// fresh waits until the applied state may answer the request.
func (r *Replica) fresh(ctx context.Context, read cairn.Read) error {
	if err := r.index.Diverged(); err != nil {
		return err
	}
	var index uint64
	switch read.Level {
	case cairn.AtLeast:
		if index = read.Index; index > 0 {
			if err := r.index.Lost(index); err != nil {
				return err
			}
		}
	case cairn.Linearizable:
		var err error
		if index, err = r.verifies.join(ctx, 0); err != nil {
			if ctx.Err() != nil {
				return cairn.Errorf(cairn.KindNotYet, "LEADERSHIP_UNVERIFIED", "waiting to make sure that this replica leads: %w", err)
			}
			return err
		}
	}
	return r.reach(ctx, read.Epoch, index)
}

// freshWhole is fresh for an answer that may have entries of any shard.
func (r *Replica) freshWhole(ctx context.Context, read cairn.Read) error {
	if err := r.fresh(ctx, read); err != nil {
		return err
	}
	return r.decided(ctx, read, nil)
}

// verify is one round of making sure of leadership, for all who wait for it.
func (r *Replica) verify(uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(r.ctx, roundTimeout)
	defer cancel()
	if refusal := r.refusals.log(); refusal != nil {
		return 0, refusal
	}
	return r.log.Load().verify(ctx)
}

// roundTimeout ends a shared verification or refresh; those who still wait
// begin another.
const roundTimeout = 10 * time.Second

// refreshPause is the wait after a refresh that failed.
const refreshPause = 50 * time.Millisecond

// followerWait is how long a follower lets a request wait for what its log has
// not reached.
const followerWait = 250 * time.Millisecond

// reach waits until the log has noted a map revision and applied an index.
// Meanwhile it has the revision fetched, where it leads. KindNotYet (LOG_BEHIND)
// when ctx ends, and soon where another leads.
func (r *Replica) reach(ctx context.Context, revision, index uint64) error {
	applied, noted := r.index.Position()
	if noted >= revision && applied >= index {
		return nil
	}
	if r.log.Load().refusal() != nil {
		// The leader may know; whoever asks does not have to wait for us.
		ctx, cancel := context.WithTimeout(ctx, followerWait)
		defer cancel()
		return r.index.Wait(ctx, revision, index)
	}
	if noted >= revision || r.config.Refresh == nil || ctx.Err() != nil {
		return r.index.Wait(ctx, revision, index)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !r.asking.begin() {
		return errClosed()
	}
	go func() {
		defer r.asking.end()
		r.fetch(ctx, revision)
	}()
	return r.index.Wait(ctx, revision, index)
}

// fetch refreshes until the log has noted the revision or ctx ends.
func (r *Replica) fetch(ctx context.Context, revision uint64) {
	for {
		_, err := r.refreshes.join(ctx, revision)
		if _, noted := r.index.Position(); noted >= revision || ctx.Err() != nil {
			return
		}
		if err != nil {
			r.config.Logger.Debug("refreshing the assignment", "revision", revision, "err", err)
		}
		select {
		case <-time.After(refreshPause):
		case <-ctx.Done():
			return
		}
	}
}

// refresh is one fetch of the assignment, for all who wait for a revision.
func (r *Replica) refresh(revision uint64) (uint64, error) {
	if _, noted := r.index.Position(); noted >= revision {
		return noted, nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, roundTimeout)
	defer cancel()
	assignment, err := r.config.Refresh(ctx, revision)
	if err != nil {
		return 0, err
	}
	return assignment.Revision, r.Assign(ctx, assignment)
}
