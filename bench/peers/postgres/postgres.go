package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"cairn"
	"cairn/bench/peers/server"
	"cairn/bench/report"
	"cairn/bench/views"
)

// Postgres is PostgreSQL with the records. It is a views.Side.
type Postgres struct {
	version string
	server  *server.Server
	pool    *pgxpool.Pool
	// pages are the queries for pages by their view, from the first row and
	// behind a position; others those of the rest, without and with a condition.
	pages  [][2]string
	others map[views.Asks][2]string
}

// Open starts it, empty, with so many connections. It is a *server.Missing
// where it is not installed.
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
	if err := p.connect(ctx, connections); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// connect connects once it answers.
func (p *Postgres) connect(ctx context.Context, connections int) error {
	config, err := pgxpool.ParseConfig(address(p.server))
	if err != nil {
		return err
	}
	config.MaxConns, config.MinConns = int32(connections), int32(connections)
	if p.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	return p.server.Await(ctx, func(ctx context.Context) error {
		return p.pool.QueryRow(ctx, "SHOW server_version").Scan(&p.version)
	})
}

// Peer says what it is.
func (p *Postgres) Peer() report.Peer {
	return report.Peer{Name: "PostgreSQL", Version: p.version, Settings: described()}
}

// PIDs are its processes.
func (p *Postgres) PIDs() []int { return p.server.PIDs() }

// Close ends it and removes its data.
func (p *Postgres) Close() error {
	if p.pool != nil {
		p.pool.Close()
	}
	return p.server.Stop()
}

// batch is how many records are read from Cairn at once.
const batch = 5_000

// FillRecords copies the first records from Cairn, makes the indexes, and vacuums, so
// that an index tells all there is to know of a row.
func (p *Postgres) FillRecords(ctx context.Context, from *views.Cairn, entries int) error {
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
	return p.settle(ctx, "records")
}

// settle vacuums a table that is filled and has it all written.
func (p *Postgres) settle(ctx context.Context, table string) error {
	if _, err := p.pool.Exec(ctx, "VACUUM (ANALYZE, FREEZE) "+table); err != nil {
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
		var n views.Total
		return &n, p.pool.QueryRow(ctx, query, args...).Scan(&n)
	case views.Aggregate:
		var a views.Sums
		return &a, p.pool.QueryRow(ctx, query, args...).Scan(&a.Count, &a.Sum, &a.Least, &a.Most)
	}
	found, err := p.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	if q.Asks == views.Group {
		groups := make(views.Groups, 0, 8)
		for found.Next() {
			var g views.CountryCount
			if err := found.Scan(&g.Country, &g.Count); err != nil {
				return nil, err
			}
			groups = append(groups, g)
		}
		return groups, found.Err()
	}
	rows := make(views.Rows, 0, views.PageRows)
	for found.Next() {
		rows = append(rows, views.Row{})
		r := &rows[len(rows)-1]
		if err := found.Scan(&r.Key, &r.Node, &r.Country, &r.Tier, &r.Balance); err != nil {
			return nil, err
		}
	}
	if len(rows) == 0 {
		return nil, errors.Join(fmt.Errorf("a page of no rows: %s", query), found.Err())
	}
	return rows, found.Err()
}
