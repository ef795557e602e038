package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"cairn"
	"cairn/bench/views"
)

// Postgres is PostgreSQL with the records. It is a views.Side.
type Postgres struct {
	// Version is what it says of itself.
	Version string

	server *server
	pool   *pgxpool.Pool
	// pages are the queries for pages by their view, from the first row and
	// behind a position; others those of the rest, without and with a condition.
	pages  [][2]string
	others map[views.Asks][2]string
}

// Open starts it, empty, with so many connections.
func Open(ctx context.Context, connections int) (*Postgres, error) {
	s, err := start(ctx)
	if err != nil {
		return nil, err
	}
	p := &Postgres{server: s, others: map[views.Asks][2]string{}}
	for i := range views.Views {
		p.pages = append(p.pages, [2]string{page(i, false), page(i, true)})
	}
	for _, asks := range []views.Asks{views.Page, views.Count, views.Group, views.Aggregate} {
		p.others[asks] = [2]string{query(asks, false), query(asks, true)}
	}
	config, err := pgxpool.ParseConfig(s.address())
	if err != nil {
		return p, err
	}
	config.MaxConns, config.MinConns = int32(connections), int32(connections)
	if p.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return p, err
	}
	return p, p.await(ctx)
}

// await waits until it answers.
func (p *Postgres) await(ctx context.Context) error {
	const longest = 20 * time.Second
	var err error
	for end := time.Now().Add(longest); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		if err = p.pool.QueryRow(ctx, "SELECT version()").Scan(&p.Version); err == nil {
			return nil
		}
	}
	return fmt.Errorf("PostgreSQL does not answer: %w", err)
}

// PID is its first process, which starts all others.
func (p *Postgres) PID() int { return p.server.command.Process.Pid }

// Close ends it and removes its data.
func (p *Postgres) Close() error {
	if p.pool != nil {
		p.pool.Close()
	}
	return p.server.stop()
}

// batch is how many records are read from Cairn at once.
const batch = 5_000

// Fill copies the first records from Cairn, makes the indexes, and vacuums, so
// that an index tells all there is to know of a row.
func (p *Postgres) Fill(ctx context.Context, from *views.Cairn, entries int) error {
	if _, err := p.pool.Exec(ctx, table); err != nil {
		return err
	}
	for first := 0; first < entries; first += batch {
		records, err := from.Stored(ctx, first, min(first+batch, entries))
		if err != nil {
			return err
		}
		source := pgx.CopyFromSlice(len(records), func(i int) ([]any, error) {
			r := &records[i]
			return []any{string(r.Key), r.Node, r.Country, r.Tier, r.Status, r.Balance, r.Created, r.Score}, nil
		})
		names := []string{"key", "node", "country", "tier", "status", "balance", "created", "score"}
		if _, err := p.pool.CopyFrom(ctx, pgx.Identifier{"records"}, names, source); err != nil {
			return err
		}
	}
	for _, index := range indexes() {
		if _, err := p.pool.Exec(ctx, index); err != nil {
			return fmt.Errorf("%s: %w", index, err)
		}
	}
	if _, err := p.pool.Exec(ctx, "VACUUM (ANALYZE, FREEZE) records"); err != nil {
		return err
	}
	_, err := p.pool.Exec(ctx, "CHECKPOINT")
	return err
}

// statement is a question's query and its arguments.
func (p *Postgres) statement(q *views.Question) (query string, args []any) {
	switch {
	case q.Narrowed:
		return p.others[q.Asks][1], []any{q.Tier, q.Score}
	case q.Asks != views.Page:
		return p.others[q.Asks][0], nil
	case q.After == nil:
		return p.pages[q.View][0], nil
	}
	return p.pages[q.View][1], []any{argument(q.After.Sort), string(q.After.Key)}
}

func argument(v cairn.Value) any {
	switch v.Type() {
	case cairn.TypeFloat:
		return v.Float()
	case cairn.TypeTimestamp:
		return v.Time()
	default:
		return v.Int()
	}
}

// Ask asks it through a prepared statement: pgx keeps those by their text.
func (p *Postgres) Ask(ctx context.Context, q *views.Question) (views.Answer, error) {
	query, args := p.statement(q)
	switch q.Asks {
	case views.Count:
		var n count
		return &n, p.pool.QueryRow(ctx, query, args...).Scan(&n)
	case views.Aggregate:
		var a aggregation
		return &a, p.pool.QueryRow(ctx, query, args...).Scan(&a.count, &a.sum, &a.least, &a.most)
	}
	found, err := p.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	if q.Asks == views.Group {
		groups := make(groups, 0, 8)
		for found.Next() {
			var g group
			if err := found.Scan(&g.country, &g.count); err != nil {
				return nil, err
			}
			groups = append(groups, g)
		}
		return groups, found.Err()
	}
	rows := make(rows, 0, views.PageRows)
	for found.Next() {
		rows = append(rows, row{})
		r := &rows[len(rows)-1]
		if err := found.Scan(&r.key, &r.node, &r.country, &r.tier, &r.balance); err != nil {
			return nil, err
		}
	}
	if len(rows) == 0 {
		return nil, errors.Join(fmt.Errorf("a page of no rows: %s", query), found.Err())
	}
	return rows, found.Err()
}
