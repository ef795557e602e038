package router

import (
	"context"
	"slices"
	"time"

	"cairn"
	"cairn/views/page"
)

// defaultViewPage is how many rows a page has when nothing is said.
const defaultViewPage = 50

// QueryView returns a page of a view in order, over all clusters that own a
// part of its keyspace. Pages need no state here: the cursor has it all. A
// sequence of pages shows each key that was in the view throughout, and whose
// sort values did not change, exactly once, whatever is written or moved
// meanwhile; no page is older than the one before, and now is the same on all.
//
// A page that follows one without some clusters (Partial) goes on after it,
// in those clusters too if they are back.
//
// It fails with
//
//   - KindNotFound (VIEW_NOT_FOUND): there is no view of this name.
//   - KindUnavailable (VIEW_BUILDING): no version of it has been built yet, or
//     a cluster still builds the one that serves.
//   - KindInvalid: a page size, offset, cursor, order or field that can't be
//     (PAGE_SIZE, OFFSET_OUT_OF_RANGE, OFFSET_WITH_CURSOR, CURSOR_MALFORMED,
//     ATTRIBUTE_UNKNOWN, ATTRIBUTE_UNINDEXED, ATTRIBUTE_TWICE, SORT_TOO_LONG,
//     SORT_TWICE), a condition as package filter refuses it, a cursor from
//     other arguments or another version of the view (CURSOR_MISMATCH).
//   - KindExhausted: a condition on attributes without an index that would
//     have to be tested on too many entries.
//   - KindUnavailable, KindNotYet or KindDeadline: a cluster, which the error
//     names, could not be asked in time, or has no replica that is fresh
//     enough. With Partial the answer names it, unless there is no other.
//
// An offset beyond the last row gives an empty page.
func (r *Router) QueryView(ctx context.Context, query cairn.PageQuery) (cairn.ViewPage, error) {
	began := r.began()
	read := r.readPage
	if joinable(&query) {
		read = r.joinPage
	}
	out, err := read(ctx, &query)
	r.ended(VerbQueryView, out.keyspace, max(len(out.Rows), 1), 0, began, err)
	return out.ViewPage, err
}

// readPage reads a page for itself.
func (r *Router) readPage(ctx context.Context, query *cairn.PageQuery) (pageRead, error) {
	p := &paging{question: question{sweep: sweep{router: r, verb: VerbQueryView}, partial: query.Partial, pinned: query.Pinned}, query: query}
	out, err := p.run(ctx)
	read := pageRead{ViewPage: out, keyspace: p.name}
	for _, part := range p.parts {
		read.clusters = append(read.clusters, p.cluster(&part.part).Name)
	}
	return read, err
}

// paging is the reading of one page of a view.
type paging struct {
	question
	query *cairn.PageQuery
	limit int
	order page.Sort
	// cursor is the one that the query came with, nil if it came without.
	cursor *page.Cursor

	// after is where the rows begin: after the cursor, an offset's place, or
	// the last row that was taken. skip is how many rows to pass over from
	// there, pass how many the only owner passes over itself.
	after      *cairn.Position
	skip, pass int
	beyond     bool // the offset is beyond the last row

	rows  []takenRow
	bytes int
	// width is about how large a row is in a response, but for what differs
	// from row to row.
	width int
	plans []cairn.ClusterPlan
}

// takenRow is a row on the page.
type takenRow struct {
	*cairn.ViewRow
	part *viewPart
}

func (p *paging) run(ctx context.Context) (cairn.ViewPage, error) {
	freshness, err := p.check()
	if err != nil {
		return cairn.ViewPage{}, err
	}
	p.resolve = p.names
	err = p.open(ctx, p.query.View, freshness)
	defer p.close()
	if err == nil {
		err = p.read()
	}
	if err == nil {
		err = p.someone()
	}
	if err != nil {
		return cairn.ViewPage{}, asError(err)
	}
	out := cairn.ViewPage{Scattered: p.scattered(), Plans: p.plans}
	if last := len(p.rows) - 1; last >= 0 && !exhausted(p.runs()) {
		next := page.Cursor{
			Binding:  p.binding(p.query.Where, p.query.OrderBy),
			Position: p.rows[last].Position, Now: p.request.Now, Token: p.token,
		}
		out.NextCursor = next.String()
	}
	if out.Rows, err = p.labelled(); err != nil {
		return cairn.ViewPage{}, err
	}
	return out, nil
}

// check refuses what can't be, reads the cursor, and returns how fresh the
// page must be.
func (p *paging) check() (cairn.Freshness, error) {
	q := p.query
	switch {
	case q.Limit < 0 || q.Limit > cairn.MaxBatch:
		return q.Freshness, cairn.Invalid("page_size", "PAGE_SIZE", "a page of %d rows; it has 1 to %d, or 0 for %d", q.Limit, cairn.MaxBatch, defaultViewPage)
	case q.Offset < 0:
		return q.Freshness, cairn.Invalid("offset", "OFFSET_OUT_OF_RANGE", "an offset of %d; it counts from 0, the first row", q.Offset)
	case q.Offset > 0 && q.Cursor != "":
		return q.Freshness, cairn.Invalid("offset", "OFFSET_WITH_CURSOR", "an offset counts from the first row, so it does not go with a cursor")
	}
	if p.limit = q.Limit; p.limit == 0 {
		p.limit = defaultViewPage
	}
	p.request = cairn.ViewRequest{Where: q.Where, Asked: cairn.AskPage, WithPlan: q.Explain}
	freshness := q.Freshness
	if q.Cursor != "" {
		cursor, err := page.Parse(q.Cursor)
		if err != nil {
			return freshness, err
		}
		p.cursor = &cursor
		freshness.Token = floorOf(freshness).Merge(cursor.Token)
		freshness.Level = max(freshness.Level, cairn.AtLeast)
	}
	p.request.Now = nowOf(q.Where, time.Now().UnixMicro())
	if p.cursor != nil {
		p.request.Now = p.cursor.Now
	}
	return freshness, nil
}

