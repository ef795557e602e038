package nodeindex

import (
	"cairn"
)

// This file takes what is remembered of requests along when a shard moves.
// Requests are by keyspace, and what became of each of their writes names the
// shard and its epoch then. A move takes the outcomes of its shard, and those of
// epochs before the shard had its bounds, when its keys may have been in others.

// boundedSince is the epoch since which the shard has had its bounds, or a later one.
func (s *shard) boundedSince() uint64 {
	if s.bounded == 0 {
		return s.Epoch
	}
	return s.bounded
}

// requestTail is a part of a slice of requests that does not change.
type requestTail struct {
	second  int64
	records []byte
	places  *requestPlaces
}

// since are the slices that have records which came after a log index. Those
// before them are in it too.
func (q *requests) since(keyspace cairn.UID, after uint64) []requestTail {
	var out []requestTail
	for _, s := range q.keyspaces[keyspace] {
		if s.newest > after {
			out = append(out, requestTail{s.second, s.records[:len(s.records):len(s.records)], &s.places})
		}
	}
	return out
}

// next is the record at an offset, as it moves with a shard that has had its bounds since
// an epoch, and where the one behind it begins. It has no outcomes if none goes along.
func (t *requestTail) next(id cairn.ShardID, bounded uint64, offset int) (r movedRequest, came uint64, behind int) {
	d := decoder{rest: t.records[offset:]}
	r.second = t.second
	request, came, outcomes := d.record()
	r.id = request
	for o := (outcome{}); outcomes.next(&o); {
		if o.shard == id || o.version.Epoch < bounded {
			outcomes.rest(&o)
			r.outcomes = append(r.outcomes, o)
		}
	}
	return r, came, len(t.records) - len(d.rest)
}

// receive remembers what came with a shard at a log index. What is known
// already, or older than what is remembered, is passed over.
func (q *requests) receive(keyspace cairn.UID, p *piece, index uint64, limit int64) {
	q.latest = max(q.latest, p.times.latest)
	q.raise(p.times.horizon)
	for i := range p.requests {
		r := &p.requests[i]
		if (r.second+1)*microsPerSecond <= q.horizon {
			continue
		}
		name := requestName{r.id, r.second * microsPerSecond}
		if fresh := q.unknown(keyspace, name, r.outcomes); len(fresh) > 0 {
			q.remember(keyspace, name, index, fresh, limit)
		}
	}
}
