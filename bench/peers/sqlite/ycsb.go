package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"cairn/bench/load"
	"cairn/bench/ycsb"
)

const (
	seatsTable  = "CREATE TABLE seats (key TEXT NOT NULL PRIMARY KEY, node TEXT NOT NULL, country TEXT NOT NULL, seats INTEGER NOT NULL) WITHOUT ROWID, STRICT"
	seatsIndex  = "CREATE INDEX by_seats ON seats (seats, key, node, country)"
	insertSeats = "INSERT INTO seats VALUES (?1, 'north-a', ?2, ?3)"

	readSeats   = "SELECT node, country, seats FROM seats WHERE key = ?1"
	updateSeats = "UPDATE seats SET seats = ?2 WHERE key = ?1 RETURNING 1"
	scanSeats   = "SELECT key, node, country, seats FROM seats WHERE seats >= ?1 AND (seats > ?1 OR key > ?2) ORDER BY seats, key LIMIT ?3"
)

// Seats is SQLite with the records of bench/ycsb. It is a ycsb.Scanner.
type Seats struct {
	*SQLite

	// mu is held for writes, of which there can be but one at a time: to wait
	// for it here wakes who is next, where SQLite would sleep and try again.
	mu     sync.Mutex
	writer *connection
}

// FillSeats makes the table of the first records and its index. What is written
// from then on is synced before it is answered.
func (s *SQLite) FillSeats(ctx context.Context, entries int) (*Seats, error) {
	var keys load.NewKeys
	read := func(first, end int) ([][]any, error) {
		rows := make([][]any, 0, end-first)
		for n := first; n < end; n++ {
			record := ycsb.RecordOf(n)
			rows = append(rows, []any{string(keys.Had(uint64(n))), record.Country, record.Seats})
		}
		return rows, nil
	}
	err := s.fill(ctx, seatsTable, insertSeats, entries, read, []string{seatsIndex}, []string{readSeats, scanSeats})
	if err != nil {
		return nil, err
	}
	writer, err := connect(ctx, s.address()+"?_mutex=no", append(writing, durable))
	return &Seats{SQLite: s, writer: writer}, err
}

// Close ends it and removes its file.
func (s *Seats) Close() error { return errors.Join(s.writer.Close(), s.SQLite.Close()) }

// Read selects a record by its primary key.
func (s *Seats) Read(ctx context.Context, key string) error {
	var node, country string
	err := s.askOne(ctx, readSeats, []any{key}, func(values []driver.Value) { node, country = textOf(values[0]), textOf(values[1]) })
	if err == nil && (node == "" || country == "") {
		err = errors.New("it has no node or no country")
	}
	if err != nil {
		return fmt.Errorf("record %s: %w", key, err)
	}
	return nil
}

// Update updates a record.
func (s *Seats) Update(ctx context.Context, key string, seats int64) error {
	updated := false
	err := s.change(ctx, updateSeats, []any{key, seats}, func([]driver.Value) error {
		updated = true
		return nil
	})
	if err == nil && !updated {
		return fmt.Errorf("there is no record %s", key)
	}
	return err
}

// Insert inserts a record.
func (s *Seats) Insert(ctx context.Context, key string, record ycsb.Record) error {
	return s.change(ctx, insertSeats, []any{key, record.Country, record.Seats}, nil)
}

func (s *Seats) change(ctx context.Context, text string, args []any, each func(values []driver.Value) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writer.rows(ctx, text, args, each)
}

// Scan selects records in order of their seats.
func (s *Seats) Scan(ctx context.Context, behind ycsb.Position, records int) error {
	found := 0
	err := s.ask(ctx, scanSeats, []any{behind.Seats, behind.Key, int64(records)}, func([]driver.Value) error {
		found++
		return nil
	})
	if err == nil && found == 0 {
		return errors.New("no records behind " + behind.Key)
	}
	return err
}
