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

// cached answers a read of one key from the cache, if that may, and sets the location
// then. It neither waits nor allocates.
func (r *Router) cached(keyspace string, key cairn.Key, read *cairn.Reading, location *cairn.Location) (cairn.Token, bool) {
	if r.located == nil || read.Freshness.Level >= cairn.Linearizable {
		return cairn.Token{}, false
	}
	token := floorOf(read.Freshness)
	m := r.config.Topology.Map()
	if m == nil || m.Revision() < token.Epoch {
		return cairn.Token{}, false
	}
	found, ok := m.Catalog().KeyspaceByName(keyspace)
	if !ok {
		return cairn.Token{}, false
	}
	var hit cacheHit
	if !r.located.get(r.connections.directory(m), found, key, read, &hit, location) {
		return cairn.Token{}, false
	}
	return hit.cover(token), true
}

// cacheHit is an answer from the cache.
type cacheHit struct {
	cache.Answer
	member  int
	cluster cairn.UID
}

// get finds one key by a map that is no older than the read's token. What it is false for,
// whoever asks an index finds out.
func (l *located) get(d *directory, keyspace *catalog.Keyspace, key cairn.Key, read *cairn.Reading, hit *cacheHit, location *cairn.Location) bool {
	var ask cache.Ask
	at, ok := cacheAsk(d, keyspace, key, read, &ask)
	if !ok || l.cache.Get(&ask, &hit.Answer) != cache.Hit {
		return false
	}
	cluster := d.members[at].cluster
	hit.member, hit.cluster = at, cluster.UID
	known := l.location(&hit.Entry, cluster, keyspace, read.WithAttributes, location)
	if !known && hit.Since() > d.m.Revision() || location.State == cairn.Found && location.Primary == nil {
		*location = cairn.Location{}
		return false // declared by a later map than the reader's
	}
	l.sample(keyspace, cluster, key, &hit.Answer)
	return true
}

// cacheAsk makes what to ask the cache about one key, and returns the position of its owner
// in the directory, if it has one.
func cacheAsk(d *directory, keyspace *catalog.Keyspace, key cairn.Key, read *cairn.Reading, ask *cache.Ask) (int, bool) {
	at, epoch, ok := placeOf(d, keyspace, key)
	if !ok {
		return 0, false
	}
	cluster := d.members[at].cluster.UID
	ask.Keyspace, ask.Key, ask.Cluster, ask.Epoch, ask.Revision = keyspace.UID, key, cluster, epoch, d.m.Revision()
	ask.Level, ask.WithAttributes = read.Freshness.Level, read.WithAttributes
	if ask.Level == cairn.AtLeast {
		ask.Index = read.Freshness.Token.Index(cluster)
	}
	return at, true
}

// look tells what the cache would say about one key, and counts nothing.
func (l *located) look(d *directory, keyspace *catalog.Keyspace, key cairn.Key, read *cairn.Reading) cairn.CacheOutcome {
	if l == nil {
		return cairn.CacheNone
	}
	var ask cache.Ask
	if _, ok := cacheAsk(d, keyspace, key, read, &ask); !ok {
		return cairn.CacheMiss
	}
	var answer cache.Answer
	switch l.cache.Look(&ask, &answer) {
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
	seen, stamp := token.Clusters(), h.Stamp()
	if token.Epoch <= stamp.Epoch && (len(seen) == 0 || len(seen) == 1 && seen[0].Cluster == h.cluster && seen[0].Index <= stamp.Index) {
		return h.Token()
	}
	return token.With(h.cluster, stamp)
}

// location sets an entry's location, and tells whether all its ids are known. What takes
// memory is kept with the entry as long as the declarations are the same.
func (l *located) location(entry *cache.Entry, cluster *catalog.Cluster, keyspace *catalog.Keyspace, withAttributes bool, location *cairn.Location) (known bool) {
	if entry.NeedsNames() {
		known = l.named(entry, cluster, keyspace, location)
	} else {
		// As naming.location, of one node at most.
		*location, known = cairn.Location{State: entry.State, Cluster: cluster.Name}, true
		if entry.State == cairn.Found {
			location.Primary = nodeByID(cluster, entry.Node())
			location.Epoch, location.Version = entry.Stamp().Epoch, entry.Version()
		}
	}
	if !withAttributes {
		location.Version, location.Attributes = cairn.Version{}, nil
	}
	return known
}

func (l *located) named(entry *cache.Entry, cluster *catalog.Cluster, keyspace *catalog.Keyspace, location *cairn.Location) (known bool) {
	named := entry.Named()
	if named == nil || named.Cluster != cluster || named.Keyspace != keyspace {
		names, located := naming{cluster: cluster, keyspace: keyspace}, entry.Located()
		named = &cache.Named{Cluster: cluster, Keyspace: keyspace}
		named.Known = names.location(&located, &named.Location)
		entry.Name(named)
	}
	*location = named.Location
	if nodes := entry.Nodes(); l.router.anyDown(cluster.UID, nodes) {
		names := naming{cluster: cluster, keyspace: keyspace, down: l.router.config.Down}
		location.Primary, location.Replicas, _ = names.answering(nodes)
	}
	return named.Known
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
	var hit cacheHit
	for i := range count {
		position := int32(i)
		if positions != nil {
			position = positions[i]
		}
		if !r.located.get(d, keyspace, work.keys[position], &work.read, &hit, &work.locations[position]) {
			rest = append(rest, position)
			continue
		}
		stamp, of := hit.Stamp(), &stamps[hit.member]
		of.Epoch, of.Index = max(of.Epoch, stamp.Epoch), max(of.Index, stamp.Index)
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
