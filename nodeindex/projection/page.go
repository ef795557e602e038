package projection

import (
	"cmp"
	"slices"

	"cairn"
	"cairn/views"
)

func (q *question) page() error {
	fields := q.fields()
	query := views.Query{
		Selection: q.selection(), OrderBy: q.request.OrderBy,
		Offset: q.request.Offset, Limit: q.request.Limit, Fields: fields.indexed,
	}
	if after := q.request.After; after != nil {
		query.After = after
	}
	found, err := q.snapshot.Page(query)
	if err != nil {
		return err
	}
	q.reply.More = found.More
	if q.request.WithPlan {
		q.reply.Plan = found.Plan.String()
	}
	q.reply.Rows = slices.Grow(q.reply.Rows[:0], len(found.Rows))
	var slab cairn.Attributes
	bytes := 0
	for i := range found.Rows {
		if bytes >= cairn.MaxPageBytes {
			q.reply.More = true
			break
		}
		row := &found.Rows[i]
		first := len(slab)
		slab = fields.encode(slab, q, row)
		bytes += len(row.Key) + len(slab) - first + rowOverhead
		q.reply.Rows = append(q.reply.Rows, cairn.ViewRow{
			Position: row.Position, Nodes: q.snapshot.lists[row.Fields[0].Int()], Attributes: slab[first:len(slab):len(slab)],
		})
	}
	return nil
}

// rowOverhead is about what a row takes on the wire beside its key and
// attributes.
const rowOverhead = 32

// pageFields are the attributes that a page shows.
type pageFields struct {
	// indexed are to be read from columns: the entry's nodes first.
	indexed []cairn.AttributeID
	// shown are the attributes asked for, ascending: where each stands among
	// indexed, 0 if the entry itself has to be read.
	shown []shownField
	// others are there that only the entry has.
	others bool
}

type shownField struct {
	id cairn.AttributeID
	at int
}

func (q *question) fields() pageFields {
	f := pageFields{indexed: []cairn.AttributeID{nodesColumn.ID}}
	for _, id := range q.request.Fields {
		shown := shownField{id: id}
		if q.snapshot.has(id) {
			shown.at = len(f.indexed)
			f.indexed = append(f.indexed, id)
		} else {
			f.others = true
		}
		f.shown = append(f.shown, shown)
	}
	slices.SortFunc(f.shown, func(a, b shownField) int { return cmp.Compare(a.id, b.id) })
	f.shown = slices.CompactFunc(f.shown, func(a, b shownField) bool { return a.id == b.id })
	return f
}

// encode appends a row's attributes.
func (f *pageFields) encode(out cairn.Attributes, q *question, row *views.Row) cairn.Attributes {
	var entry cairn.Attributes
	if f.others && q.entries != nil {
		entry, _, _ = q.find(row.Key)
	}
	for _, shown := range f.shown {
		var value cairn.Value
		if shown.at > 0 {
			value = row.Fields[shown.at]
		} else {
			value, _ = entry.Get(shown.id)
		}
		if value.Type() != cairn.TypeNull {
			out = out.Append(cairn.Attribute{ID: shown.id, Value: value})
		}
	}
	return out
}
