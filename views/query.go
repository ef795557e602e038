package views

import (
	"slices"

	"cairn"
	"cairn/views/filter"
	"cairn/views/page"
)

// Selection is which entries a question is about: the members of a version of
// a view that are seen and of which a condition is true.
type Selection struct {
	View    cairn.UID
	Version uint64
	// Where narrows the view; nil does not. It is parsed as filter.Where
	// against the keyspace's schema.
	Where *filter.Filter
	// Attributes gives an entry's encoded attributes: what conditions on
	// attributes without an index are tested on. Nil refuses such conditions.
	// What it returns must be of the snapshot's state.
	Attributes func(ordinal uint32) cairn.Attributes
	// Budget is for how many entries Attributes is called at most; 0 for
	// DefaultBudget.
	Budget int
	// Brief refuses what may take longer than to walk along an order
	// (KindNotYet, TAKES_LONG). Rank takes no notice.
	Brief bool
}

// ErrLong is why a question is refused that was to be answered briefly.
var ErrLong = cairn.Errorf(cairn.KindNotYet, "TAKES_LONG", "the answer takes longer than others may wait for")

// DefaultBudget is how many entries a condition on an attribute without an
// index is tested on before the question is refused.
const DefaultBudget = 10_000

// Query asks for a page.
type Query struct {
	Selection
	// OrderBy is the order of the rows; empty for the view's.
	OrderBy []SortField
	// After is the position after which the page begins; nil for the first
	// row. It has one value a field of the order, of its type or null.
	After *page.Position
	// Offset is how many rows are passed over; only without After.
	Offset int
	// Limit is how many rows there are at most, 1 to cairn.MaxBatch.
	Limit int
	// Fields are the attributes to return; only indexed ones are held here.
	Fields []cairn.AttributeID
}

// Row is one entry of a page.
type Row struct {
	Ordinal uint32
	// Position is the row's sort values and key; see page.Cursor.
	page.Position
	// Fields are the values asked for, in their order; null where absent.
	Fields []cairn.Value
}

// Page is what a query found.
type Page struct {
	Rows []Row
	// More tells whether there are rows after these.
	More bool
	// Plan is how they were found.
	Plan Plan

	ordinals []uint32
	values   []cairn.Value // of all rows
}

// Page answers a query. It refuses
//
//   - a version of a view that is not here (KindNotFound,
//     VIEW_VERSION_UNKNOWN) or not complete (KindUnavailable, VIEW_BUILDING)
//   - a limit or offset out of range (KindInvalid, field "limit" or "offset",
//     LIMIT_OUT_OF_RANGE, OFFSET_OUT_OF_RANGE, OFFSET_WITH_CURSOR)
//   - an order as Define refuses a sort, in the field "order_by"
//   - a position that is not of this order (KindInvalid, field "cursor",
//     CURSOR_MISMATCH)
//   - fields that are not indexed attributes (KindInvalid, field "fields",
//     ATTRIBUTE_UNKNOWN)
//   - a condition on an attribute without an index if there are no Attributes
//     (KindInvalid, field "where", ATTRIBUTE_UNINDEXED) or if Budget entries
//     were tested and the page was not full (KindExhausted, field "where",
//     WHERE_OVER_BUDGET)
func (s *Snapshot) Page(q Query) (Page, error) {
	var out Page
	err := s.PageInto(&out, q)
	return out, err
}

// PageInto is Page in the memory of a page that is no longer needed.
func (s *Snapshot) PageInto(out *Page, q Query) error {
	p, err := s.plan(&q)
	if err != nil {
		return err
	}
	if out.ordinals, err = p.run(out.ordinals[:0]); err != nil {
		return err
	}
	ordinals := out.ordinals
	if out.More = len(ordinals) > q.Limit; out.More {
		ordinals = ordinals[:q.Limit]
	}
	out.Plan = p.Plan
	return s.rows(out, &q, p.order, ordinals)
}

// Forget lets go of what the rows refer to, before the memory is kept.
func (p *Page) Forget() {
	clear(p.Rows)
	clear(p.values)
	p.Rows, p.values = p.Rows[:0], p.values[:0]
}

