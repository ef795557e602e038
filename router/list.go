package router

import (
	"context"

	"cairn"
	"cairn/shardmap"
	"cairn/views/page"
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
		sweep: sweep{router: r, verb: VerbList, name: keyspace, keyspace: found.UID, freshness: freshness, token: floorOf(freshness)},
		start: over.Start, end: over.End, limit: over.PageSize,
	}
	if over.PageToken != "" {
		if l.start = successor(from.after); l.start == nil {
			return cairn.Page{Token: l.token}, nil
		}
	}
	if l.limit == 0 {
		l.limit = defaultPageSize
	}
	if err := l.read(ctx); err != nil {
		return cairn.Page{}, err
	}
	page := cairn.Page{Entries: l.entries, Token: l.token}
	if last := len(l.entries) - 1; last >= 0 && !exhausted(l.runs()) {
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
	sweep
	start, end cairn.Key
	limit      int

	parts   []*listPart
	entries []cairn.NamedEntry
	bytes   int
}

// listPart is one cluster's share of a listing.
type listPart struct {
	part
	page.Run[cairn.NamedEntry]
	request cairn.ListRequest
	reply   *cairn.ListReply
}

func (p *listPart) send(ctx context.Context, index Index, read cairn.Read) (cairn.Answer, cairn.Fingerprint, error) {
	p.request.Read = read
	reply, err := index.List(ctx, &p.request)
	if reply == nil {
		return cairn.Answer{}, 0, err
	}
	p.reply = reply
	return reply.Answer, reply.Fingerprint, err
}

// read fills the page.
func (l *listing) read(ctx context.Context) error {
	if err := l.decide(ctx, 0); err != nil {
		return err
	}
	for l.merge() {
		if err := l.fetch(ctx); err != nil {
			return err
		}
		if l.newer == 0 {
			continue
		}
		if err := l.pace(ctx); err != nil {
			return err
		}
		if err := l.decide(ctx, l.newer); err != nil {
			return err
		}
	}
	return nil
}

// decide takes a map at least as new as revision for the parts.
func (l *listing) decide(ctx context.Context, revision uint64) error {
	if err := l.sweep.decide(ctx, revision); err != nil {
		return err
	}
	l.parts = partsOf(l.directory.m.Owners(l.keyspace), l.parts, func(owner shardmap.Owner) *listPart {
		return &listPart{part: part{owner: owner}, Run: page.Run[cairn.NamedEntry]{More: true}}
	})
	return nil
}

func (l *listing) runs() []*page.Run[cairn.NamedEntry] {
	runs := make([]*page.Run[cairn.NamedEntry], len(l.parts))
	for i, p := range l.parts {
		runs[i] = &p.Run
	}
	return runs
}

// merge moves entries from the parts to the page, in order of their keys. It
// is false when the page is full or no part has anything left.
func (l *listing) merge() (starved bool) {
	compare := func(a, b *cairn.NamedEntry) int { return a.Key.Compare(b.Key) }
	starved = page.Merge(l.runs(), compare, func(entry *cairn.NamedEntry, _ int) bool {
		size := sizeOf(entry)
		if len(l.entries) == l.limit || len(l.entries) > 0 && l.bytes+size > maxPageBytes {
			return false
		}
		l.entries, l.bytes = append(l.entries, *entry), l.bytes+size
		return true
	})
	return starved && len(l.entries) < l.limit
}

// fetch reads every part that has nothing left to merge.
func (l *listing) fetch(ctx context.Context) error {
	var starved []*listPart
	for _, p := range l.parts {
		if p.Starved() {
			starved = append(starved, p)
		}
	}
	errs := make([]*cairn.Error, len(starved))
	together(len(starved), func(i int) { errs[i] = l.fetchPart(ctx, starved[i]) })
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// fetchPart reads the next entries of one part, or learns that the parts have
// to be decided anew.
func (l *listing) fetchPart(ctx context.Context, p *listPart) *cairn.Error {
	start := l.after()
	if start == nil && len(l.entries) > 0 {
		p.More = false
		return nil
	}
	p.limit = fairShare(l.limit-len(l.entries), p.owner.Shards, l.directory.m.Count(l.keyspace), p.limit)
	p.request = cairn.ListRequest{Start: start, End: l.end, Limit: p.limit, MaxBytes: maxPageBytes}
	answered, refusal := l.ask(ctx, p, max(p.owner.MaxEpoch, epochFloor(l.declared, floorOf(l.freshness))))
	if !answered {
		return refusal
	}
	return l.take(p)
}

// take keeps what a part's page has.
func (l *listing) take(p *listPart) *cairn.Error {
	cluster, reply := l.cluster(&p.part), p.reply
	names := naming{cluster: cluster, keyspace: l.declared}
	entries := make([]cairn.NamedEntry, 0, len(reply.Entries))
	for i := range reply.Entries {
		entry, known := names.entry(&reply.Entries[i])
		if !known && reply.Revision > l.directory.m.Revision() {
			l.wantNewer(reply.Revision, nil)
			return nil
		}
		if entry.Primary == nil {
			return nodeUnknown(cluster, entry.Key, reply.Entries[i].Nodes)
		}
		entries = append(entries, entry)
	}
	if reply.More && len(entries) == 0 {
		return emptyPage(cluster)
	}
	p.Rows, p.More = entries, reply.More
	return nil
}

// after is where the parts go on: past the last entry on the page, nil if no
// key can be. Nothing that a starved part still has comes before it.
func (l *listing) after() cairn.Key {
	if last := len(l.entries) - 1; last >= 0 {
		return successor(l.entries[last].Key)
	}
	return l.start
}
