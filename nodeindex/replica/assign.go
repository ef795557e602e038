package replica

import (
	"context"

	"cairn"
)

// Concerns tells whether an assignment is newer than the log's, and differs from it by
// anything but its revision.
func (r *Replica) Concerns(assignment cairn.Assignment) bool { return r.index.Concerns(assignment) }

// Assign has the log note what the cluster owns at a map revision. One that
// is not newer than the log's is ignored. Errors: KindUnavailable (the log
// does not take it now, or another replica leads; ask again), KindUnknown (it may have been noted),
// KindDeadline, and KindInternal for an assignment that can't be, as with
// overlapping shards.
func (r *Replica) Assign(ctx context.Context, assignment cairn.Assignment) error {
	select {
	case r.assigning <- struct{}{}: // one at a time: each is the difference to the one before
		defer func() { <-r.assigning }()
	case <-ctx.Done():
		return cairn.Errorf(cairn.KindDeadline, "DEADLINE_EXCEEDED", "waiting for another assignment: %w", ctx.Err())
	case <-r.ctx.Done():
		return errClosed()
	}
	for {
		if r.ctx.Err() != nil {
			return errClosed()
		}
		if refusal := r.refusals.log(); refusal != nil {
			return refusal
		}
		log := r.log.Load()
		if _, err := log.awaitLead(ctx); err != nil {
			return asError(err)
		}
		command, changed := r.index.Diff(assignment)
		if !changed {
			return nil
		}
		result, err := log.propose(command)
		if err != nil {
			return err
		}
		if result.Err == nil {
			r.config.Logger.Debug("assignment noted", "revision", result.Revision, "index", result.Index)
			return nil
		}
		if result.Err.Kind != cairn.KindConflict {
			return result.Err
		}
	}
}
