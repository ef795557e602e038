package locates

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"cairn/bench/load"
	"cairn/bench/report"
)

// Side is a system that knows on which node each entry lives.
type Side interface {
	// Locate finds the key of a batch of one, in the cheapest way for single keys.
	Locate(ctx context.Context, batch *Batch) error
	// LocateBatch finds the keys of a batch in one request.
	LocateBatch(ctx context.Context, batch *Batch) error
}

// Nodes tells on which nodes the entries from first up to end are, for a peer
// to have the same.
type Nodes func(ctx context.Context, first, end int) ([]string, error)

// Asks are how keys are asked for.
type Asks struct {
	// Callers ask at once, each for one batch of Size keys after the other.
	Callers, Size int
	// Choose chooses the keys.
	Choose load.Chooser
}

// What a caller draws before it begins: so many keys, and no more batches than
// that. It goes through them again when it has used them all.
const poolKeys, poolBatches = 32_768, 4_096

// Calls are callers that ask a side for keys that are drawn anew each time
// that Calls is called.
func (a Asks) Calls(side Side) []load.Call {
	ask := side.LocateBatch
	if a.Size == 1 {
		ask = side.Locate
	}
	calls := make([]load.Call, a.Callers)
	for i := range calls {
		random := rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))
		batches := draw(random, a.Choose, min(max(poolKeys/a.Size, 1), poolBatches), a.Size)
		next := 0
		calls[i] = func(ctx context.Context) (int, error) {
			batch := &batches[next%len(batches)]
			next++
			return a.Size, ask(ctx, batch)
		}
	}
	return calls
}

// Measured asks a side for a time after a warm-up.
func (a Asks) Measured(side Side, warmup, length time.Duration) report.Measure {
	return func(ctx context.Context) (load.Result, error) {
		return load.Closed(ctx, a.Calls(side), warmup, length)
	}
}

// Compare asks two sides for the same keys, and fails if their answers differ.
func Compare(ctx context.Context, a, b Side, entries, batches int) error {
	const size = 128
	random := rand.New(rand.NewPCG(1, 1))
	for i := range batches {
		n := size
		ask := Side.LocateBatch
		if i%2 == 0 {
			n, ask = 1, Side.Locate
		}
		ofA := draw(random, load.Uniform(entries), 1, n)[0]
		ofB := Batch{Keys: ofA.Keys, Texts: ofA.Texts, Nodes: make([]string, n)}
		if err := ask(a, ctx, &ofA); err != nil {
			return err
		}
		if err := ask(b, ctx, &ofB); err != nil {
			return err
		}
		if !slices.Equal(ofA.Nodes, ofB.Nodes) {
			return fmt.Errorf("two answers to %s: %s and %s", ofA.Texts, ofA.Nodes, ofB.Nodes)
		}
	}
	return nil
}
