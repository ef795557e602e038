package router

import (
	"context"
	"math/rand/v2"
	"sync"

	"cairn"
	"cairn/shardmap/catalog"
)

const (
	// defaultPageSize is how many entries a page has when nothing is said.
	defaultPageSize = 1_000
	// maxPageBytes keeps a page within a message of 1 MiB.
	maxPageBytes = 768 << 10
)

// List returns a page of a keyspace's entries in key order, over all clusters
// that own a part of it. Pages need no state here: the page token has it all.
// A listing shows each key that was there throughout exactly once, whatever
// is written or moved between its pages, and no page is older than the one
// before.
//
// It fails with KindInvalid for a range or page token that can't be, and
// otherwise as Locate does. A cluster that can't be read fails the page:
// there are no pages with holes.
func (r *Router) List(ctx context.Context, keyspace string, over cairn.Range, freshness cairn.Freshness) (cairn.Page, error) {
	began := r.began()
	page, err := r.list(ctx, keyspace, over, freshness)
	r.ended(VerbList, keyspace, len(page.Entries), 0, began, err)
	return page, err
}

func (r *Router) list(ctx context.Context, keyspace string, over cairn.Range, freshness cairn.Freshness) (cairn.Page, error) {
	from, err := resume(over)
	if err != nil {
		return cairn.Page{}, err
	}
	if over.PageToken != "" {
		freshness.Token = floorOf(freshness).Merge(from.freshness)
		freshness.Level = max(freshness.Level, cairn.AtLeast)
	}
	ctx, own := r.bound(ctx)
	defer own.end()
	_, found, err := r.open(ctx, keyspace, freshness)
	if err != nil {
		return cairn.Page{}, asError(err)
	}
	if over.PageToken != "" && from.keyspace != found.UID {
		return cairn.Page{}, cairn.Invalid("page_token", "PAGE_TOKEN_MISMATCH", "the page token is of another keyspace, or of one that had this name before")
	}
	l := &listing{
		router: r, name: keyspace, keyspace: found.UID, freshness: freshness,
		start: over.Start, end: over.End, token: floorOf(freshness),
	}
	if over.PageToken != "" {
		if l.start = successor(from.after); l.start == nil {
			return cairn.Page{Token: l.token}, nil
		}
	}
	limit := over.PageSize
	if limit == 0 {
		limit = defaultPageSize
	}
	if err := l.read(ctx, limit); err != nil {
		return cairn.Page{}, err
	}
	page := cairn.Page{Entries: l.entries, Token: l.token}
	if last := len(l.entries) - 1; last >= 0 && !exhausted(l.parts) {
		next := pageToken{keyspace: found.UID, bounds: boundsOf(over.Start, over.End), after: l.entries[last].Key, freshness: l.token}
		page.NextPageToken = next.encode()
	}
	return page, nil
}

// resume checks a range and reads its page token.
func resume(over cairn.Range) (pageToken, error) {
	switch {
	case over.PageSize < 0 || over.PageSize > cairn.MaxBatch:
		return pageToken{}, cairn.Invalid("page_size", "PAGE_SIZE", "a page size of %d; it is 1 to %d, or 0 for %d", over.PageSize, cairn.MaxBatch, defaultPageSize)
	case len(over.Start) > cairn.MaxKeyLength:
		return pageToken{}, cairn.Invalid("start_key", "KEY_TOO_LONG", "a start of %d bytes; a key has at most %d", len(over.Start), cairn.MaxKeyLength)
	case len(over.End) > cairn.MaxKeyLength:
		return pageToken{}, cairn.Invalid("end_key", "KEY_TOO_LONG", "an end of %d bytes; a key has at most %d", len(over.End), cairn.MaxKeyLength)
	case len(over.End) > 0 && over.Start.Compare(over.End) > 0:
		return pageToken{}, cairn.Invalid("end_key", "RANGE_REVERSED", "the end comes before the start")
	case over.PageToken == "":
		return pageToken{}, nil
	}
	from, err := decodePageToken(over.PageToken)
	if err != nil {
		return pageToken{}, err
	}
	if from.bounds != boundsOf(over.Start, over.End) {
		return pageToken{}, cairn.Invalid("page_token", "PAGE_TOKEN_MISMATCH", "the page token is of another range; pages of one listing have the same start and end")
	}
	return from, nil
}

// listing is the reading of one page.
type listing struct {
	router     *Router
	name       string
	keyspace   cairn.UID
	freshness  cairn.Freshness
	start, end cairn.Key

	directory *directory
	declared  *catalog.Keyspace
	parts     []*part
	entries   []cairn.NamedEntry
	bytes     int

	mu    sync.Mutex // guards what the parts learn
	token cairn.Token
	// newer is the map revision that a part wants the whole listing decided
	// by; 0 if none does.
	newer uint64
}

// read fills the page.
func (l *listing) read(ctx context.Context, limit int) error {
	if err := l.decide(ctx, 0); err != nil {
		return err
	}
	for redecided := 0; ; {
		var done bool
		if l.entries, l.bytes, done = mergeOnto(l.entries, l.bytes, l.parts, limit, maxPageBytes); done {
			return nil
		}
		if err := l.fetch(ctx, limit-len(l.entries)); err != nil {
			return err
		}
		if l.newer == 0 {
			continue
		}
		if redecided++; redecided > 2 && !pause(ctx, pauseBefore(redecided, rand.Float64())) {
			return gaveUp(ctx, redecided, cairn.Errorf(cairn.KindStale, "SHARDS_MOVING", "the keyspace's shards kept changing owners"))
		}
		if err := l.decide(ctx, l.newer); err != nil {
			return err
		}
	}
}

