package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"cairn/bench/load"
	"cairn/bench/locates"
)

// The node is in the primary key's index, so that the table itself is not read.
const entriesTable = `CREATE TABLE entries (key text NOT NULL, node text NOT NULL, PRIMARY KEY (key) INCLUDE (node))`

const (
	locateOne  = "SELECT node FROM entries WHERE key = $1"
	locateMany = "SELECT key, node FROM entries WHERE key = ANY($1)"
)

// FillEntries makes a table of the first entries and vacuums it, so that its
// index tells all there is to know of a row.
func (p *Postgres) FillEntries(ctx context.Context, entries int, nodes locates.Nodes) error {
	if _, err := p.pool.Exec(ctx, entriesTable); err != nil {
		return err
	}
	for first := 0; first < entries; first += batch {
		of, err := nodes(ctx, first, min(first+batch, entries))
		if err != nil {
			return err
		}
		source := pgx.CopyFromSlice(len(of), func(i int) ([]any, error) { return []any{string(load.Key(first + i)), of[i]}, nil })
		if _, err := p.pool.CopyFrom(ctx, pgx.Identifier{"entries"}, []string{"key", "node"}, source); err != nil {
			return err
		}
	}
	return p.settle(ctx, "entries")
}

// Locate asks for one key through a prepared statement.
func (p *Postgres) Locate(ctx context.Context, batch *locates.Batch) error {
	var node string
	if err := p.pool.QueryRow(ctx, locateOne, batch.Texts[0]).Scan(&node); err != nil {
		return fmt.Errorf("key %s: %w", batch.Texts[0], err)
	}
	return batch.Put(0, node)
}

// LocateBatch asks for all keys of a batch at once. The rows come in any order.
func (p *Postgres) LocateBatch(ctx context.Context, batch *locates.Batch) error {
	rows, err := p.pool.Query(ctx, locateMany, batch.Texts)
	if err != nil {
		return err
	}
	defer rows.Close()
	found := make(map[string]string, len(batch.Texts))
	for rows.Next() {
		var key, node string
		if err := rows.Scan(&key, &node); err != nil {
			return err
		}
		found[key] = node
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for i, key := range batch.Texts {
		if err := batch.Put(i, found[key]); err != nil {
			return err
		}
	}
	return nil
}
