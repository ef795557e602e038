package simulate_test

import (
	"slices"
	"testing"

	"cairn/shardmap/plan"
	"cairn/shardmap/plan/simulate"
)

const (
	clusters = 40
	keys     = 20_000
	shards   = 640
	rounds   = 60
)

func planned() *simulate.Planned {
	return &simulate.Planned{Shards: shards, Settings: plan.Settings{Measure: plan.ByLoad()}}
}

func run(t *testing.T, scenario simulate.Scenario, placer simulate.Placer) []simulate.Round {
	t.Helper()
	out, err := simulate.Run(simulate.NewWorld(1, clusters, keys), scenario, rounds, placer)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPlansKeepClustersEven lives through every scenario: plans make a skewed
// world even soon, keep it so most of the time within their budget, leave
// nothing on a cluster that is to be emptied, and are more even in the end than
// consistent hashing is.
func TestPlansKeepClustersEven(t *testing.T) {
	for _, scenario := range simulate.Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			out := run(t, scenario, planned())
			got, ring := simulate.Summarize(out), simulate.Summarize(run(t, scenario, &simulate.Ring{}))
			t.Logf("plans: %+v", got)
			t.Logf("ring:  %+v", ring)
			if got.Converged < 1 || got.Converged > 3 {
				t.Errorf("even in round %d; want 1 to 3", got.Converged)
			}
			if got.Even < rounds*8/10 {
				t.Errorf("%d of %d rounds are even", got.Even, rounds)
			}
			if got.MostMoved > 0.09 {
				t.Errorf("a round moves %v of the keys", got.MostMoved)
			}
			if last := out[rounds-1]; !last.Even() || last.Away > 0 {
				t.Errorf("the last round: %+v", last)
			}
			if got.Median >= ring.Median {
				t.Errorf("an imbalance of %v; that of consistent hashing is %v", got.Median, ring.Median)
			}
		})
	}
}

// TestPlansComeToRest holds that a world in which nothing changes is soon left
// alone, and that nothing moves to and fro before.
func TestPlansComeToRest(t *testing.T) {
	placer := planned()
	var made []*plan.Plan
	placer.Plans = func(p *plan.Plan) { made = append(made, p) }
	run(t, simulate.Scenarios()[0], placer)
	for i, p := range made {
		if i >= 10 && len(p.Steps) > 0 {
			t.Errorf("round %d: %s", i+1, p)
		}
		if p.After.Imbalance > p.Before.Imbalance {
			t.Errorf("round %d: %s", i+1, p)
		}
	}
	if len(made[0].Steps) == 0 {
		t.Error("the first plan has nothing to do; the world shows nothing")
	}
}

// TestSameSeedSameWorld holds that a result can be repeated.
func TestSameSeedSameWorld(t *testing.T) {
	for _, placer := range []func() simulate.Placer{
		func() simulate.Placer { return planned() },
		func() simulate.Placer { return &simulate.Ring{Bound: 1.25} },
	} {
		scenario := simulate.Scenarios()[1] // it draws from the world's random numbers
		if a, b := run(t, scenario, placer()), run(t, scenario, placer()); !slices.Equal(a, b) {
			t.Errorf("%s: two runs of %s differ", scenario.Name, placer().Name())
		}
	}
}

// TestRing holds what is known of consistent hashing: only the keys of a
// cluster that leaves move, and with a bound no cluster is above it.
func TestRing(t *testing.T) {
	w := simulate.NewWorld(1, clusters, keys)
	ring, bounded := &simulate.Ring{}, &simulate.Ring{Bound: 1.25}
	before := slices.Clone(place(t, ring, w))
	w.Clusters[3].Leaving = true
	moved := 0
	for k, owner := range place(t, ring, w) {
		if owner == 3 {
			t.Fatal("a cluster that left has keys")
		}
		if owner != before[k] {
			moved++
			if before[k] != 3 {
				t.Fatal("a key moves that was of another cluster")
			}
		}
	}
	if moved == 0 {
		t.Fatal("the cluster that left had no keys")
	}
	loads := make([]float64, clusters)
	var whole float64
	for k, owner := range place(t, bounded, w) {
		loads[owner] += w.Measured[k]
		whole += w.Measured[k]
	}
	for c, load := range loads {
		if limit := 1.25 * whole / (clusters - 1); load > limit {
			t.Errorf("cluster %d has %v; the bound is %v", c, load, limit)
		}
	}
	if loads[3] > 0 {
		t.Error("a cluster that left has keys")
	}
}

func place(t *testing.T, placer simulate.Placer, w *simulate.World) []int32 {
	t.Helper()
	owners, err := placer.Place(w)
	if err != nil {
		t.Fatal(err)
	}
	return owners
}
