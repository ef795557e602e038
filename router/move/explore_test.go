// One goroutine explores; the race detector, which takes eight times as long for that,
// would find nothing. `make test` runs this without it.

//go:build !race

package move_test

import (
	"fmt"
	"hash/maphash"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"cairn/router/move"
	"cairn/shardmap"

	"pgregory.net/rapid"
)

// graph is all worlds that can be reached, as far as they were explored.
type graph struct {
	rules *tables
	seeds [2]maphash.Seed
	known map[[2]uint64]int32
	// Of each world: who led to it and how, and who follows.
	parent  []int32
	label   []string
	follows [][]int32
	ended   []int32
	most    int
}

// explore visits every world that follows on one, breadth first, and returns the
// shortest way to one that breaks an invariant or has no way to an end.
func explore(rules *tables, from world, most int) (*graph, error) {
	g := &graph{rules: rules, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, known: map[[2]uint64]int32{}, most: most}
	g.visit(from, -1, "begin")
	queue := []world{from}
	for at := int32(0); len(queue) > 0; at++ {
		w := queue[0]
		queue = queue[1:]
		if what := rules.broken(w); what != "" {
			return g, fmt.Errorf("%s, after\n%s", what, g.way(at))
		}
		if rules.ended(w) {
			g.ended = append(g.ended, at)
		}
		for _, next := range rules.next(w) {
			to, fresh := g.visit(next.world, at, next.label)
			g.follows[at] = append(g.follows[at], to)
			if fresh {
				queue = append(queue, next.world)
			}
		}
		if len(g.parent) > most {
			return g, fmt.Errorf("more than %d worlds", most)
		}
	}
	return g, g.checkEnds()
}

func (g *graph) visit(w world, parent int32, label string) (at int32, fresh bool) {
	key := [2]uint64{maphash.Comparable(g.seeds[0], w), maphash.Comparable(g.seeds[1], w)}
	if at, found := g.known[key]; found {
		return at, false
	}
	at = int32(len(g.parent))
	g.known[key] = at
	g.parent, g.label, g.follows = append(g.parent, parent), append(g.label, label), append(g.follows, nil)
	return at, true
}

// way is how a world was reached.
func (g *graph) way(at int32) string {
	var out []string
	for ; at >= 0; at = g.parent[at] {
		out = append(out, "  "+g.label[at])
	}
	slices.Reverse(out)
	return strings.Join(out, "\n")
}

// checkEnds goes back from the worlds in which the move has ended: every world
// must be met.
func (g *graph) checkEnds() error {
	before := make([][]int32, len(g.follows))
	for at, follows := range g.follows {
		for _, to := range follows {
			before[to] = append(before[to], int32(at))
		}
	}
	met := make([]bool, len(g.follows))
	open := slices.Clone(g.ended)
	for len(open) > 0 {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		if met[at] {
			continue
		}
		met[at] = true
		open = append(open, before[at]...)
	}
	if stuck := slices.Index(met, false); stuck >= 0 {
		return fmt.Errorf("no way to an end after\n%s", g.way(int32(stuck)))
	}
	return nil
}

const mostWorlds = 400_000

