package ycsb_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"

	"cairn/bench/load"
	"cairn/bench/ycsb"
)

// memory is a Store that counts.
type memory struct {
	mu      sync.Mutex
	records map[string]ycsb.Record
	done    map[string]int
}

func (m *memory) note(what string) func() {
	m.mu.Lock()
	m.done[what]++
	return m.mu.Unlock
}

func (m *memory) Read(_ context.Context, key string) error {
	defer m.note("read")()
	if _, has := m.records[key]; !has {
		return fmt.Errorf("there is no record %s", key)
	}
	return nil
}

func (m *memory) Update(_ context.Context, key string, seats int64) error {
	defer m.note("update")()
	record, has := m.records[key]
	if !has {
		return fmt.Errorf("there is no record %s", key)
	}
	record.Seats = seats
	m.records[key] = record
	return nil
}

func (m *memory) Insert(_ context.Context, key string, record ycsb.Record) error {
	defer m.note("insert")()
	if _, has := m.records[key]; has {
		return fmt.Errorf("record %s is inserted again", key)
	}
	m.records[key] = record
	return nil
}

func (m *memory) Scan(_ context.Context, behind ycsb.Position, records int) error {
	defer m.note("scan")()
	if behind.Key == "" || records < 1 || records > ycsb.MostScanned {
		return fmt.Errorf("a scan of %d records behind %+v", records, behind)
	}
	return nil
}

// TestMixesDoWhatTheySay does 4,000 operations of each mix in four callers at
// once, and counts; that what is read is there, memory says.
func TestMixesDoWhatTheySay(t *testing.T) {
	const entries, callers, each = 500, 4, 1_000
	for _, mix := range ycsb.Mixes {
		store := &memory{records: map[string]ycsb.Record{}, done: map[string]int{}}
		var keys load.NewKeys
		for n := range entries {
			store.records[string(keys.Next())] = ycsb.RecordOf(n)
		}
		loaded := ycsb.Load(store, entries, []ycsb.Position{{Key: "any"}})
		if !loaded.Can(&mix) || ycsb.Load(struct{ ycsb.Store }{store}, entries, nil).Can(&mix) != (mix.Scan == 0) {
			t.Errorf("%s: who can scan can do it, and else only who need not", mix.Name)
		}
		var running sync.WaitGroup
		for _, call := range loaded.Calls(&mix, load.Zipfian(entries), callers) {
			running.Go(func() {
				for range each {
					if _, err := call(t.Context()); err != nil {
						t.Errorf("%s: %v", mix.Name, err)
						return
					}
				}
			})
		}
		running.Wait()
		for what, share := range map[string]float64{
			"read": mix.Read + mix.Modify, "update": mix.Update + mix.Modify, "insert": mix.Insert, "scan": mix.Scan,
		} {
			if got := float64(store.done[what]) / (callers * each); math.Abs(got-share) > 0.05 {
				t.Errorf("%s: %s is %.2f of all; want %.2f", mix.Name, what, got, share)
			}
		}
	}
}
