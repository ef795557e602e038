package simulate

import (
	"slices"
)

// Placer decides which cluster has which key.
type Placer interface {
	// Name is for tables and plots.
	Name() string
	// Place is the owner of each key, by its number in w.Clusters, after a
	// round. The slice is the Placer's until the next call.
	Place(w *World) ([]int32, error)
}

// Round is what a placer made of one round.
type Round struct {
	// Imbalance is the fullest cluster's load by its capacity, relative to the
	// mean of all.
	Imbalance float64
	// Least is what nobody can do better than: 1, or more if the hottest key
	// alone is more than a fair share.
	Least float64
	// Away is the part of the load that is on clusters that are to be emptied.
	Away float64
	// Moved is the part of all keys that changed their owner.
	Moved float64
}

// Run has a placer live through so many rounds of a scenario. The first one is
// the placer's beginning: nothing moves in it.
func Run(w *World, scenario Scenario, rounds int, placer Placer) ([]Round, error) {
	out := make([]Round, rounds)
	var before []int32
	for i := range out {
		scenario.Happen(w, i)
		w.Measure()
		owners, err := placer.Place(w)
		if err != nil {
			return nil, err
		}
		out[i] = w.judge(owners)
		if before != nil {
			out[i].Moved = moved(before, owners)
		}
		before = append(before[:0], owners...)
	}
	return out, nil
}

func moved(before, after []int32) float64 {
	count := 0
	for k := range after {
		if before[k] != after[k] {
			count++
		}
	}
	return float64(count) / float64(len(after))
}

// Summary is what a run comes to.
type Summary struct {
	Median, Worst, Last float64 // of the imbalance, from round 1 on
	// Converged is the first round that was even, -1 if none was, and Even how
	// many were.
	Converged, Even int
	// Moved is what all rounds moved together, in keyspaces, and MostMoved the
	// largest part that one round did.
	Moved, MostMoved float64
}

// EvenEnough is how much above the least that can be reached an imbalance may
// be for its round to count as even.
const EvenEnough = 1.1

// Even tells whether the round was.
func (r Round) Even() bool { return r.Imbalance <= EvenEnough*r.Least && r.Away == 0 }

// Summarize sums up a run of two rounds or more.
func Summarize(rounds []Round) Summary {
	s := Summary{Converged: -1, Last: rounds[len(rounds)-1].Imbalance}
	var imbalances []float64
	for i, r := range rounds {
		s.Moved += r.Moved
		s.MostMoved = max(s.MostMoved, r.Moved)
		if r.Even() {
			s.Even++
			if s.Converged < 0 {
				s.Converged = i
			}
		}
		if i > 0 {
			imbalances = append(imbalances, r.Imbalance)
		}
	}
	slices.Sort(imbalances)
	s.Median, s.Worst = imbalances[len(imbalances)/2], imbalances[len(imbalances)-1]
	return s
}
