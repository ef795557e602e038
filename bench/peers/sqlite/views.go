package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"cairn"
	"cairn/bench/views"
)

// The queries: pages by their view, from the first row and behind a position,
// and the others, without and with a condition.
var pages, others = queries()

func queries() (pages [][2]string, others map[views.Asks][2]string) {
	others = map[views.Asks][2]string{}
	for i := range views.Views {
		pages = append(pages, [2]string{page(i, false), page(i, true)})
	}
	for _, asks := range []views.Asks{views.Page, views.Count, views.Group, views.Aggregate} {
		others[asks] = [2]string{query(asks, false), query(asks, true)}
	}
	return pages, others
}

// statements are all queries.
func statements() []string {
	var out []string
	for _, of := range pages {
		out = append(out, of[:]...)
	}
	for _, of := range others {
		out = append(out, of[:]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// FillRecords copies the first records from Cairn and makes the indexes.
func (s *SQLite) FillRecords(ctx context.Context, from *views.Cairn, entries int) error {
	return s.fillRecords(ctx, entries, func(first, end int) ([]views.Stored, error) { return from.Stored(ctx, first, end) })
}

func (s *SQLite) fillRecords(ctx context.Context, entries int, stored func(first, end int) ([]views.Stored, error)) error {
	read := func(first, end int) ([][]any, error) {
		records, err := stored(first, end)
		if err != nil {
			return nil, err
		}
		rows := make([][]any, len(records))
		for i := range records {
			r := &records[i]
			rows[i] = []any{string(r.Key), r.Node, r.Country, r.Tier, r.Status, r.Balance, r.Created.UnixMicro(), r.Score}
		}
		return rows, nil
	}
	return s.fill(ctx, recordsTable, insertRecords, entries, read, indexes(), statements())
}

// question is a question's query and its arguments.
func question(q *views.Question) (query string, args []any) {
	switch {
	case q.Narrowed:
		return others[q.Asks][1], []any{q.Tier, q.Score}
	case q.Asks != views.Page:
		return others[q.Asks][0], nil
	case q.After == nil:
		return pages[q.View][0], nil
	}
	return pages[q.View][1], []any{argument(q.After.Sort), string(q.After.Key)}
}

func argument(v cairn.Value) any {
	switch v.Type() {
	case cairn.TypeFloat:
		return v.Float()
	case cairn.TypeTimestamp:
		return v.Time().UnixMicro()
	default:
		return v.Int()
	}
}

// Ask asks it through a prepared statement.
func (s *SQLite) Ask(ctx context.Context, q *views.Question) (views.Answer, error) {
	query, args := question(q)
	switch q.Asks {
	case views.Count:
		var n views.Total
		return &n, s.askOne(ctx, query, args, func(values []driver.Value) { n = views.Total(intOf(values[0])) })
	case views.Aggregate:
		var a views.Sums
		return &a, s.askOne(ctx, query, args, func(values []driver.Value) {
			a = views.Sums{Count: uint64(intOf(values[0])), Sum: intOf(values[1]), Least: intOf(values[2]), Most: intOf(values[3])}
		})
	case views.Group:
		groups := make(views.Groups, 0, 8)
		err := s.ask(ctx, query, args, func(values []driver.Value) error {
			groups = append(groups, views.CountryCount{Country: textOf(values[0]), Count: uint64(intOf(values[1]))})
			return nil
		})
		return groups, err
	}
	rows := make(views.Rows, 0, views.PageRows)
	err := s.ask(ctx, query, args, func(values []driver.Value) error {
		rows = append(rows, views.Row{
			Key: textOf(values[0]), Node: textOf(values[1]), Country: textOf(values[2]), Tier: textOf(values[3]), Balance: intOf(values[4]),
		})
		return nil
	})
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("a page of no rows: %s", query)
	}
	return rows, err
}
