package router

import (
	"context"
	"sync"

	"cairn"
	"cairn/shardmap/catalog"
)

// Locate finds one key. A key without an entry is an answer, cairn.Absent. The
// token is how fresh the answer is, and covers that of the request.
//
// It fails with KindInvalid for a key or freshness that can't be, with
// KindNotFound for a keyspace that is not there, and with the last refusal's
// kind, mostly KindUnavailable or KindNotYet, where no answer could be had in
// time.
func (r *Router) Locate(ctx context.Context, keyspace string, key cairn.Key, read cairn.Reading) (location cairn.Location, token cairn.Token, err error) {
	began := r.began()
	token, ok := r.cached(keyspace, key, &read, &location)
	if !ok {
		location, token, err = r.locate(ctx, VerbLocate, keyspace, key, read)
	}
	r.choose(&location, read.Choice)
	r.ended(VerbLocate, keyspace, 1, 0, began, err)
	return location, token, err
}

// asking is one request to an index and its reply, kept for reuse.
type asking struct {
	req   cairn.LocateRequest
	reply cairn.LocateReply
	one   [1]cairn.Key
}

var askings = sync.Pool{New: func() any { return new(asking) }}

func (a *asking) put() {
	a.one[0], a.req.Keys = nil, nil
	askings.Put(a)
}

// locate asks once, the quickest way there is, and leaves whatever does not go
// smoothly to a scatter of one key.
func (r *Router) locate(ctx context.Context, verb Verb, keyspace string, key cairn.Key, read cairn.Reading) (cairn.Location, cairn.Token, error) {
	if err := checkKey("key", key); err != nil {
		return cairn.Location{}, cairn.Token{}, err
	}
	ctx, own := r.bound(ctx)
	defer own.end()
	m, found, err := r.open(ctx, keyspace, read.Freshness)
	if err != nil {
		return cairn.Location{}, cairn.Token{}, asError(err)
	}
	d := r.connections.directory(m)
	at, shard, err := ownerOf(d, found, key)
	if err != nil {
		return cairn.Location{}, cairn.Token{}, err
	}
	member := &d.members[at]
	token := floorOf(read.Freshness)
	var learnt verdict
	if index, err := member.connection.get(member.cluster); err != nil {
		learnt = learnRead(err, cairn.Answer{}, m.Revision())
	} else {
		ask := askings.Get().(*asking)
		ask.one[0] = key
		ask.req = locateRequest(found, max(shard.Epoch, epochFloor(found, token)), member.cluster, read, ask.one[:])
		ask.reply.Answer = cairn.Answer{}
		err = index.Locate(ctx, &ask.req, &ask.reply)
		location, stamp, refused, ok := r.one(member.cluster, found, ask, err, m.Revision())
		if ok {
			r.located.fill(member.cluster, found, key, &ask.reply.Results[0], read.WithAttributes, ask.reply.Revision)
		}
		ask.put()
		if ok {
			return location, token.With(member.cluster.UID, stamp), nil
		}
		learnt = refused
	}
	return r.locateAgain(ctx, verb, found, key, read, learnt)
}

func locateRequest(keyspace *catalog.Keyspace, epoch uint64, cluster *catalog.Cluster, read cairn.Reading, keys []cairn.Key) cairn.LocateRequest {
	return cairn.LocateRequest{
		Read:           readOf(keyspace, epoch, cluster, read.Freshness),
		WithAttributes: read.WithAttributes,
		Keys:           keys,
	}
}

// readOf is what a cluster's index is to be asked with.
func readOf(keyspace *catalog.Keyspace, epoch uint64, cluster *catalog.Cluster, freshness cairn.Freshness) cairn.Read {
	read := cairn.Read{Keyspace: keyspace.UID, Epoch: epoch, Level: freshness.Level}
	if freshness.Level == cairn.AtLeast {
		read.Index = freshness.Token.Index(cluster.UID)
	}
	return read
}

// one reads the reply to a request for one key. It is not ok if the reply is
// no answer yet; the verdict says what to do then.
func (r *Router) one(cluster *catalog.Cluster, keyspace *catalog.Keyspace, ask *asking, err error, decidedBy uint64) (cairn.Location, cairn.Stamp, verdict, bool) {
	if err != nil {
		return cairn.Location{}, cairn.Stamp{}, learnRead(err, ask.reply.Answer, decidedBy), false
	}
	if len(ask.reply.Results) != 1 {
		return cairn.Location{}, cairn.Stamp{}, verdict{action: giveUp, refusal: wrongCount(cluster, 1, len(ask.reply.Results))}, false
	}
	result := &ask.reply.Results[0]
	if result.State == cairn.NotOwned {
		return cairn.Location{}, cairn.Stamp{}, learnDisowned(cluster.Name, ask.reply.Answer, decidedBy), false
	}
	names := naming{cluster: cluster, keyspace: keyspace, down: r.config.Down}
	var location cairn.Location
	known := names.location(result, &location)
	if !known && ask.reply.Revision > decidedBy {
		return cairn.Location{}, cairn.Stamp{}, learnUnknownName(cluster.Name, ask.reply.Answer), false
	}
	if result.State == cairn.Found && location.Primary == nil {
		return cairn.Location{}, cairn.Stamp{}, verdict{action: giveUp, refusal: nodeUnknown(cluster, ask.req.Keys[0], result.Nodes)}, false
	}
	return location, result.Stamp, verdict{}, true
}

// location sets a result's location, with names, and tells whether all its ids are known.
func (n *naming) location(result *cairn.Located, location *cairn.Location) bool {
	*location = cairn.Location{State: result.State, Cluster: n.cluster.Name}
	if result.State != cairn.Found {
		return true
	}
	var nodesKnown, valuesKnown bool
	location.Primary, location.Replicas, nodesKnown = n.answering(result.Nodes)
	location.Attributes, valuesKnown = n.attributes(result.Attributes)
	location.Version, location.Epoch = result.Version, result.Stamp.Epoch
	return nodesKnown && valuesKnown
}

func wrongCount(cluster *catalog.Cluster, asked, answered int) *cairn.Error {
	return cairn.Errorf(cairn.KindInternal, "ANSWER_COUNT", "the index of cluster %s gave %d results to a request of %d", cluster.Name, answered, asked)
}

// locateAgain goes on where the first try ended without an answer.
func (r *Router) locateAgain(ctx context.Context, verb Verb, keyspace *catalog.Keyspace, key cairn.Key, read cairn.Reading, learnt verdict) (cairn.Location, cairn.Token, error) {
	token := floorOf(read.Freshness)
	work := locating{keyspace: keyspace.Name, read: read, down: r.config.Down, located: r.located, locations: make([]cairn.Location, 1), token: token}
	s := scatter{router: r, verb: verb, name: keyspace.Name, keyspace: keyspace.UID, token: token, keys: []cairn.Key{key}, worker: &work}
	work.keys = s.keys
	var t trial
	if s.prepareNext(ctx, "", 1, learnt, &t) {
		s.run(ctx, nil, t)
	} else {
		work.fail([]int32{0}, s.final(ctx, learnt, t))
	}
	if err := work.locations[0].Err; err != nil {
		return cairn.Location{}, cairn.Token{}, err
	}
	return work.locations[0], work.token, nil
}