// worlds are those that are explored each time; longer ones take a minute or more, and
// have two movers, late fences and faults where those come one at a time here.
var (
	worlds = map[string]budget{
		"two movers":                {writes: 1, turns: 6},
		"two movers, long fences":   {writes: 1, late: 1, turns: 3},
		"two movers, a fault":       {writes: 1, faults: 1, turns: 2},
		"faults and long fences":    {writes: 1, faults: 2, late: 1},
		"cancelled":                 {cancels: 1, late: 1, faults: 1},
		"cancelled, two movers":     {writes: 1, cancels: 1, turns: 2},
		"a second copy":             {writes: 1, compactions: 1, faults: 1, late: 1},
		"a second copy, cancelled":  {writes: 1, compactions: 1, cancels: 1, turns: 1},
		"no second copy, cancelled": {compactions: 1, cancels: 1, turns: 2},
		"another epoch":             {writes: 1, renews: 1, faults: 1, late: 1},
		"another epoch, cancelled":  {renews: 1, cancels: 1, turns: 2},
		"moved back":                {writes: 2, reverses: 1, faults: 1},
		"moved back, two movers":    {writes: 1, reverses: 1, turns: 2},
		"values":                    {values: 1, writes: 1, faults: 1},
		"values, two movers":        {values: 1, writes: 1, turns: 1},
		"values, late":              {values: 1, writes: 1, late: 1},
		"values, cancelled":         {values: 1, writes: 1, cancels: 1, turns: 1},
		"values, a second copy":     {values: 1, writes: 1, compactions: 1},
		"values, another epoch":     {values: 1, writes: 1, renews: 1},
		"values, moved back":        {values: 1, writes: 1, reverses: 1},
		"values, forgotten":         {values: 1, writes: 1, forgets: 1},
		"within":                    {within: true, writes: 1, late: 1, turns: 1},
		"within, cancelled":         {within: true, writes: 1, cancels: 1, faults: 1},
		"within, values":            {within: true, values: 1, writes: 1, faults: 1},
		"within, late values":       {within: true, values: 1, writes: 1, late: 1},
		"within, another epoch":     {within: true, values: 1, writes: 1, renews: 1},
		"within, there and back":    {within: true, values: 1, writes: 1, reverses: 1},
		"within, values forgotten":  {within: true, values: 1, writes: 1, forgets: 1},
	}
	longerWorlds = map[string]budget{
		"values, late faults":           {values: 1, writes: 1, faults: 1, late: 1},
		"values, two movers, long":      {values: 1, writes: 1, turns: 4},
		"values, two movers, late":      {values: 1, writes: 1, late: 1, turns: 2},
		"values, cancelled, a fault":    {values: 1, writes: 1, faults: 1, cancels: 1},
		"values, cancelled, two movers": {values: 1, writes: 1, cancels: 1, turns: 3},
		"values, another epoch, late":   {values: 1, writes: 1, renews: 1, late: 1, turns: 1},
		"values, a second copy, late":   {values: 1, writes: 1, compactions: 1, late: 1, faults: 1},
		"values, moved back, a fault":   {values: 1, writes: 1, reverses: 1, faults: 1},
		"values, forgotten, two movers": {values: 1, writes: 1, forgets: 1, turns: 2},
		"two values, moved back":        {values: 2, writes: 1, reverses: 1, turns: 1},
		"within, two movers, a fault":   {within: true, writes: 1, faults: 1, turns: 2},
		"within, late values, longer":   {within: true, values: 1, writes: 1, late: 1, turns: 1},
		"within, two movers":            {within: true, values: 1, writes: 1, faults: 1, late: 1, turns: 1},
		"within, cancelled, a fault":    {within: true, values: 1, writes: 1, cancels: 1, faults: 1, turns: 1},
		"within, two values, and back":  {within: true, values: 2, writes: 1, reverses: 1, turns: 1},
	}
)

// exploreEnv has the longer worlds explored too.
const exploreEnv = "CAIRN_TORTURE_EXPLORE"

// TestExplore explores all interleavings of small worlds.
func TestExplore(t *testing.T) {
	all, most := maps.Clone(worlds), mostWorlds
	if os.Getenv(exploreEnv) != "" {
		maps.Copy(all, longerWorlds)
		most *= 10
	}
	for name, b := range all {
		t.Run(name, func(t *testing.T) {
			rules := &tables{}
			g, err := explore(rules, rules.begin(b), most)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d worlds", len(g.parent))
			if len(g.ended) == 0 {
				t.Fatal("no move ended")
			}
		})
	}
}

