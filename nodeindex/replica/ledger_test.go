package replica

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"cairn"
)

// ledger is what one writer has written, one request after the other: what a
// replica that crashed is held against.
type ledger struct {
	random *rand.Rand
	// acknowledged is how many requests were.
	acknowledged atomic.Int64

	mu      sync.Mutex // guards what follows
	written []ledgerEntry
	first   uint64 // log index of the first request
}

// ledgerEntry is a request: numbers under keys, 0 to delete.
type ledgerEntry struct {
	keys    []string
	numbers []int
}

const ledgerKeys = 60

func newLedger(seed uint64) *ledger { return &ledger{random: rand.New(rand.NewPCG(seed, 1))} }

// note is how many requests were acknowledged.
func (l *ledger) note() int { return int(l.acknowledged.Load()) }

// write writes some requests.
func (l *ledger) write(t testing.TB, r *Replica, requests int) {
	t.Helper()
	for range requests {
		l.mu.Lock()
		var entry ledgerEntry
		request := &cairn.WriteRequest{Keyspace: keyspace}
		for _, key := range l.random.Perm(ledgerKeys)[:1+l.random.IntN(6)] {
			n := len(l.written)*10 + len(entry.keys) + 1
			mutation := cairn.Mutation{Operation: cairn.Put, Key: cairn.Key(fmt.Sprint("key-", key)), Attributes: number(n)}
			if l.random.IntN(5) == 0 {
				n = 0
				mutation = cairn.Mutation{Operation: cairn.Delete, Key: mutation.Key}
			}
			entry.keys, entry.numbers = append(entry.keys, string(mutation.Key)), append(entry.numbers, n)
			request.Mutations = append(request.Mutations, mutation)
		}
		l.written = append(l.written, entry)
		l.mu.Unlock()
		reply := mustWrite(t, r, request)
		l.mu.Lock()
		if l.first == 0 {
			l.first = reply.Index
		}
		l.mu.Unlock()
		l.acknowledged.Add(1)
	}
}

// after are the entries after some requests, and the changes since others, as
// text.
func (l *ledger) after(requests, since int) (entries map[string]int, changes []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries = make(map[string]int)
	for i, entry := range l.written[:min(requests, len(l.written))] {
		for j, key := range entry.keys {
			n := entry.numbers[j]
			if i >= since && (n != 0 || entries[key] != 0) {
				changes = append(changes, fmt.Sprint(key, "=", n))
			}
			if entries[key] = n; n == 0 {
				delete(entries, key)
			}
		}
	}
	return entries, changes
}

// slack is how many requests more than were acknowledged may have taken effect:
// the one under way, and the next.
const slack = 2

// judge tells what is wrong with a replica that has come back, of which as many
// requests were acknowledged: its entries, its views and its changes.
func (l *ledger) judge(t testing.TB, r *Replica, acknowledged int) error {
	t.Helper()
	if err := r.index.Diverged(); err != nil {
		return err
	}
	list, err := r.List(t.Context(), &cairn.ListRequest{Read: cairn.Read{Keyspace: keyspace, Level: cairn.Linearizable}})
	if err != nil {
		return err
	}
	got := make(map[string]int)
	counts := make(map[int64]int)
	for _, e := range list.Entries {
		n, _ := e.Attributes.Get(1)
		got[string(e.Key)] = int(n.Int())
		counts[n.Int()]++
	}
	requests := acknowledged
	for ; ; requests++ {
		if want, _ := l.after(requests, 0); maps.Equal(got, want) {
			break
		}
		if requests == acknowledged+slack {
			want, _ := l.after(acknowledged, 0)
			return fmt.Errorf("ENTRIES %v, wanted %v, of %d requests, or of %d more", got, want, acknowledged, slack)
		}
	}
	if err := judgeView(t, r, list.Index, counts); err != nil {
		return err
	}
	return l.judgeChanges(t, r, requests, list.Index)
}

// judgeView holds a view of everything against how many entries have a number.
func judgeView(t testing.TB, r *Replica, index uint64, counts map[int64]int) error {
	t.Helper()
	var reply *cairn.ViewReply
	var err error
	eventually(t, "the view", func() bool {
		reply, err = r.AskView(t.Context(), &cairn.ViewRequest{
			Read: cairn.Read{Keyspace: keyspace, Level: cairn.AtLeast, Index: index}, View: 1, Version: 1, Asked: cairn.AskGroups, Attributes: []cairn.AttributeID{1},
		})
		return cairn.ReasonOf(err) != "VIEW_BUILDING"
	})
	if err != nil {
		return err
	}
	got := make(map[int64]int)
	for _, group := range reply.Groups {
		got[group.Values[0].Int()] = group.Count
	}
	if !maps.Equal(got, counts) {
		return fmt.Errorf("a view has %v, the entries %v", got, counts)
	}
	return nil
}

var errGoneChanges = errors.New("changes are not kept")

// judgeChanges watches from the first request on.
func (l *ledger) judgeChanges(t testing.TB, r *Replica, requests int, upTo uint64) error {
	t.Helper()
	l.mu.Lock()
	after := l.first
	l.mu.Unlock()
	if requests == 0 || after == 0 {
		return nil
	}
	var got []string
	err := r.Watch(t.Context(), cairn.WatchRequest{Keyspace: keyspace, After: after}, func(batch cairn.WatchBatch) error {
		for _, change := range batch.Changes {
			n := 0
			if change.After != nil {
				value, _ := change.After.Attributes.Get(1)
				n = int(value.Int())
			}
			got = append(got, fmt.Sprint(string(change.Key), "=", n))
		}
		if batch.Index >= upTo {
			return errEnough
		}
		return nil
	})
	if cairn.KindOf(err) == cairn.KindCompacted {
		return fmt.Errorf("%w: %w", errGoneChanges, err)
	}
	if !errors.Is(err, errEnough) {
		return err
	}
	if _, want := l.after(requests, 1); !slices.Equal(got, want) {
		return fmt.Errorf("changes %v, wanted %v", got, want)
	}
	return nil
}
