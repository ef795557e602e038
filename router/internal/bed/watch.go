package bed

import (
	"context"
	"slices"

	"cairn"
)

// Compact forgets every change so far.
func (x *Index) Compact() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.compacted, x.changes = x.applied, nil
}

// Watch implements router.Index.
func (x *Index) Watch(ctx context.Context, req cairn.WatchRequest, deliver func(cairn.WatchBatch) error) error {
	if err := x.fault(CallWatch).before(); err != nil {
		return err
	}
	for first := true; ; first = false {
		batch, grown, err := x.since(&req, first)
		if err != nil {
			return err
		}
		if err := deliver(batch); err != nil {
			return err
		}
		if err := x.fault(CallWatch).before(); err != nil {
			return err
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// since is what happened after a request's index, which it moves on.
func (x *Index) since(req *cairn.WatchRequest, first bool) (cairn.WatchBatch, <-chan struct{}, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !slices.ContainsFunc(x.assigned.Keyspaces, func(k cairn.Keyspace) bool { return k.UID == req.Keyspace }) && len(x.changes) == 0 {
		return cairn.WatchBatch{}, nil, cairn.Errorf(cairn.KindStale, "KEYSPACE_UNKNOWN", "the log does not know the keyspace")
	}
	if first && req.After == 0 {
		req.After = x.applied
	}
	if req.After < x.compacted {
		return cairn.WatchBatch{}, nil, cairn.Errorf(cairn.KindCompacted, "STAMP_COMPACTED", "changes up to %d are no longer held", x.compacted)
	}
	batch := cairn.WatchBatch{Answer: cairn.Answer{Revision: x.assigned.Revision, Index: x.applied}}
	for _, each := range x.changes {
		if each.keyspace == req.Keyspace && each.Stamp.Index > req.After {
			batch.Changes = append(batch.Changes, each.Change)
		}
	}
	req.After = x.applied
	return batch, x.grown, nil
}
