package ycsb

import (
	"context"
	"math/rand/v2"
	"sync/atomic"

	"cairn/bench/load"
)

// MostScanned is how many records a scan reads at most, YCSB's default.
const MostScanned = 100

// Loaded is a store with its records: the first ones and those that were
// inserted since.
type Loaded struct {
	store     Store
	scanner   Scanner // nil if it is none
	positions []Position
	keys      load.NewKeys
	latest    func(random *rand.Rand, newest int) int
	// inserting is, by caller, the number below which it inserts nothing any
	// more; 0 while it does not insert.
	inserting []atomic.Uint64
}

// Load is a store that has the first entries, of which some positions are known.
func Load(store Store, entries int, positions []Position) *Loaded {
	l := &Loaded{store: store, positions: positions, latest: load.Latest(entries)}
	l.scanner, _ = store.(Scanner)
	l.keys.Take(uint64(entries))
	return l
}

// Can tells whether the store can do a mix.
func (l *Loaded) Can(mix *Mix) bool { return mix.Scan == 0 || l.scanner != nil }

// Calls are callers that each do one operation of a mix after the other, on
// records that are chosen among the first. Only one set of callers may be at
// work at a time.
func (l *Loaded) Calls(mix *Mix, choose load.Chooser, callers int) []load.Call {
	l.inserting = make([]atomic.Uint64, callers)
	calls := make([]load.Call, callers)
	for i := range calls {
		random := rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))
		calls[i] = func(ctx context.Context) (int, error) {
			return 1, l.do(ctx, mix, choose, random, &l.inserting[i])
		}
	}
	return calls
}

func (l *Loaded) do(ctx context.Context, mix *Mix, choose load.Chooser, random *rand.Rand, inserting *atomic.Uint64) error {
	op := mix.draw(random.Float64())
	switch op {
	case insert:
		inserting.Store(l.keys.Taken() + 1)
		defer inserting.Store(0)
		key := string(l.keys.Next())
		return l.store.Insert(ctx, key, RecordOf(random.IntN(seats)))
	case scan:
		return l.scanner.Scan(ctx, l.positions[choose(random)%len(l.positions)], 1+random.IntN(MostScanned))
	}
	n := choose(random)
	if mix.Latest {
		n = l.latest(random, l.newest())
	}
	key := string(l.keys.Had(uint64(n)))
	if op != update {
		if err := l.store.Read(ctx, key); err != nil || op == read {
			return err
		}
	}
	return l.store.Update(ctx, key, random.Int64N(seats))
}

// newest is the number of the newest record of which all that came before it
// are inserted too.
func (l *Loaded) newest() int {
	count := l.keys.Taken()
	for i := range l.inserting {
		if at := l.inserting[i].Load(); at > 0 {
			count = min(count, at-1)
		}
	}
	return int(count) - 1
}
