package router

import (
	"context"
	"sync"

	"cairn"
	"cairn/shardmap/catalog"
)

// BatchLocate finds up to cairn.MaxBatch keys. Locations come in the order of
// the keys, each with its own outcome. The token covers every location that
// is no error.
//
// It fails as a whole, as Locate does, for a keyspace, a freshness or a count
// that can't be, and if no key at all could be answered: then with the error
// of the first.
func (r *Router) BatchLocate(ctx context.Context, keyspace string, keys []cairn.Key, read cairn.Reading) ([]cairn.Location, cairn.Token, error) {
	began := r.began()
	work, err := r.batchLocate(ctx, keyspace, keys, read)
	if err == nil && work.failed == len(keys) {
		err = work.locations[0].Err
	}
	r.ended(VerbBatchLocate, keyspace, len(keys), work.failed, began, err)
	if err != nil {
		return nil, cairn.Token{}, err
	}
	return work.locations, work.token, nil
}

func (r *Router) batchLocate(ctx context.Context, keyspace string, keys []cairn.Key, read cairn.Reading) (*locating, error) {
	work := &locating{keyspace: keyspace, keys: keys, read: read, down: r.config.Down, token: floorOf(read.Freshness)}
	if err := checkCount("keys", len(keys)); err != nil {
		return work, err
	}
	ctx, own := r.bound(ctx)
	defer own.end()
	_, found, err := r.open(ctx, keyspace, read.Freshness)
	if err != nil {
		return work, asError(err)
	}
	work.locations = make([]cairn.Location, len(keys))
	s := scatter{
		router: r, verb: VerbBatchLocate, name: keyspace, keyspace: found.UID,
		token: work.token, keys: keys, worker: work,
	}
	if valid := work.checkKeys(); valid == nil || len(valid) > 0 {
		s.run(ctx, valid, trial{})
	}
	return work, nil
}

// checkKeys fails the keys that can't be. It returns the positions of the
// others, nil if that is all of them.
func (l *locating) checkKeys() []int32 {
	bad := 0
	for i, key := range l.keys {
		if len(key) == 0 || len(key) > cairn.MaxKeyLength {
			l.locations[i].Err = checkKey(indexed("keys", i), key)
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	l.failed = bad
	valid := make([]int32, 0, len(l.keys)-bad)
	for i := range l.keys {
		if l.locations[i].Err == nil {
			valid = append(valid, int32(i))
		}
	}
	return valid
}

// locating is the work of locating many keys.
type locating struct {
	keyspace  string
	keys      []cairn.Key
	read      cairn.Reading
	down      func(cairn.UID, cairn.NodeID) bool // see Config
	locations []cairn.Location

	mu     sync.Mutex // guards what the groups add up to
	token  cairn.Token
	failed int
}

func (l *locating) fail(positions []int32, err *cairn.Error) {
	for _, position := range positions {
		each := *err
		each.Key = l.keys[position]
		l.locations[position] = cairn.Location{Err: &each}
	}
	l.mu.Lock()
	l.failed += len(positions)
	l.mu.Unlock()
}

func (l *locating) ask(ctx context.Context, index Index, e *errand) ([]int32, verdict) {
	cluster := e.member().cluster
	ask := askings.Get().(*asking)
	defer ask.put()
	ask.req = locateRequest(e.keyspace, e.group.epoch, cluster, l.read, e.group.keys)
	ask.reply.Answer = cairn.Answer{}
	if err := index.Locate(ctx, &ask.req, &ask.reply); err != nil {
		return e.group.positions, learnRead(err, ask.reply.Answer, e.revision())
	}
	if len(ask.reply.Results) != len(e.group.keys) {
		return e.group.positions, verdict{action: giveUp, refusal: wrongCount(cluster, len(e.group.keys), len(ask.reply.Results))}
	}
	return l.take(cluster, e, &ask.reply)
}

// take fills in the locations that a reply answers. The positions that it does
// not answer are gathered at the front of the group's own slice.
func (l *locating) take(cluster *catalog.Cluster, e *errand, reply *cairn.LocateReply) (refused []int32, learnt verdict) {
	names := naming{cluster: cluster, keyspace: e.keyspace, down: l.down}
	refused = e.group.positions[:0]
	var stamp cairn.Stamp
	for i := range reply.Results {
		result, position := &reply.Results[i], e.group.positions[i]
		if result.State == cairn.NotOwned {
			refused = append(refused, position)
			if learnt.refusal == nil {
				learnt = learnDisowned(cluster.Name, reply.Answer, e.revision())
			}
			continue
		}
		location, known := names.location(result)
		if !known && reply.Revision > e.revision() {
			refused, learnt = append(refused, position), learnUnknownName(cluster.Name, reply.Answer)
			continue
		}
		if result.State == cairn.Found && location.Primary == nil {
			l.fail([]int32{position}, nodeUnknown(cluster, l.keys[position], result.Nodes))
			continue
		}
		stamp.Epoch, stamp.Index = max(stamp.Epoch, result.Stamp.Epoch), max(stamp.Index, result.Stamp.Index)
		l.locations[position] = location
	}
	if stamp != (cairn.Stamp{}) {
		l.mu.Lock()
		l.token = l.token.With(cluster.UID, stamp)
		l.mu.Unlock()
	}
	return refused, learnt
}
