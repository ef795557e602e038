package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"cairn"
	"cairn/bench/load"
	"cairn/bench/locates"
	"cairn/bench/spawn"
	"cairn/bench/stack"
	"cairn/bench/subject"
	cairnv1 "cairn/proto/cairn/v1"
)

// constants measures what things cost, for docs/capacity.md: at three sizes, the
// bytes of an entry and of a view of it, and at the largest the processor time
// and the log of locates and puts, by process.
func constants(ctx context.Context, s settings) error {
	const least = 10_000 // below, an index is nothing but what every one has
	for _, entries := range []int{s.entries / 10, s.entries / 2} {
		if entries >= least {
			if err := constantsAt(ctx, s, entries, false); err != nil {
				return err
			}
		}
	}
	return constantsAt(ctx, s, s.entries, true)
}

func constantsAt(ctx context.Context, s settings, entries int, largest bool) (err error) {
	ours, err := stack.StartDurable(ctx, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.Close()) }()
	empty, _, err := ours.IndexUsage()
	if err != nil {
		return err
	}
	if err := ours.FillWith(ctx, entries, described); err != nil {
		return err
	}
	filled, disk, err := ours.IndexUsage()
	if err != nil {
		return err
	}
	each := func(bytes int64) float64 { return float64(bytes) / float64(entries) }
	s.out.AddConstant(fmt.Sprintf("an entry of %d: resident", entries), "bytes", each(filled-empty))
	s.out.AddConstant(fmt.Sprintf("an entry of %d: on disk, logs included", entries), "bytes", each(disk))
	if largest {
		if err := errors.Join(locatesCost(ctx, s, ours, entries), putsCost(ctx, s, ours)); err != nil {
			return err
		}
		if filled, _, err = ours.IndexUsage(); err != nil {
			return err
		}
	}
	for i, view := range []*cairnv1.View{
		{Name: "views/by-seats", Sort: []string{"seats"}, Fields: []string{"country"}},
		{Name: "views/by-country", Sort: []string{"country", "-seats"}},
	} {
		if err := ours.Declare(ctx, view); err != nil {
			return err
		}
		viewed, _, err := ours.IndexUsage()
		if err != nil {
			return err
		}
		which := [...]string{"first", "second"}[i]
		s.out.AddConstant(fmt.Sprintf("a keyspace's %s view of all of %d: resident, an entry", which, entries), "bytes", each(viewed-filled))
		filled = viewed
	}
	return nil
}

// described is entry n with a country and seats.
func described(n int) cairn.Write {
	country, err := cairn.String([]string{"BR", "CN", "DE", "GB"}[n%4])
	if err != nil {
		panic(err) // there is no such country
	}
	return cairn.Write{Operation: cairn.Put, Key: load.Key(n), Attributes: cairn.NamedValues{
		{Name: "country", Value: country}, {Name: "seats", Value: cairn.Int(int64(n*7919) % 1_000_000)},
	}}
}

// cost has callers work for a time and notes what each process took of the processors for an
// item, and what the index wrote.
func cost(ctx context.Context, s settings, ours *stack.Durable, what string, calls []load.Call) error {
	parts := []struct {
		name string
		pid  int
	}{{"the caller's process", os.Getpid()}, {"the index", ours.PIDs(false)[0]}, {"the router's process", ours.PIDs(false)[1]}}
	before := make([]time.Duration, len(parts))
	for i, part := range parts {
		before[i] = spawn.Used([]int{part.pid})
	}
	wrote, err := ours.Index().Usage()
	if err != nil {
		return err
	}
	result, err := load.Closed(ctx, calls, s.warmup, s.length)
	if err != nil || result.Items == 0 {
		return err
	}
	// The items of the warm-up were not counted.
	items := float64(result.Items) * float64(s.warmup+s.length) / float64(s.length)
	for i, part := range parts {
		if used := spawn.Used([]int{part.pid}) - before[i]; used > 0 {
			s.out.AddConstant(what+": "+part.name, "µs", float64(used.Nanoseconds())/items/1e3)
		}
	}
	usage, err := ours.Index().Usage()
	if written := usage.Written - wrote.Written; err == nil && written > 0 {
		s.out.AddConstant(what+": written by the index", "bytes", float64(written)/items)
	}
	return err
}

func locatesCost(ctx context.Context, s settings, ours *stack.Durable, entries int) error {
	for _, size := range []int{1, bulkBatch} {
		for _, way := range []struct {
			router   string
			embedded bool
		}{{"router in the caller's process", true}, {"router in its own", false}} {
			asks := locates.Asks{Callers: s.callers, Size: size, Choose: load.Uniform(entries)}
			if size > 1 {
				asks.Callers = bulkCallers
			}
			what := fmt.Sprintf("a locate in batches of %d, %s", size, way.router)
			if err := cost(ctx, s, ours, what, asks.Calls(subject.Of(ours.Locator(way.embedded)))); err != nil {
				return err
			}
		}
	}
	return nil
}

func putsCost(ctx context.Context, s settings, ours *stack.Durable) error {
	var keys load.NewKeys
	return errors.Join(
		cost(ctx, s, ours, "a durable put by itself", ours.Puts(&keys, s.callers, true, false)),
		cost(ctx, s, ours, fmt.Sprintf("a durable put in batches of %d", bulkBatch), ours.Batches(&keys, bulkCallers, bulkBatch)))
}
