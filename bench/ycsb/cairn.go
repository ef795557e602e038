package ycsb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"cairn"
	"cairn/bench/load"
	"cairn/bench/stack"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router"
)

// Cairn is Cairn with the records: a router in this process and an index of one
// replica, a process of its own. It is a Scanner.
type Cairn struct {
	stack  *stack.Durable
	router *router.Router
}

const view = "by-seats"

// Open starts Cairn with the first records and the view of them.
func Open(ctx context.Context, entries int, settle time.Duration) (*Cairn, error) {
	debug.SetGCPercent(400) // as our servers do: this process has but a small heap
	s, err := stack.StartDurable(ctx, 1)
	if err != nil {
		return nil, err
	}
	c := &Cairn{stack: s, router: s.Router()}
	var keys load.NewKeys
	first := func(n int) cairn.Write {
		return cairn.Write{Operation: cairn.Put, Key: keys.Had(uint64(n)), Attributes: attributes(RecordOf(n))}
	}
	if err := s.FillWith(ctx, entries, settle, first); err != nil {
		return c, err
	}
	return c, s.Declare(ctx, &cairnv1.View{Name: "views/" + view, Sort: []string{"seats"}, Fields: []string{"country", "seats"}})
}

// PIDs are the processes besides this one.
func (c *Cairn) PIDs() []int { return c.stack.PIDs(true) }

// Close ends it.
func (c *Cairn) Close() error { return c.stack.Close() }

func attributes(r Record) cairn.NamedValues {
	country, err := cairn.String(r.Country)
	if err != nil {
		panic(err) // there is no such country
	}
	return cairn.NamedValues{{Name: "country", Value: country}, {Name: "seats", Value: cairn.Int(r.Seats)}}
}

// Positions draws so many positions, anywhere in the view.
func (c *Cairn) Positions(ctx context.Context, each, entries int) ([]Position, error) {
	random := rand.New(rand.NewPCG(2, 2))
	out := make([]Position, each)
	for i := range out {
		found, err := c.router.QueryView(ctx, cairn.PageQuery{
			Selection: cairn.Selection{View: view}, Limit: 1, Offset: random.IntN(max(entries-MostScanned, 1)),
		})
		if err != nil {
			return nil, err
		}
		if len(found.Rows) == 0 {
			return nil, fmt.Errorf("view %s has fewer rows than entries", view)
		}
		row := &found.Rows[0]
		at, _ := row.Attributes.Get("seats")
		out[i] = Position{Seats: at.Int(), Key: string(row.Key), Cursor: found.NextCursor}
	}
	return out, nil
}

// Read locates an entry with its attributes.
func (c *Cairn) Read(ctx context.Context, key string) error {
	location, _, err := c.router.Locate(ctx, stack.Keyspace, cairn.Key(key), cairn.Reading{WithAttributes: true})
	if err == nil && location.State != cairn.Found {
		return fmt.Errorf("key %s is not found", key)
	}
	return err
}

// Update patches an entry.
func (c *Cairn) Update(ctx context.Context, key string, seats int64) error {
	return c.write(ctx, cairn.Write{Operation: cairn.Merge, Key: cairn.Key(key), Attributes: cairn.NamedValues{{Name: "seats", Value: cairn.Int(seats)}}})
}

// Insert puts an entry.
func (c *Cairn) Insert(ctx context.Context, key string, record Record) error {
	return c.write(ctx, cairn.Write{Operation: cairn.Put, Key: cairn.Key(key), Attributes: attributes(record)})
}

func (c *Cairn) write(ctx context.Context, write cairn.Write) error {
	_, _, err := c.router.Put(ctx, stack.Keyspace, write, cairn.RequestID{})
	return err
}

// Scan asks for a page of the view.
func (c *Cairn) Scan(ctx context.Context, behind Position, records int) error {
	found, err := c.router.QueryView(ctx, cairn.PageQuery{Selection: cairn.Selection{View: view}, Cursor: behind.Cursor, Limit: records})
	if err == nil && len(found.Rows) == 0 {
		return fmt.Errorf("no rows behind %s", behind.Key)
	}
	return err
}
