package locates

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"cairn"
	"cairn/bench/load"
	"cairn/bench/stack"
)

// Cairn is Cairn with one cluster, whose index has one replica, a process of
// its own. It is asked through InProcess or Remote.
type Cairn struct {
	stack *stack.Durable
}

// Open starts Cairn with the first entries. This process collects garbage as
// seldom as our servers do: it has but a small heap.
func Open(ctx context.Context, entries int, settle time.Duration) (*Cairn, error) {
	debug.SetGCPercent(400)
	s, err := stack.StartDurable(ctx, 1)
	if err != nil {
		return nil, err
	}
	c := &Cairn{stack: s}
	return c, s.Fill(ctx, entries, settle)
}

// Of is whoever locates in a stack's keyspace.
func Of(locator stack.BatchLocator) Side { return side{locator} }

// InProcess is a router in this process.
func (c *Cairn) InProcess() Side { return Of(c.stack.Locator(true)) }

// Remote is a client of a router that is a process of its own.
func (c *Cairn) Remote() Side { return Of(c.stack.Locator(false)) }

// PIDs are the processes that take part when it is asked so.
func (c *Cairn) PIDs(inProcess bool) []int { return c.stack.PIDs(inProcess) }

// Nodes are where entries live.
func (c *Cairn) Nodes(ctx context.Context, first, end int) ([]string, error) {
	b := Batch{Nodes: make([]string, end-first)}
	for n := first; n < end; n++ {
		key := load.Key(n)
		b.Keys, b.Texts = append(b.Keys, key), append(b.Texts, string(key))
	}
	return b.Nodes, c.InProcess().LocateBatch(ctx, &b)
}

// Close ends it.
func (c *Cairn) Close() error { return c.stack.Close() }

type side struct{ to stack.BatchLocator }

func (s side) Locate(ctx context.Context, batch *Batch) error {
	location, _, err := s.to.Locate(ctx, stack.Keyspace, batch.Keys[0], cairn.Reading{})
	if err != nil {
		return err
	}
	return batch.Put(0, primary(&location))
}

func (s side) LocateBatch(ctx context.Context, batch *Batch) error {
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
