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
	work := &locating{keyspace: keyspace, keys: keys, read: read, down: r.config.Down, located: r.located}
	err := r.batchLocate(ctx, work)
	r.chooseAll(work.locations, nil, read.Choice)
	if err == nil && work.failed == len(keys) {
		err = work.locations[0].Err
	}
	r.ended(VerbBatchLocate, keyspace, len(keys), work.failed, began, err)
	if err != nil {
		return nil, cairn.Token{}, err
	}
	return work.locations, work.token, nil
}

// LocatedPart is told what became of some keys of a batch: of those at the
// positions, all of them in their order if nil, whose locations stand there. The
// token covers these locations. It is called from several goroutines, each time
// with other positions, and may not keep its arguments.
type LocatedPart func(locations []cairn.Location, positions []int32, token cairn.Token)

// BatchLocateInParts is BatchLocate for a batch of many who do not know each
// other: what a cluster answers is told at once, so that nobody waits for a
// cluster that he asked nothing. It returns once part has been told of every key,
// or with an error and without having told anything, as BatchLocate fails for
// what can't be.
func (r *Router) BatchLocateInParts(ctx context.Context, keyspace string, keys []cairn.Key, read cairn.Reading, part LocatedPart) error {
	began := r.began()
	chosen := func(locations []cairn.Location, positions []int32, token cairn.Token) {
		r.chooseAll(locations, positions, read.Choice)
		part(locations, positions, token)
	}
	slab := slabs.Get().(*[]cairn.Location)
	work := &locating{keyspace: keyspace, keys: keys, read: read, down: r.config.Down, located: r.located, part: chosen, locations: *slab}
	err := r.batchLocate(ctx, work)
	// Not deferred: after a panic other goroutines may still be at work.
	if cap(work.locations) <= mostSlab {
		clear(work.locations)
		*slab = work.locations[:0]
		slabs.Put(slab)
	}
	r.ended(VerbBatchLocate, keyspace, len(keys), work.failed, began, err)
	return err
}

// slabs are empty slices for the locations of batches that are told in parts, which
// nobody keeps: most of what such a batch would allocate. What is behind their ends is
// zero. Those of more than mostSlab are not kept.
var slabs = sync.Pool{New: func() any { return new([]cairn.Location) }}

const mostSlab = 1024

func (r *Router) batchLocate(ctx context.Context, work *locating) error {
	if err := checkCount("keys", len(work.keys)); err != nil {
		return err
	}
	ctx, own := r.bound(ctx)
	defer own.end()
	m, found, err := r.open(ctx, work.keyspace, work.read.Freshness)
	if err != nil {
		return asError(err)
	}
	work.token = floorOf(work.read.Freshness)
	if cap(work.locations) < len(work.keys) {
		work.locations = make([]cairn.Location, len(work.keys))
	}
	work.locations = work.locations[:len(work.keys)]
	rest := r.cachedBatch(r.connections.directory(m), found, work, work.checkKeys())
	s := scatter{
		router: r, verb: VerbBatchLocate, name: work.keyspace, keyspace: found.UID,
		token: floorOf(work.read.Freshness), keys: work.keys, worker: work,
	}
	if rest == nil || len(rest) > 0 {
		s.run(ctx, rest, trial{})
	}
	return nil
}

// checkKeys fails the keys that can't be. It returns the positions of the
// others, nil if that is all of them.
func (l *locating) checkKeys() []int32 {
	var bad []int32
	for i, key := range l.keys {
		if len(key) == 0 || len(key) > cairn.MaxKeyLength {
			l.locations[i].Err = checkKey(indexed("keys", i), key)
			bad = append(bad, int32(i))
		}
	}
	if bad == nil {
		return nil
	}
	l.failed = len(bad)
	if l.part != nil {
		l.part(l.locations, bad, l.token)
	}
	valid := make([]int32, 0, len(l.keys)-len(bad))
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
	located   *located                           // takes in what indexes answer; may be nil
	locations []cairn.Location
	part      LocatedPart // nil: nobody is told before the end

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
	if l.part != nil {
		l.part(l.locations, positions, floorOf(l.read.Freshness))
	}
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
	var answered []int32
	if l.part != nil {
		answered = make([]int32, 0, len(reply.Results))
	}
	var stamp cairn.Stamp
	var location cairn.Location
	for i := range reply.Results {
		result, position := &reply.Results[i], e.group.positions[i]
		if result.State == cairn.NotOwned {
			refused = append(refused, position)
			if learnt.refusal == nil {
				learnt = learnDisowned(cluster.Name, reply.Answer, e.revision())
			}
			continue
		}
		known := names.location(result, &location)
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
		l.located.fill(cluster, e.keyspace, l.keys[position], result, l.read.WithAttributes, reply.Revision)
		if l.part != nil {
			answered = append(answered, position)
		}
	}
	switch {
	case l.part == nil && stamp != (cairn.Stamp{}):
		l.mu.Lock()
		l.token = l.token.With(cluster.UID, stamp)
		l.mu.Unlock()
	case len(answered) == len(l.keys):
		l.part(l.locations, nil, floorOf(l.read.Freshness).With(cluster.UID, stamp))
	case len(answered) > 0:
		l.part(l.locations, answered, floorOf(l.read.Freshness).With(cluster.UID, stamp))
	}
	return refused, learnt
}
