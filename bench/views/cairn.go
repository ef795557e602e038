package views

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"

	"cairn"
	"cairn/bench/load"
	"cairn/bench/stack"
)

// Cairn is Cairn over two clusters, with its router in this process.
type Cairn struct {
	stack *stack.Scattered
}

// Open starts Cairn with the first records and the views over them. This
// process collects garbage as seldom as our servers do: it has but a small heap.
func Open(ctx context.Context, entries int) (*Cairn, error) {
	debug.SetGCPercent(400)
	s, err := stack.Scatter(ctx, keyspace())
	if err != nil {
		return nil, err
	}
	c := &Cairn{stack: s}
	if err := s.Fill(ctx, entries, write); err != nil {
		return c, err
	}
	return c, s.Declare(ctx, declared()...)
}

// Serve starts a router in a process of its own and returns its address.
func (c *Cairn) Serve(ctx context.Context) (address string, err error) { return c.stack.Serve(ctx) }

// PIDs are the processes of the indexes, and then those of routers that Serve has
// started.
func (c *Cairn) PIDs() []int { return c.stack.PIDs() }

// Close ends it.
func (c *Cairn) Close() error { return c.stack.Close() }

// Stored is a record and the node that it was given.
type Stored struct {
	Record
	Node string
}

// Stored are the records from first up to end as they are stored, for a peer
// to have the same.
func (c *Cairn) Stored(ctx context.Context, first, end int) ([]Stored, error) {
	keys := make([]cairn.Key, 0, end-first)
	for n := first; n < end; n++ {
		keys = append(keys, load.Key(n))
	}
	locations, _, err := c.stack.Router.BatchLocate(ctx, stack.Keyspace, keys, cairn.Reading{})
	if err != nil {
		return nil, err
	}
	out := make([]Stored, len(keys))
	for i := range out {
		if locations[i].State != cairn.Found {
			return nil, fmt.Errorf("record %d is not found", first+i)
		}
		out[i] = Stored{RecordOf(first + i), locations[i].Primary.Name}
	}
	return out, nil
}

// Positions draws so many positions of each view.
func (c *Cairn) Positions(ctx context.Context, each int) (Positions, error) {
	random := rand.New(rand.NewPCG(2, 2))
	out := make(Positions, len(Views))
	for i, view := range Views {
		selection := cairn.Selection{View: view.Name}
		count, err := c.stack.Router.CountView(ctx, selection)
		if err != nil {
			return nil, err
		}
		for len(out[i]) < each {
			// Enough rows are left for a full page.
			most := max(int(count.Count)-PageRows-1, 1)
			position, err := c.position(ctx, selection, view.Sort, random.IntN(most))
			if err != nil {
				return nil, err
			}
			out[i] = append(out[i], position)
		}
	}
	return out, nil
}

// position is that of the row at an offset.
func (c *Cairn) position(ctx context.Context, selection cairn.Selection, sort string, offset int) (Position, error) {
	if sort[0] == '-' {
		sort = sort[1:]
	}
	found, err := c.stack.Router.QueryView(ctx, cairn.PageQuery{Selection: selection, Offset: offset, Limit: 1, Fields: []string{sort}})
	if err != nil {
		return Position{}, err
	}
	if len(found.Rows) != 1 {
		return Position{}, fmt.Errorf("%d rows at offset %d of view %s", len(found.Rows), offset, selection.View)
	}
	row := &found.Rows[0]
	value, _ := row.Attributes.Get(sort)
	return Position{Cursor: found.NextCursor, Sort: value, Key: row.Key}, nil
}

// Ask asks the router.
func (c *Cairn) Ask(ctx context.Context, q *Question) (Answer, error) {
	r := c.stack.Router
	selection := cairn.Selection{View: Views[q.View].Name, Where: q.where()}
	switch q.Asks {
	case Count:
		answer, err := r.CountView(ctx, selection)
		return counted(answer), err
	case Group:
		answer, err := r.GroupView(ctx, cairn.GroupQuery{Selection: selection, By: []string{"country"}})
		return grouped(answer), err
	case Aggregate:
		answer, err := r.AggregateView(ctx, selection, "balance")
		return aggregated(answer), err
	}
	query := cairn.PageQuery{Selection: selection, Limit: PageRows}
	if q.After != nil {
		query.Cursor = q.After.Cursor
	}
	answer, err := r.QueryView(ctx, query)
	if err != nil {
		return nil, err
	}
	if len(answer.Rows) == 0 {
		return nil, fmt.Errorf("a page of no rows of view %s", selection.View)
	}
	// The values are looked at, as who asks for them does: until then they are encoded.
	for i := range answer.Rows {
		shown := 0
		for range answer.Rows[i].Attributes.All() {
			shown++
		}
		if shown != len(Fields) {
			return nil, fmt.Errorf("key %s shows %d attributes, want %d", answer.Rows[i].Key, shown, len(Fields))
		}
	}
	return paged(answer), nil
}

// The answers, as they came.
type (
	paged      cairn.ViewPage
	counted    cairn.ViewCount
	grouped    cairn.ViewGroups
	aggregated cairn.ViewAggregation
)

func (p paged) Text() string {
	return joined(p.Rows, func(row *cairn.NamedRow) string {
		country, _ := row.Attributes.Get("country")
		tier, _ := row.Attributes.Get("tier")
		balance, _ := row.Attributes.Get("balance")
		return RowText(string(row.Key), row.Primary.Name, country.Text(), tier.Text(), balance.Int())
	})
}

func (c counted) Text() string { return CountText(c.Count) }

func (g grouped) Text() string {
	return joined(g.Groups, func(each *cairn.Group) string { return GroupText(each.Values[0].Text(), uint64(each.Count)) })
}

func (a aggregated) Text() string {
	sum, err := a.Aggregation.Sum()
	if err != nil {
		return err.Error()
	}
	return AggregateText(uint64(a.Aggregation.Count), sum.String(), a.Aggregation.Min.String(), a.Aggregation.Max.String())
}
