package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"cairn/bench/load"
	"cairn/bench/ycsb"
)

// seatsTable is filled before it gets its index.
const (
	seatsTable = `CREATE TABLE seats (key text NOT NULL PRIMARY KEY, node text NOT NULL, country text NOT NULL, seats bigint NOT NULL)`
	seatsIndex = `CREATE INDEX by_seats ON seats (seats, key) INCLUDE (node, country)`

	readSeats   = "SELECT node, country, seats FROM seats WHERE key = $1"
	updateSeats = "UPDATE seats SET seats = $2 WHERE key = $1"
	insertSeats = "INSERT INTO seats VALUES ($1, 'north-a', $2, $3)"
	scanSeats   = "SELECT key, node, country, seats FROM seats WHERE seats >= $1 AND (seats > $1 OR key > $2) ORDER BY seats, key LIMIT $3"
)

// Seats is PostgreSQL with the records of bench/ycsb. It is a ycsb.Scanner.
type Seats struct{ *Postgres }

// FillSeats makes the table of the first records and its indexes.
func (p *Postgres) FillSeats(ctx context.Context, entries int) (Seats, error) {
	s := Seats{p}
	if _, err := p.pool.Exec(ctx, seatsTable); err != nil {
		return s, err
	}
	var keys load.NewKeys
	source := pgx.CopyFromSlice(entries, func(n int) ([]any, error) {
		record := ycsb.RecordOf(n)
		return []any{string(keys.Had(uint64(n))), "north-a", record.Country, record.Seats}, nil
	})
	if _, err := p.pool.CopyFrom(ctx, pgx.Identifier{"seats"}, []string{"key", "node", "country", "seats"}, source); err != nil {
		return s, err
	}
	if _, err := p.pool.Exec(ctx, seatsIndex); err != nil {
		return s, err
	}
	return s, p.settle(ctx, "seats")
}

// Read selects a record by its primary key.
func (s Seats) Read(ctx context.Context, key string) error {
	var node, country string
	var seats int64
	if err := s.pool.QueryRow(ctx, readSeats, key).Scan(&node, &country, &seats); err != nil {
		return fmt.Errorf("record %s: %w", key, err)
	}
	return nil
}

// Update updates a record.
func (s Seats) Update(ctx context.Context, key string, seats int64) error {
	done, err := s.pool.Exec(ctx, updateSeats, key, seats)
	if err == nil && done.RowsAffected() != 1 {
		return fmt.Errorf("there is no record %s", key)
	}
	return err
}

// Insert inserts a record.
func (s Seats) Insert(ctx context.Context, key string, record ycsb.Record) error {
	_, err := s.pool.Exec(ctx, insertSeats, key, record.Country, record.Seats)
	return err
}

// Scan selects records in order of their seats.
func (s Seats) Scan(ctx context.Context, behind ycsb.Position, records int) error {
	rows, err := s.pool.Query(ctx, scanSeats, behind.Seats, behind.Key, records)
	if err != nil {
		return err
	}
	defer rows.Close()
	found := 0
	for rows.Next() {
		var key, node, country string
		var seats int64
		if err := rows.Scan(&key, &node, &country, &seats); err != nil {
			return err
		}
		found++
	}
	if found == 0 {
		return errors.Join(errors.New("no records behind "+behind.Key), rows.Err())
	}
	return rows.Err()
}
