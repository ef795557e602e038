package subject

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"

	"cairn"
	"cairn/bench/load"
	"cairn/bench/stack"
	"cairn/bench/ycsb"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router"
)

// Records is Cairn with YCSB's records, asked through a router in this process.
// It is a ycsb.Scanner.
type Records struct {
	stack  *stack.Durable
	router *router.Router
}

const view = "by-seats"

// Keep starts Cairn with the first records and the view of them.
func Keep(ctx context.Context, entries int) (*Records, error) {
	debug.SetGCPercent(400) // as our servers do: this process has but a small heap
	s, err := stack.StartDurable(ctx, 1)
	if err != nil {
		return nil, err
	}
	r := &Records{stack: s, router: s.Router()}
	var keys load.NewKeys
	first := func(n int) cairn.Write {
		return cairn.Write{Operation: cairn.Put, Key: keys.Had(uint64(n)), Attributes: attributes(ycsb.RecordOf(n))}
	}
	if err := s.FillWith(ctx, entries, first); err != nil {
		return r, err
	}
	return r, s.Declare(ctx, &cairnv1.View{Name: "views/" + view, Sort: []string{"seats"}, Fields: []string{"country", "seats"}})
}

// PIDs are the processes besides this one.
func (r *Records) PIDs() []int { return r.stack.PIDs(true) }

// Close ends it.
func (r *Records) Close() error { return r.stack.Close() }

func attributes(of ycsb.Record) cairn.NamedValues {
	country, err := cairn.String(of.Country)
	if err != nil {
		panic(err) // there is no such country
	}
	return cairn.NamedValues{{Name: "country", Value: country}, {Name: "seats", Value: cairn.Int(of.Seats)}}
}

// Positions draws so many positions, anywhere in the view.
func (r *Records) Positions(ctx context.Context, each, entries int) ([]ycsb.Position, error) {
	random := rand.New(rand.NewPCG(2, 2))
	out := make([]ycsb.Position, each)
	for i := range out {
		found, err := r.router.QueryView(ctx, cairn.PageQuery{
			Selection: cairn.Selection{View: view}, Limit: 1, Offset: random.IntN(max(entries-ycsb.MostScanned, 1)),
		})
		if err != nil {
			return nil, err
		}
		if len(found.Rows) == 0 {
			return nil, fmt.Errorf("view %s has fewer rows than entries", view)
		}
		row := &found.Rows[0]
		at, _ := row.Attributes.Get("seats")
		out[i] = ycsb.Position{Seats: at.Int(), Key: string(row.Key), Cursor: found.NextCursor}
	}
	return out, nil
}

// Read locates an entry with its attributes.
func (r *Records) Read(ctx context.Context, key string) error {
	location, _, err := r.router.Locate(ctx, stack.Keyspace, cairn.Key(key), cairn.Reading{WithAttributes: true})
	if err == nil && location.State != cairn.Found {
		return fmt.Errorf("key %s is not found", key)
	}
	return err
}

// Update patches an entry.
func (r *Records) Update(ctx context.Context, key string, seats int64) error {
	return r.write(ctx, cairn.Write{Operation: cairn.Merge, Key: cairn.Key(key), Attributes: cairn.NamedValues{{Name: "seats", Value: cairn.Int(seats)}}})
}

// Insert puts an entry.
func (r *Records) Insert(ctx context.Context, key string, record ycsb.Record) error {
	return r.write(ctx, cairn.Write{Operation: cairn.Put, Key: cairn.Key(key), Attributes: attributes(record)})
}

func (r *Records) write(ctx context.Context, write cairn.Write) error {
	_, _, err := r.router.Put(ctx, stack.Keyspace, write, cairn.RequestID{})
	return err
}

// Scan asks for a page of the view.
func (r *Records) Scan(ctx context.Context, behind ycsb.Position, records int) error {
	found, err := r.router.QueryView(ctx, cairn.PageQuery{Selection: cairn.Selection{View: view}, Cursor: behind.Cursor, Limit: records})
	if err == nil && len(found.Rows) == 0 {
		return fmt.Errorf("no rows behind %s", behind.Key)
	}
	return err
}
