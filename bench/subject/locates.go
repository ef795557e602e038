package subject

import (
	"context"
	"fmt"
	"runtime/debug"

	"cairn"
	"cairn/bench/load"
	"cairn/bench/locates"
	"cairn/bench/stack"
)

// Located is Cairn with the entries of bench/locates. It is asked through
// InProcess or Remote.
type Located struct {
	stack *stack.Durable
}

// Locate starts Cairn with the first entries. This process collects garbage as
// seldom as our servers do: it has but a small heap.
func Locate(ctx context.Context, entries int) (*Located, error) {
	debug.SetGCPercent(400)
	s, err := stack.StartDurable(ctx, 1)
	if err != nil {
		return nil, err
	}
	l := &Located{stack: s}
	return l, s.Fill(ctx, entries)
}

// Locate has the entries of bench/locates beside the records. The records' stack
// is not for the answer to close.
func (r *Records) Locate(ctx context.Context, entries int) (*Located, error) {
	return &Located{stack: r.stack}, r.stack.Fill(ctx, entries)
}

// Of is whoever locates in a stack's keyspace.
func Of(locator stack.BatchLocator) locates.Side { return side{locator} }

// InProcess is a router in this process.
func (l *Located) InProcess() locates.Side { return Of(l.stack.Locator(true)) }

// Cached is another router in this process, which has all entries in its cache.
func (l *Located) Cached(ctx context.Context, entries int) (locates.Side, error) {
	r, err := l.stack.Caching(ctx, entries)
	return Of(r), err
}

// Remote is a client of a router that is a process of its own.
func (l *Located) Remote() locates.Side { return Of(l.stack.Locator(false)) }

// PIDs are the processes that take part when it is asked so.
func (l *Located) PIDs(inProcess bool) []int { return l.stack.PIDs(inProcess) }

// Nodes are where entries live.
func (l *Located) Nodes(ctx context.Context, first, end int) ([]string, error) {
	b := locates.Batch{Nodes: make([]string, end-first)}
	for n := first; n < end; n++ {
		key := load.Key(n)
		b.Keys, b.Texts = append(b.Keys, key), append(b.Texts, string(key))
	}
	return b.Nodes, l.InProcess().LocateBatch(ctx, &b)
}

// Close ends it.
func (l *Located) Close() error { return l.stack.Close() }

type side struct{ to stack.BatchLocator }

func (s side) Locate(ctx context.Context, batch *locates.Batch) error {
	location, _, err := s.to.Locate(ctx, stack.Keyspace, batch.Keys[0], cairn.Reading{})
	if err != nil {
		return err
	}
	return batch.Put(0, primary(&location))
}

func (s side) LocateBatch(ctx context.Context, batch *locates.Batch) error {
	locations, _, err := s.to.BatchLocate(ctx, stack.Keyspace, batch.Keys, cairn.Reading{})
	if err != nil {
		return err
	}
	for i := range locations {
		if locations[i].Err != nil {
			return fmt.Errorf("key %s: %w", batch.Texts[i], locations[i].Err)
		}
		if err := batch.Put(i, primary(&locations[i])); err != nil {
			return err
		}
	}
	return nil
}

// primary is the name of the primary, empty if the key was not found.
func primary(location *cairn.Location) string {
	if location.State != cairn.Found {
		return ""
	}
	return location.Primary.Name
}
