package router

import (
	"time"

	"cairn"
	"cairn/router/cache"
	"cairn/shardmap/catalog"
)

// CacheConfig is of a router's cache of locations. The zero CacheConfig is none.
type CacheConfig struct {
	// Bytes bounds the memory of what is cached, in about; 0 for no cache.
	Bytes int64
	// Staleness is how long an eventual read may be answered from the cache after an
	// index was last heard of; 0 for DefaultCacheStaleness. It adds to how far the
	// replica that told of its changes was behind.
	Staleness time.Duration
	// CheckEvery has one of so many answers from the cache compared with a linearizable
	// one; 0 for DefaultCheckEvery.
	CheckEvery uint32
}

// DefaultCacheStaleness is four heartbeats of an index.
const DefaultCacheStaleness = 2 * time.Second

// DefaultCheckEvery is how many answers from the cache there are for one that is
// compared.
const DefaultCheckEvery = 1024

func (c *CacheConfig) prepare() error {
	if c.Bytes < 0 {
		return cairn.Invalid("cache_bytes", "CACHE_BYTES_NEGATIVE", "a cache of %d bytes", c.Bytes)
	}
	if c.Staleness < 0 {
		return cairn.Invalid("cache_staleness", "CACHE_STALENESS_NEGATIVE", "a staleness of %s", c.Staleness)
	}
	if c.Staleness == 0 {
		c.Staleness = DefaultCacheStaleness
	}
	if c.CheckEvery == 0 {
		c.CheckEvery = DefaultCheckEvery
	}
	return nil
}

// CacheStats are how the cache of locations does; false without one.
func (r *Router) CacheStats() (cache.Stats, bool) {
	if r.located == nil {
		return cache.Stats{}, false
	}
	return r.located.cache.Stats(), true
}

// cached answers a read of one key from the cache, if that may. It neither waits nor
// allocates.
func (r *Router) cached(keyspace string, key cairn.Key, read cairn.Reading) (cairn.Location, cairn.Token, bool) {
	if r.located == nil || read.Freshness.Level >= cairn.Linearizable {
		return cairn.Location{}, cairn.Token{}, false
	}
	token := floorOf(read.Freshness)
	m := r.config.Topology.Map()
	if m == nil || m.Revision() < token.Epoch {
		return cairn.Location{}, cairn.Token{}, false
	}
	found, ok := m.Catalog().KeyspaceByName(keyspace)
	if !ok {
		return cairn.Location{}, cairn.Token{}, false
	}
	hit, ok := r.located.get(r.connections.directory(m), found, key, read)
	if !ok {
		return cairn.Location{}, cairn.Token{}, false
	}
	return hit.location, hit.cover(token), true
}

// cacheHit is an answer from the cache.
type cacheHit struct {
	member   int
	cluster  cairn.UID
	answer   cache.Answer
	location cairn.Location
}

// get finds one key by a map that is no older than the read's token.
func (l *located) get(d *directory, keyspace *catalog.Keyspace, key cairn.Key, read cairn.Reading) (hit cacheHit, ok bool) {
	var ask cache.Ask
	at, err := cacheAsk(d, keyspace, key, read, &ask)
	if err != nil {
		return hit, false // whoever asks an index finds out
	}
	cluster := d.members[at].cluster
	answer, outcome := l.cache.Get(&ask)
	if outcome != cache.Hit {
		return hit, false
	}
	location, known := l.location(answer.Entry, cluster, keyspace, read.WithAttributes)
	if !known && answer.Revision > d.m.Revision() || location.State == cairn.Found && location.Primary == nil {
		return hit, false // declared by a later map than the reader's
	}
	l.sample(keyspace, cluster, key, answer)
	return cacheHit{at, cluster.UID, answer, location}, true
}

// cacheAsk makes what to ask the cache about one key, and returns the position of its owner
// in the directory.
func cacheAsk(d *directory, keyspace *catalog.Keyspace, key cairn.Key, read cairn.Reading, ask *cache.Ask) (int, error) {
	at, shard, err := ownerOf(d, keyspace, key)
	if err != nil {
		return 0, err
	}
	cluster := d.members[at].cluster.UID
	*ask = cache.Ask{
		Keyspace: keyspace.UID, Key: key, Cluster: cluster, Epoch: shard.Epoch, Revision: d.m.Revision(),
		Level: read.Freshness.Level, WithAttributes: read.WithAttributes,
	}
	if ask.Level == cairn.AtLeast {
		ask.Index = read.Freshness.Token.Index(cluster)
	}
	return at, nil
}