// Ordinals is Page without the rows: the ordinals alone, in room where that is
// enough for one more than the limit and the offset. Fields are ignored.
func (s *Snapshot) Ordinals(q Query, room []uint32) (ordinals []uint32, more bool, err error) {
	p, err := s.plan(&q)
	if err != nil {
		return nil, false, err
	}
	if ordinals, err = p.run(room); err != nil {
		return nil, false, err
	}
	if len(ordinals) > q.Limit {
		return ordinals[:q.Limit], true, nil
	}
	return ordinals, false, nil
}

// rows is what a page shows of its entries. It is read an attribute at a time:
// where the entries are far apart each value is a wait for memory, and those of
// one column do not wait for each other.
func (s *Snapshot) rows(out *Page, q *Query, order *comparer, ordinals []uint32) error {
	sorted, width := len(order.fields), len(order.fields)+len(q.Fields)
	out.Rows = slices.Grow(out.Rows[:0], len(ordinals))[:len(ordinals)]
	out.values = slices.Grow(out.values[:0], width*len(ordinals))[:width*len(ordinals)]
	for i, field := range order.fields {
		s.state.attributes[field].read(ordinals, out.values, i, width)
	}
	for i, id := range q.Fields {
		index, indexed := s.state.index(id)
		if !indexed {
			return cairn.Invalid("fields", "ATTRIBUTE_UNKNOWN", "there is no indexed attribute number %d", id)
		}
		s.state.attributes[index].read(ordinals, out.values, sorted+i, width)
	}
	for i, ordinal := range ordinals {
		values := out.values[i*width : (i+1)*width : (i+1)*width]
		out.Rows[i] = Row{
			Ordinal: ordinal, Fields: values[sorted:],
			Position: page.Position{Key: s.state.keys.get(ordinal), Values: values[:sorted:sorted]},
		}
	}
	return nil
}

// check refuses what no plan can answer.
func (s *Snapshot) check(q *Query, order *comparer) error {
	switch {
	case q.Limit < 1 || q.Limit > cairn.MaxBatch:
		return cairn.Invalid("limit", "LIMIT_OUT_OF_RANGE", "a limit of %d; a page has 1 to %d rows", q.Limit, cairn.MaxBatch)
	case q.Offset < 0:
		return cairn.Invalid("offset", "OFFSET_OUT_OF_RANGE", "an offset of %d", q.Offset)
	case q.Offset > 0 && q.After != nil:
		return cairn.Invalid("offset", "OFFSET_WITH_CURSOR", "an offset counts from the first row, so it does not go with a cursor")
	}
	if q.After != nil {
		fits := len(q.After.Values) == len(order.fields)
		for i := 0; fits && i < len(order.fields); i++ {
			kind := q.After.Values[i].Type()
			fits = kind == cairn.TypeNull || kind == s.state.attributes[order.fields[i]].spec.Type
		}
		if !fits {
			return cairn.Invalid("cursor", "CURSOR_MISMATCH", "the cursor is of another order; start again without a cursor")
		}
	}
	return nil
}

// usable refuses a condition that can't be tested.
func (sel *Selection) usable() error {
	if sel.Where == nil || sel.Where.Plan().Exact() || sel.Attributes != nil {
		return nil
	}
	return cairn.Invalid("where", "ATTRIBUTE_UNINDEXED", "%s has no index, and here is no way to look it up; leave it out",
		sel.Where.Unindexed()[0].Attribute().Name)
}

// budget is how many entries may be tested.
func (sel *Selection) budget() int {
	if sel.Budget > 0 {
		return sel.Budget
	}
	return DefaultBudget
}

func (sel *Selection) overBudget() error {
	return &cairn.Error{Kind: cairn.KindExhausted, Reason: "WHERE_OVER_BUDGET", Field: "where",
		Err: cairn.Errorf(cairn.KindExhausted, "", "%s has no index, and %d entries were tested without an end; narrow the condition by an indexed attribute, or index that one",
			sel.Where.Unindexed()[0].Attribute().Name, sel.budget())}
}
