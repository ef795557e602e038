package coalesce

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn"
)

// store carries out writes of a map; a key that begins with "bad" is refused.
type store struct {
	mu      sync.Mutex // guards what follows
	entries map[string]int
	batches []int
	// held, while not nil, holds batches back until it is closed.
	held chan struct{}
	err  error
	// entered counts batches, those held back included.
	entered atomic.Int64
}

func (s *store) write(_ context.Context, keyspace string, writes []cairn.Write, _ cairn.RequestID) ([]cairn.WriteOutcome, cairn.Token, error) {
	s.entered.Add(1)
	if s.held != nil {
		<-s.held
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if keyspace != "things" || s.err != nil {
		return nil, cairn.Token{}, errors.Join(s.err, fmt.Errorf("keyspace %q", keyspace))
	}
	s.batches = append(s.batches, len(writes))
	out := make([]cairn.WriteOutcome, len(writes))
	for i, write := range writes {
		if key := string(write.Key); len(key) > 3 && key[:3] == "bad" {
			out[i].Err = cairn.Invalid("key", "KEY_BAD", "bad")
			continue
		}
		s.entries[string(write.Key)]++
		out[i].Version = cairn.Version{Index: uint64(len(s.entries))}
	}
	return out, cairn.Token{}, nil
}

func put(key string) cairn.Write { return cairn.Write{Operation: cairn.Put, Key: cairn.Key(key)} }

func TestWritesThatWaitTravelTogether(t *testing.T) {
	s := &store{entries: map[string]int{}, held: make(chan struct{})}
	w := NewWriter("things", s.write)
	var writers sync.WaitGroup
	write := func(i int) {
		writers.Go(func() {
			if _, _, err := w.Write(t.Context(), put(fmt.Sprint("k", i))); err != nil {
				t.Error(err)
			}
		})
	}
	// The first ones are on their way, each alone, and all others wait.
	for i := range batchesInFlight {
		write(i)
		for s.entered.Load() <= int64(i) {
			time.Sleep(time.Millisecond)
		}
	}
	for i := batchesInFlight; i < 64; i++ {
		write(i)
	}
	for waiting := 0; waiting < 64-batchesInFlight; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		waiting = len(w.waiting)
		w.mu.Unlock()
	}
	close(s.held)
	writers.Wait()
	if len(s.entries) != 64 || len(s.batches) > batchesInFlight+2 {
		t.Errorf("%d entries in batches of %d", len(s.entries), s.batches)
	}
}

func TestEachWriteHasItsOutcome(t *testing.T) {
	s := &store{entries: map[string]int{}}
	w := NewWriter("things", s.write)
	var writers sync.WaitGroup
	var refused atomic.Int64
	for i := range 64 {
		writers.Go(func() {
			for n := range 50 {
				key := fmt.Sprintf("k%d-%d", i, n)
				if n == 7 {
					key = "bad" + key
				}
				if _, _, err := w.Write(t.Context(), put(key)); cairn.ReasonOf(err) == "KEY_BAD" {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if len(s.entries) != 64*49 || refused.Load() != 64 {
		t.Errorf("%d entries and %d refusals", len(s.entries), refused.Load())
	}
	for key, n := range s.entries {
		if n != 1 {
			t.Errorf("%s was written %d times", key, n)
		}
	}
}

func TestEndedContexts(t *testing.T) {
	s := &store{entries: map[string]int{}, held: make(chan struct{})}
	w := NewWriter("things", s.write)
	results := make(chan error, 3)
	ask := func(key string) context.CancelFunc {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _, err := w.Write(ctx, put(key)); results <- err }()
		for isThere := false; !isThere; time.Sleep(time.Millisecond) {
			w.mu.Lock()
			isThere = s.entered.Load() > 0 && (key == "a" || len(w.waiting) > 0 && string(w.waiting[len(w.waiting)-1].write.Key) == key)
			w.mu.Unlock()
		}
		return cancel
	}
	sent, alsoSent, waits := ask("a"), ask("b"), ask("c")
	waits()
	if err := <-results; cairn.KindOf(err) != cairn.KindDeadline {
		t.Errorf("a write that was not sent: %v", err)
	}
	sent()
	if err := <-results; cairn.KindOf(err) != cairn.KindUnknown {
		t.Errorf("a write under way: %v", err)
	}
	close(s.held)
	if err := <-results; err != nil {
		t.Errorf("the other: %v", err)
	}
	alsoSent()
	if _, _, err := w.Write(t.Context(), put("d")); err != nil || s.entries["c"] != 0 || s.entries["a"] != 1 {
		t.Errorf("afterwards: %v, %v", s.entries, err)
	}
}

func TestFailedBatch(t *testing.T) {
	s := &store{entries: map[string]int{}, err: cairn.Errorf(cairn.KindUnavailable, "NO_INDEX", "down")}
	w := NewWriter("things", s.write)
	if _, _, err := w.Write(t.Context(), put("a")); cairn.ReasonOf(err) != "NO_INDEX" {
		t.Errorf("%v", err)
	}
}
