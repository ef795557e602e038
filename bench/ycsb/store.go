package ycsb

import (
	"context"
	"math/rand/v2"
)

// Store is a system that keeps the records.
type Store interface {
	// Read reads a record; an error if there is none.
	Read(ctx context.Context, key string) error
	// Update changes the number of seats of a record, durably.
	Update(ctx context.Context, key string, seats int64) error
	// Insert adds a record, durably.
	Insert(ctx context.Context, key string, record Record) error
}

// Scanner is a Store that has the records in order of their seats too.
type Scanner interface {
	Store
	// Scan reads so many records behind a position, fewer where there are no
	// more.
	Scan(ctx context.Context, behind Position, records int) error
}

// Record is what is kept of an entry besides its key and its node.
type Record struct {
	Country string
	Seats   int64
}

// seats is how many there may be.
const seats = 1_000_000

var countries = []string{"BR", "CN", "DE", "GB", "HU", "IE", "IN", "KE", "SE", "US"}

// RecordOf is what record n is at first, the same every time.
func RecordOf(n int) Record {
	random := rand.New(rand.NewPCG(uint64(n), 3))
	return Record{Country: countries[random.IntN(len(countries))], Seats: random.Int64N(seats)}
}

// Position is where a record stood in order of seats, then keys.
type Position struct {
	Seats int64
	Key   string
	// Cursor is the same as Cairn gives it out.
	Cursor string
}
