package router

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"cairn"
	"cairn/router/collapse"
)

// Very many may ask for the same first page at the same time. Its parts are one question
// to each index then; that the parts are also merged and named once for all of them takes
// most of what each asker costs a router.

// pageID tells queries for first pages apart: all that decides the answer, but for how new
// the map is.
type pageID string

// pageFlights are the first pages that are being read.
type pageFlights = collapse.Group[pageID, pageRead]

// pageRead is a page, and what listeners are told of it.
type pageRead struct {
	cairn.ViewPage
	keyspace string
	clusters []string // that it is of
}

// joinable tells whether a query may have the page that another one asks for: not what is
// of some time, tells how it was found, is kept by itself, or may lack clusters.
func joinable(q *cairn.PageQuery) bool {
	return q.Cursor == "" && !q.Explain && !q.Pinned && !q.Partial && len(q.Where) <= longestQuestion && nowOf(q.Where, 1) == 0
}

func pageIDOf(q *cairn.PageQuery) pageID {
	var room [128]byte // enough for most
	out := append(room[:0], byte(q.Freshness.Level))
	out = binary.BigEndian.AppendUint64(out, uint64(q.Limit))
	out = binary.BigEndian.AppendUint64(out, uint64(q.Offset))
	for _, text := range [...]string{q.Freshness.Token.String(), q.View, q.Where} {
		out = appendText(out, text)
	}
	for _, names := range [...][]string{q.OrderBy, q.Fields} {
		out = binary.BigEndian.AppendUint64(out, uint64(len(names)))
		for _, name := range names {
			out = appendText(out, name)
		}
	}
	return pageID(out)
}

// joinPage reads a page, or waits for one that is being read for the same query by as new
// a map.
func (r *Router) joinPage(ctx context.Context, query *cairn.PageQuery) (pageRead, error) {
	need := collapse.Need{Latest: query.Freshness.Level == cairn.Linearizable}
	if m := r.config.Topology.Map(); m != nil {
		need.Epoch = m.Revision()
	}
	// It may be read for others when who asked has left.
	own := *query
	own.OrderBy, own.Fields = slices.Clone(query.OrderBy), slices.Clone(query.Fields)
	read, joined, err := r.pageFlights.Do(ctx, pageIDOf(query), need, func(ctx context.Context) (pageRead, error) {
		// Which cluster did not answer in time is said while somebody listens.
		if deadline, has := ctx.Deadline(); has {
			sooner := &deadlineContext{parent: ctx, deadline: deadline.Add(-time.Until(deadline) / 50)}
			defer sooner.end()
			ctx = sooner
		}
		return r.readPage(ctx, &own)
	})
	switch {
	case joined && cairn.KindOf(err) == cairn.KindDeadline && ctx.Err() == nil:
		return r.readPage(ctx, query) // that was the other one's deadline
	case err != nil:
		return read, asError(err)
	}
	if joined {
		for _, cluster := range read.clusters {
			r.questioned(QuestionEvent{Verb: VerbQueryView, Keyspace: read.keyspace, Cluster: cluster, Source: SourceJoined})
		}
	}
	read.Rows = ownRows(read.Rows)
	return read, err
}

// ownRows is a copy of rows as far as who gets them may change them.
func ownRows(shared []cairn.NamedRow) []cairn.NamedRow {
	size := 0
	for i := range shared {
		size += len(shared[i].Key)
	}
	rows, keys := slices.Clone(shared), make(cairn.Key, 0, size)
	for i := range rows {
		first := len(keys)
		keys = append(keys, rows[i].Key...)
		rows[i].Key = keys[first:len(keys):len(keys)]
	}
	return rows
}
