package load_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"cairn/bench/load"
)

const chosenFrom, chosen = 1_000, 200_000

// shares is how often each entry was chosen, the most popular first.
func shares(choose load.Chooser) []float64 {
	random := rand.New(rand.NewPCG(1, 2))
	out := make([]float64, chosenFrom)
	for range chosen {
		out[choose(random)] += 1. / chosen
	}
	slices.SortFunc(out, func(a, b float64) int { return -int(math.Copysign(1, a-b)) })
	return out
}

func TestUniformChoosesAllAlike(t *testing.T) {
	got := shares(load.Uniform(chosenFrom))
	if got[0] > 2./chosenFrom || got[chosenFrom-1] < 0.5/chosenFrom {
		t.Errorf("from %v to %v; want about %v each", got[chosenFrom-1], got[0], 1./chosenFrom)
	}
}

// TestZipfianFollowsTheLaw compares shares with those of Zipf's law: the
// entry of rank i is chosen in proportion to 1/i^0.99.
func TestZipfianFollowsTheLaw(t *testing.T) {
	sum := 0.0
	for i := 1; i <= chosenFrom; i++ {
		sum += math.Pow(float64(i), -load.ZipfianConstant)
	}
	random := rand.New(rand.NewPCG(1, 2))
	newest := load.Latest(chosenFrom)
	got := shares(func(*rand.Rand) int { return newest(random, chosenFrom-1) })
	for _, rank := range []int{1, 2, 3, 10, 100} {
		want := math.Pow(float64(rank), -load.ZipfianConstant) / sum
		if math.Abs(got[rank-1]-want) > 0.25*want {
			t.Errorf("rank %d is chosen %.4f of all times; want %.4f", rank, got[rank-1], want)
		}
	}
}

func TestLatestChoosesTheNewestMost(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	newest := load.Latest(chosenFrom)
	times := 0
	for range 1000 {
		if n := newest(random, 500); n < 0 || n > 500 {
			t.Fatalf("%d was chosen when 500 was the newest", n)
		} else if n == 500 {
			times++
		}
	}
	if times < 80 {
		t.Errorf("the newest was chosen %d times of 1000; want about 130", times)
	}
}

// TestZipfianSpreadsThePopular looks where the popular ones are: not among the
// first, which lie together.
func TestZipfianSpreadsThePopular(t *testing.T) {
	choose, random := load.Zipfian(chosenFrom), rand.New(rand.NewPCG(1, 2))
	first := 0
	for range chosen {
		if choose(random) < chosenFrom/10 {
			first++
		}
	}
	if share := float64(first) / chosen; share > 0.25 {
		t.Errorf("the first tenth is chosen %.2f of all times; want about 0.1", share)
	}
	if got := shares(choose); got[0] < 0.1 {
		t.Errorf("the most popular is chosen %.4f of all times; want about 0.13", got[0])
	}
}

func TestHotspot(t *testing.T) {
	choose, random := load.Hotspot(chosenFrom, 0.2, 0.8), rand.New(rand.NewPCG(1, 2))
	hot := 0
	for range chosen {
		if choose(random) < chosenFrom/5 {
			hot++
		}
	}
	if share := float64(hot) / chosen; math.Abs(share-0.8) > 0.01 {
		t.Errorf("the hot fifth is chosen %.3f of all times; want 0.8", share)
	}
}