// look tells what the cache would say about one key, and counts nothing.
func (l *located) look(d *directory, keyspace *catalog.Keyspace, key cairn.Key, read cairn.Reading) cairn.CacheOutcome {
	if l == nil {
		return cairn.CacheNone
	}
	var ask cache.Ask
	if _, err := cacheAsk(d, keyspace, key, read, &ask); err != nil {
		return cairn.CacheMiss
	}
	switch _, outcome := l.cache.Look(&ask); outcome {
	case cache.Hit:
		return cairn.CacheHit
	case cache.Miss:
		return cairn.CacheMiss
	}
	return cairn.CacheUnproven
}

// cover is a token that covers another one and the answer. Mostly that is the entry's
// own, which is there.
func (h *cacheHit) cover(token cairn.Token) cairn.Token {
	seen, stamp := token.Clusters(), h.answer.Stamp
	if token.Epoch <= stamp.Epoch && (len(seen) == 0 || len(seen) == 1 && seen[0].Cluster == h.cluster && seen[0].Index <= stamp.Index) {
		return h.answer.Token
	}
	return token.With(h.cluster, stamp)
}

// location is an entry with names, and whether all its ids are known. What takes memory
// is kept with the entry as long as the declarations are the same.
func (l *located) location(entry *cache.Entry, cluster *catalog.Cluster, keyspace *catalog.Keyspace, withAttributes bool) (location cairn.Location, known bool) {
	if !entry.NeedsNames() {
		names := naming{cluster: cluster, keyspace: keyspace}
		location, known = names.location(&entry.Located)
	} else {
		named := entry.Named.Load()
		if named == nil || named.Cluster != cluster || named.Keyspace != keyspace {
			names := naming{cluster: cluster, keyspace: keyspace}
			named = &cache.Named{Cluster: cluster, Keyspace: keyspace}
			named.Location, named.Known = names.location(&entry.Located)
			entry.Named.Store(named)
		}
		location, known = named.Location, named.Known
		if l.router.anyDown(cluster.UID, entry.Nodes) {
			names := naming{cluster: cluster, keyspace: keyspace, down: l.router.config.Down}
			location.Primary, location.Replicas, _ = names.answering(entry.Nodes)
		}
	}
	if !withAttributes {
		location.Version, location.Attributes = cairn.Version{}, nil
	}
	return location, known
}

// anyDown tells whether one of an entry's several nodes does not answer.
func (r *Router) anyDown(cluster cairn.UID, nodes []cairn.NodeID) bool {
	if r.config.Down == nil || len(nodes) < 2 {
		return false
	}
	for _, node := range nodes {
		if r.config.Down(cluster, node) {
			return true
		}
	}
	return false
}

// cachedBatch answers those of a batch's keys at positions, all if nil, that the cache
// may, and returns the positions of the others, nil for all.
func (r *Router) cachedBatch(d *directory, keyspace *catalog.Keyspace, work *locating, positions []int32) []int32 {
	if r.located == nil || work.read.Freshness.Level >= cairn.Linearizable {
		return positions
	}
	count := len(work.keys)
	if positions != nil {
		count = len(positions)
	}
	stamps := make([]cairn.Stamp, len(d.members))
	hits, rest := make([]int32, 0, count), make([]int32, 0, count)
	for i := range count {
		position := int32(i)
		if positions != nil {
			position = positions[i]
		}
		hit, ok := r.located.get(d, keyspace, work.keys[position], work.read)
		if !ok {
			rest = append(rest, position)
			continue
		}
		stamp, of := hit.answer.Stamp, &stamps[hit.member]
		of.Epoch, of.Index = max(of.Epoch, stamp.Epoch), max(of.Index, stamp.Index)
		work.locations[position] = hit.location
		hits = append(hits, position)
	}
	if len(hits) == 0 {
		return positions
	}
	token := work.token
	for i, stamp := range stamps {
		if stamp != (cairn.Stamp{}) {
			token = token.With(d.members[i].cluster.UID, stamp)
		}
	}
	if work.part != nil {
		work.part(work.locations, hits, token)
	} else {
		work.token = token
	}
	return rest
}
