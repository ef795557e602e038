package nodeindex

import (
	"cairn"
)

// tailBatches is how many batches of the keyspace's changes one part may be made
// of: most of them may be other shards'.
const tailBatches = 16

// TailShard is what has become of a shard's entries after a log index, whole log
// entries, with what is remembered of requests since. It never waits. Where the
// shard is fenced and that is all, the part is sealed. Errors: KindStale
// (NOT_OWNED), the shard is not the cluster's in that epoch; KindCompacted
// (STAMP_COMPACTED), the changes are no longer kept: copy it again; KindNotYet
// (LOG_BEHIND), the index lies ahead of the applied one; KindUnavailable (CLOSED).
//
// After index 0 the tail is that of what the shard's next owner kept of it: the part
// begins by having that adopted. KindCompacted (NOTHING_KEPT) if it is not of what
// the shard came from.
func (x *Index) TailShard(m cairn.MovingShard, after uint64) (cairn.TailPart, error) {
	t := tailer{moving: m, after: after, out: cairn.TailPart{Through: after}}
	if after == 0 {
		adoption, err := x.keptPiece(m)
		if err != nil {
			return cairn.TailPart{}, err
		}
		after = adoption.index
		t.after, t.out = after, cairn.TailPart{Through: after, Data: appendPiece(nil, &adoption)}
	}
	watcher, err := x.Watch(m.Keyspace, after)
	if err != nil {
		return cairn.TailPart{}, err
	}
	var changes []cairn.Change
	size := 0
	applied, _ := x.Position()
	for range tailBatches {
		batch, err := watcher.Poll()
		if err != nil {
			return cairn.TailPart{}, err
		}
		for i := range batch.Changes {
			if c := &batch.Changes[i]; c.Shard == m.Shard {
				changes = append(changes, *c)
				size += int(changeSize(c))
			}
		}
		t.out.Through = batch.Index
		if batch.Index >= applied || size >= partBytes {
			break
		}
	}

	t.out.More = t.out.Through < applied

	// Requests that came with these changes are there by now.
	x.mu.Lock()
	s := x.state.Load()
	if s == nil {
		x.mu.Unlock()
		return cairn.TailPart{}, errClosed
	}
	owned, refusal := s.owned(m)
	if refusal != nil {
		x.mu.Unlock()
		return cairn.TailPart{}, refusal
	}
	requests, fence := x.requests.since(m.Keyspace, after), owned.fenceState(m.Move)
	t.times, t.bounded = x.requests.requestTimes, owned.boundedSince()
	x.mu.Unlock()

	t.requests(requests)
	t.changes(changes)
	if fence.On && fence.Index <= t.out.Through {
		t.piece.seal = pieceSeal{number: fence.Number, digest: fence.Digest}
	}
	t.end(t.out.Through)
	return t.out, nil
}

// tailer makes a part of a tail.
type tailer struct {
	moving  cairn.MovingShard
	bounded uint64 // since when the shard has its bounds
	after   uint64 // where the piece begins
	times   requestTimes
	piece   piece
	size    int
	out     cairn.TailPart
}

// end ends a piece that has everything through a log index.
func (t *tailer) end(through uint64) {
	t.piece.kind, t.piece.from, t.piece.index, t.piece.times = pieceTail, t.after, through, t.times
	t.out.Data = appendPiece(t.out.Data, &t.piece)
	t.piece, t.size, t.after = piece{}, 0, through
}

// requests adds what came after the index that was asked for.
func (t *tailer) requests(slices []requestTail) {
	for i := range slices {
		for offset := 0; offset < len(slices[i].records); {
			r, came, behind := slices[i].next(t.moving.Shard, t.bounded, offset)
			if came > t.after && len(r.outcomes) > 0 {
				t.piece.requests = append(t.piece.requests, r)
				t.size += behind - offset
			}
			offset = behind
			if t.size >= pieceBytes || len(t.piece.requests) >= pieceEntries {
				t.end(t.after)
			}
		}
	}
}

// changes adds what has changed. A piece that ends within a log entry has
// everything through the one before: until the rest is there, that is all.
func (t *tailer) changes(changes []cairn.Change) {
	for i := range changes {
		c := &changes[i]
		if len(t.piece.changes) >= pieceEntries || t.size >= pieceBytes {
			through := t.after
			if i > 0 && c.Stamp.Index != changes[i-1].Stamp.Index {
				through = changes[i-1].Stamp.Index
			}
			t.end(through)
		}
		moved := movedEntry{deleted: c.After == nil}
		if moved.Key = c.Key; !moved.deleted {
			moved.Version, moved.Nodes, moved.Attributes = c.After.Version, c.After.Nodes, c.After.Attributes
		}
		t.piece.changes = append(t.piece.changes, moved)
		t.size += len(c.Key) + len(moved.Attributes) + 16
	}
}
