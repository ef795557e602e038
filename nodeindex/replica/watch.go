package replica

import (
	"context"

	"cairn"
)

// Watch delivers the changes of a keyspace, and where the log stands at once,
// after each of them, and every Heartbeat. It ends when ctx does
// (KindDeadline), when deliver fails, with its error, or with KindCompacted
// (changes after that index are no longer kept), KindStale (NOT_OWNED: the
// keyspace is not here), KindCorrupt (DATA_LOSS) or KindUnavailable (CLOSED). An index that the log has
// not reached is waited for.
func (r *Replica) Watch(ctx context.Context, request cairn.WatchRequest, deliver func(cairn.WatchBatch) error) error {
	if err := r.index.Diverged(); err != nil {
		return err
	}
	if err := r.index.Lost(request.After); err != nil {
		return err
	}
	if err := r.index.Wait(ctx, 0, request.After); err != nil {
		return err
	}
	watcher, err := r.index.Watch(request.Keyspace, request.After)
	if err != nil {
		return err
	}
	batch, err := watcher.Poll()
	for {
		if err != nil {
			return err
		}
		if err := deliver(batch); err != nil {
			return err
		}
		batch, err = r.nextBatch(ctx, watcher.Next)
		if cairn.KindOf(err) == cairn.KindDeadline && ctx.Err() == nil {
			batch, err = watcher.Poll()
		}
	}
}

// nextBatch waits for changes no longer than a heartbeat's time.
func (r *Replica) nextBatch(ctx context.Context, next func(context.Context) (cairn.WatchBatch, error)) (cairn.WatchBatch, error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.Heartbeat)
	defer cancel()
	return next(ctx)
}