// names turns the query's names into ids, and checks the cursor.
func (p *paging) names() (err error) {
	sort, err := p.sort(p.query.OrderBy)
	if err != nil {
		return err
	}
	// An index answers a view's own order at once, and knows it by its absence.
	if !slices.Equal(sort, p.version.Sort) {
		p.request.OrderBy = sort
	}
	if p.request.Fields, err = p.shown(p.query.Fields); err != nil {
		return err
	}
	p.order, p.width = page.SortOf(sort), 64
	for _, id := range p.request.Fields {
		if spec, found := p.declared.Schema.ByID(id); found {
			p.width += 32 + len(spec.Name)
		}
	}
	if p.cursor != nil {
		return p.cursor.Check(p.binding(p.query.Where, p.query.OrderBy), p.typesOf(sort)...)
	}
	return nil
}

// read fills the page.
func (p *paging) read() error {
	if err := p.start(); err != nil {
		return err
	}
	for !p.beyond && p.merge() {
		if err := p.refill(); err != nil {
			return err
		}
		if p.newer == 0 {
			continue
		}
		replaced, err := p.decideAnew()
		if err != nil {
			return err
		}
		// A view that was replaced has other rows in another order. What the
		// only owner was to pass over, several have to share.
		if replaced || p.pass > 0 && len(p.parts) > 1 && p.after == nil {
			if err := p.start(); err != nil {
				return err
			}
		}
	}
	return nil
}

// start sets where the page begins.
func (p *paging) start() error {
	p.rows, p.bytes, p.plans = p.rows[:0], 0, p.plans[:0]
	p.after, p.skip, p.pass, p.beyond = nil, 0, 0, false
	switch {
	case p.cursor != nil:
		p.after = &p.cursor.Position
	case p.query.Offset > 0 && len(p.parts) == 1:
		p.pass = p.query.Offset
	case p.query.Offset > 0:
		return p.seek()
	}
	return nil
}

func (p *paging) runs() []*page.Run[cairn.ViewRow] {
	runs := make([]*page.Run[cairn.ViewRow], len(p.parts))
	for i, part := range p.parts {
		runs[i] = &part.Run
	}
	return runs
}

// merge moves rows from the parts to the page. It is false when the page is
// full or no part has anything left.
func (p *paging) merge() (starved bool) {
	if p.rows == nil {
		p.rows = make([]takenRow, 0, min(p.limit, 256))
	}
	compare := func(a, b *cairn.ViewRow) int { return p.order.Compare(a.Position, b.Position) }
	starved = page.Merge(p.runs(), compare, func(row *cairn.ViewRow, run int) bool {
		if p.skip > 0 {
			p.skip--
			p.after = &row.Position
			return true
		}
		size := p.width + len(row.Key) + 4*len(row.Nodes) + len(row.Attributes)
		if len(p.rows) == p.limit || len(p.rows) > 0 && p.bytes+size > maxPageBytes {
			return false
		}
		p.rows, p.bytes = append(p.rows, takenRow{row, p.parts[run]}), p.bytes+size
		p.after = &row.Position
		return true
	})
	return starved && len(p.rows) < p.limit
}

// refill asks every part for rows that has none left to merge. It goes on
// after the last row taken: nothing that a starved part still has comes before.
func (p *paging) refill() error {
	wanted, total := p.limit-len(p.rows)+p.skip, 0
	for _, part := range p.parts {
		if part.missing == nil {
			total += part.owner.Shards
		}
	}
	starved := make([]*viewPart, 0, len(p.parts))
	for _, part := range p.parts {
		if !part.Starved() {
			continue
		}
		part.limit = min(cairn.MaxBatch, fairShare(wanted, part.owner.Shards, total, part.limit))
		part.request, part.reply = p.request, nil
		part.request.After, part.request.Limit = p.after, part.limit
		if p.after == nil {
			part.request.Offset = p.pass
		}
		starved = append(starved, part)
	}
	if err := p.fetch(starved); err != nil {
		return err
	}
	for _, part := range starved {
		if part.reply == nil {
			continue
		}
		if part.Rows, part.More = part.reply.Rows, part.reply.More; part.Starved() {
			return emptyPage(p.cluster(&part.part))
		}
		if p.query.Explain {
			p.plans = append(p.plans, cairn.ClusterPlan{
				Cluster: p.cluster(&part.part).Name, Plan: part.reply.Plan, Rows: len(part.Rows), Duration: part.took,
			})
		}
	}
	return nil
}