// TestExploreFinds breaks the protocol in one place each, in the machine or in an
// index: the exploration must find a world that shows it.
func TestExploreFinds(t *testing.T) {
	for name, test := range map[string]struct {
		flaw   flaw
		budget budget
		says   string
	}{
		"a fence that is lifted on a plain read": {
			flaw: flaw{decide: func(s move.State, a move.Action) move.Action {
				if s.Move.Phase == shardmap.MoveFenced && a.Kind == move.Swap && a.Next.Phase == shardmap.MoveCatchingUp {
					return move.Action{Kind: move.Unfence, Fence: s.Move.Fence}
				}
				return a
			}},
			budget: budget{writes: 1, late: 1, turns: 2}, says: "I",
		},
		"a commit before the target has it all": {
			flaw: flaw{decide: func(s move.State, a move.Action) move.Action {
				if s.Move.Phase == shardmap.MoveFenced && a.Kind == move.Tail {
					a = move.Action{Kind: move.Swap, Next: s.Move}
					a.Next.Phase = shardmap.MoveCommitted
				}
				return a
			}},
			budget: budget{writes: 1, turns: 2}, says: "owns a shard",
		},
		"a commit before the fence stands": {
			flaw: flaw{decide: func(s move.State, a move.Action) move.Action {
				if a.Kind == move.PutFence {
					a = move.Action{Kind: move.Swap, Next: s.Move}
					a.Next.Phase = shardmap.MoveCommitted
				}
				return a
			}},
			budget: budget{turns: 2}, says: "I1",
		},
		"a cancelled move whose fence is left": {
			flaw: flaw{decide: func(s move.State, a move.Action) move.Action {
				if a.Kind == move.Unfence && s.Move.Cancel {
					a = move.Action{Kind: move.Swap, Next: s.Move}
					a.Next.Phase = shardmap.MoveCancelled
				}
				return a
			}},
			budget: budget{cancels: 1, turns: 2}, says: "fenced",
		},
		"fences with one number": {
			flaw: flaw{decide: func(_ move.State, a move.Action) move.Action {
				if a.Kind == move.Swap && a.Next.Phase == shardmap.MoveFenced {
					a.Next.Fence = 1
				}
				return a
			}},
			budget: budget{late: 1, faults: 1, turns: 2}, says: "",
		},
		"a second copy under the name of the first": {
			flaw: flaw{decide: func(s move.State, a move.Action) move.Action {
				if a.Kind == move.Swap && a.Next.Attempt > s.Move.Attempt {
					a.Next.Staging = s.Move.Staging
				}
				return a
			}},
			budget: budget{writes: 1, compactions: 1, faults: 1}, says: "owns a shard",
		},
		"a target that is not told of the map first": {
			flaw: flaw{decide: func(s move.State, a move.Action) move.Action {
				if a.Kind == move.Note && s.Move.Phase == shardmap.MovePreparing {
					a = move.Action{Kind: move.Swap, Next: s.Move}
					a.Next.Phase = shardmap.MoveCopying
				}
				return a
			}},
			budget: budget{reverses: 1, writes: 1, turns: 2}, says: "I4",
		},
		"a source that does not heed the numbers": {flaw: flaw{unnumbered: true}, budget: budget{writes: 1, faults: 1, late: 1}, says: "I"},
		"a target that takes parts in any order":  {flaw: flaw{unordered: true}, budget: budget{writes: 1, faults: 1, late: 1}, says: "owns a shard"},
		"a source that leaves requests behind":    {flaw: flaw{forgetful: true}, budget: budget{writes: 1, turns: 2}, says: "I9"},
		"a commit before the values are there": {
			flaw: flaw{decide: func(s move.State, a move.Action) move.Action {
				if a.Kind == move.TailData && s.Move.Phase == shardmap.MoveFenced {
					a = move.Action{Kind: move.Swap, Next: s.Move}
					a.Next.Phase = shardmap.MoveCommitted
				}
				return a
			}},
			budget: budget{values: 1, writes: 1}, says: "a value is lost",
		},
		"values that are cleaned up while the outcome is unknown": {
			flaw: flaw{decide: func(s move.State, a move.Action) move.Action {
				if a.Kind == move.Swap && a.Next.Phase == shardmap.MoveCatchingUp && s.Move.Phase == shardmap.MoveFenced && !s.Cleaned {
					a = move.Action{Kind: move.CleanUpData}
				}
				return a
			}},
			budget: budget{values: 1, writes: 1, late: 1, turns: 2}, says: "value",
		},
		"a relocation that is committed before its fence stands": {
			flaw: flaw{decide: func(s move.State, a move.Action) move.Action {
				if a.Kind == move.PutFence {
					a = move.Action{Kind: move.Swap, Next: s.Move}
					a.Next.Phase = shardmap.MoveCommitted
				}
				return a
			}},
			budget: budget{within: true, turns: 2}, says: "of which it has nothing",
		},
		"a relocation that is opened before the index has it": {
			flaw: flaw{decide: func(s move.State, a move.Action) move.Action {
				if a.Kind == move.Note && s.Move.Phase == shardmap.MoveCommitted {
					a = move.Action{Kind: move.CleanUpData}
				}
				return a
			}},
			budget: budget{within: true, values: 1, writes: 1}, says: "",
		},
		"a data mover that does not heed revisions": {flaw: flaw{tokenless: true}, budget: budget{values: 1, writes: 1, faults: 1}, says: "value"},
		"a fence of values that ends by itself":     {flaw: flaw{lapsing: true}, budget: budget{values: 1, writes: 1}, says: "value"},
		"a fence of values that beginning ends":     {flaw: flaw{careless: true}, budget: budget{values: 1, writes: 1, forgets: 1, turns: 2}, says: "value"},
	} {
		t.Run(name, func(t *testing.T) {
			rules := &tables{flaw: test.flaw}
			_, err := explore(rules, rules.begin(test.budget), mostWorlds)
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.HasPrefix(err.Error(), "more than") {
				t.Fatalf("found %v; want %q", err, test.says)
			}
		})
	}
}

// TestExploreVerifies has parts lack a write: no move is committed that would lose
// it, and each still comes to an end.
func TestExploreVerifies(t *testing.T) {
	rules := &tables{flaw: flaw{lossy: true}}
	if _, err := explore(rules, rules.begin(budget{writes: 2, faults: 1, late: 1}), mostWorlds); err != nil {
		t.Fatal(err)
	}
}

// TestWander walks through larger worlds by seed.
func TestWander(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := &tables{}
		w := rules.begin(budget{writes: 4, faults: 8, late: 3, cancels: 1, reverses: 1, compactions: 2, renews: 1, turns: 30, values: 3, forgets: 2})
		var way []string
		for range 200 {
			follows := rules.next(w)
			if len(follows) == 0 {
				break
			}
			step := follows[rapid.IntRange(0, len(follows)-1).Draw(t, "step")]
			w, way = step.world, append(way, "  "+step.label)
			if what := rules.broken(w); what != "" {
				t.Fatalf("%s, after\n%s", what, strings.Join(way, "\n"))
			}
		}
	})
}