// decide takes a map at least as new as revision for the parts.
func (l *listing) decide(ctx context.Context, revision uint64) error {
	m, err := l.router.mapAt(ctx, revision)
	if err != nil {
		return asError(err)
	}
	keyspace, found := m.Catalog().KeyspaceByUID(l.keyspace)
	if !found {
		return keyspaceNotFound(l.name)
	}
	l.directory, l.declared, l.newer = l.router.connections.directory(m), keyspace, 0
	l.parts = partsOf(m.Owners(l.keyspace), l.parts)
	return nil
}

// fetch reads every part that has nothing left to merge.
func (l *listing) fetch(ctx context.Context, wanted int) error {
	var starved []*part
	for _, p := range l.parts {
		if p.starved() {
			starved = append(starved, p)
		}
	}
	errs := make([]*cairn.Error, len(starved))
	var others sync.WaitGroup
	for i, p := range starved[1:] {
		others.Go(func() { errs[i+1] = l.fetchPart(ctx, p, wanted) })
	}
	errs[0] = l.fetchPart(ctx, starved[0], wanted)
	others.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// fetchPart reads the next entries of one part, or learns that the parts have
// to be decided anew.
func (l *listing) fetchPart(ctx context.Context, p *part, wanted int) *cairn.Error {
	at, found := l.directory.find(p.owner.Cluster)
	if !found {
		return asError(mapHole(l.directory, l.declared, nil))
	}
	member := &l.directory.members[at]
	start := l.after()
	if start == nil && len(l.entries) > 0 {
		p.more = false
		return nil
	}
	p.limit = fairShare(wanted, len(l.parts), p.limit)
	req := &cairn.ListRequest{
		Read:  readOf(l.declared, max(p.owner.MaxEpoch, epochFloor(l.declared, floorOf(l.freshness))), member.cluster, l.freshness),
		Start: start, End: l.end, Limit: p.limit, MaxBytes: maxPageBytes,
	}
	event := RetryEvent{Verb: VerbList, Keyspace: l.name, Cluster: member.cluster.Name}
	var t trial
	for {
		reply, learnt := l.ask(ctx, member, p, req)
		if learnt.refusal == nil {
			return l.take(member, p, reply)
		}
		if learnt.action == reroute {
			l.wantNewer(learnt.revision)
			return nil
		}
		if !l.router.prepareNext(ctx, event, learnt, &t) {
			if learnt.action == giveUp && (learnt.refusal.Kind != cairn.KindDeadline || t.last == nil) {
				return learnt.refusal
			}
			return gaveUp(ctx, t.tries, t.last)
		}
	}
}

// ask reads a page of one part, once. A page of another set of shards than the
// map gives the cluster is a refusal.
func (l *listing) ask(ctx context.Context, member *member, p *part, req *cairn.ListRequest) (*cairn.ListReply, verdict) {
	decidedBy := l.directory.m.Revision()
	index, err := member.connection.get(member.cluster)
	if err != nil {
		return nil, learnRead(err, cairn.Answer{}, decidedBy)
	}
	reply, err := index.List(ctx, req)
	if err != nil {
		var answer cairn.Answer
		if reply != nil {
			answer = reply.Answer
		}
		return nil, learnRead(err, answer, decidedBy)
	}
	if reply.Fingerprint != p.owner.Fingerprint {
		learnt := learnStale(otherShards(member.cluster, reply.Answer, decidedBy), reply.Answer, decidedBy)
		// What left the cluster does not show in the epochs of what stayed:
		// an index that is behind is made to catch up with the whole map.
		req.Epoch = max(req.Epoch, decidedBy)
		return nil, learnt
	}
	return reply, verdict{}
}

func otherShards(cluster *catalog.Cluster, answer cairn.Answer, decidedBy uint64) *cairn.Error {
	return cairn.Errorf(cairn.KindStale, "OTHER_SHARDS",
		"cluster %s owns other shards by its log at map revision %d than by the router's map at %d", cluster.Name, answer.Revision, decidedBy)
}

// take keeps what a part's page has.
func (l *listing) take(member *member, p *part, reply *cairn.ListReply) *cairn.Error {
	names := naming{cluster: member.cluster, keyspace: l.declared}
	entries := make([]cairn.NamedEntry, 0, len(reply.Entries))
	for i := range reply.Entries {
		entry, known := names.entry(&reply.Entries[i])
		if !known && reply.Revision > l.directory.m.Revision() {
			l.wantNewer(reply.Revision)
			return nil
		}
		if entry.Primary == nil {
			return nodeUnknown(member.cluster, entry.Key, reply.Entries[i].Nodes)
		}
		entries = append(entries, entry)
	}
	if reply.More && len(entries) == 0 {
		return cairn.Errorf(cairn.KindInternal, "PAGE_EMPTY", "the index of cluster %s says that there is more after a page of nothing", member.cluster.Name)
	}
	p.entries, p.more = entries, reply.More
	l.mu.Lock()
	l.token = l.token.With(p.owner.Cluster, cairn.Stamp{Epoch: p.owner.MaxEpoch, Index: reply.Index})
	l.mu.Unlock()
	return nil
}

func (l *listing) wantNewer(revision uint64) {
	l.mu.Lock()
	l.newer = max(l.newer, revision)
	l.mu.Unlock()
}

// after is where the parts go on: past the last entry on the page, nil if no
// key can be. Nothing that a starved part still has comes before it.
func (l *listing) after() cairn.Key {
	if last := len(l.entries) - 1; last >= 0 {
		return successor(l.entries[last].Key)
	}
	return l.start
}
