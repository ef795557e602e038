package router

import (
	"context"
	"time"

	"cairn"
	"cairn/shardmap/placement"
)

// The layers of an Explanation's timings.
const (
	LayerShardmap  = "shardmap"
	LayerNodeindex = "nodeindex"
	LayerRouter    = "router"
)

// Explain locates one key and tells how: what each layer decided by and took, and what the
// cache of locations has to say, though the answer is always the index's. It fails as
// Locate does.
func (r *Router) Explain(ctx context.Context, keyspace string, key cairn.Key, freshness cairn.Freshness) (cairn.Explanation, error) {
	began := time.Now()
	explanation, err := r.explain(ctx, began, keyspace, key, freshness)
	r.ended(VerbExplain, keyspace, 1, 0, began, err)
	return explanation, err
}

// explaining is the work of locating one key while taking notes.
type explaining struct {
	locating
	out       *cairn.Explanation
	index     Index
	indexTime time.Duration
}

func (x *explaining) ask(ctx context.Context, index Index, e *errand) ([]int32, verdict) {
	began := time.Now()
	_, shard, err := ownerOf(e.directory, e.keyspace, x.keys[0])
	if err != nil {
		return e.group.positions, verdict{action: giveUp, refusal: asError(err)}
	}
	x.out.Shard = shard.Shard
	x.out.PlacementKey = placement.Key(e.keyspace.Placement, x.keys[0], nil)
	x.out.Cluster = e.member().cluster.Name
	x.out.MapRevision = e.revision()
	x.out.Timings = []cairn.Timing{{Layer: LayerShardmap, Duration: time.Since(began)}}
	x.index = index
	refused, learnt := x.locating.ask(ctx, noting{index, x}, e)
	if len(refused) == 0 && x.out.Stamp.Epoch > shard.Epoch && x.out.Revision > e.revision() {
		// The answer is right, but the shard has changed since the router's
		// map: explain by the map that the index answered by.
		x.out.Timings = nil
		return []int32{0}, learnStale(otherShards(e.member().cluster, cairn.Answer{Revision: x.out.Revision}, e.revision()), cairn.Answer{Revision: x.out.Revision}, e.revision())
	}
	return refused, learnt
}

// noting is an index whose answer is noted.
type noting struct {
	Index
	explaining *explaining
}

func (n noting) Locate(ctx context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) error {
	began := time.Now()
	err := n.Index.Locate(ctx, req, reply)
	n.explaining.indexTime += time.Since(began)
	n.explaining.out.Revision = reply.Revision
	if err == nil && len(reply.Results) == 1 {
		n.explaining.out.Stamp = reply.Results[0].Stamp
	}
	return err
}

func (r *Router) explain(ctx context.Context, began time.Time, keyspace string, key cairn.Key, freshness cairn.Freshness) (cairn.Explanation, error) {
	var out cairn.Explanation
	if err := checkKey("key", key); err != nil {
		return out, err
	}
	ctx, own := r.bound(ctx)
	defer own.end()
	m, found, err := r.open(ctx, keyspace, freshness)
	if err != nil {
		return out, asError(err)
	}
	// Before it may be filled with what is found.
	cached := r.located.look(r.connections.directory(m), found, key, &cairn.Reading{Freshness: freshness})
	work := &explaining{out: &out, locating: locating{
		keyspace: keyspace, keys: []cairn.Key{key}, read: cairn.Reading{Freshness: freshness, WithAttributes: true},
		locations: make([]cairn.Location, 1), token: floorOf(freshness), down: r.config.Down,
	}}
	s := scatter{router: r, verb: VerbExplain, name: keyspace, keyspace: found.UID, token: work.token, keys: work.keys, worker: work}
	s.run(ctx, nil, trial{})
	if err := work.locations[0].Err; err != nil {
		return cairn.Explanation{}, err
	}
	out.Location, out.Token, out.Cache = work.locations[0], work.token, cached
	r.choose(&out.Location, cairn.NodeChoice{})
	rest := time.Since(began) - work.indexTime - out.Timings[0].Duration
	out.Timings = append(out.Timings,
		cairn.Timing{Layer: LayerNodeindex, Duration: work.indexTime},
		cairn.Timing{Layer: LayerRouter, Duration: rest})
	// Who answered is worth a second question, but not a failure.
	if status, err := work.index.Status(ctx, 0); err == nil {
		out.Replica = status.Replica
	}
	return out, nil
}
