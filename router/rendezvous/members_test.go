package rendezvous_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"cairn/router/rendezvous"
)

const things = 30_000

func names(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("10.0.0.%d:7602", i+1))
	}
	return names
}

func owned(m rendezvous.Members) map[string]int {
	counts := map[string]int{}
	for i := range things {
		counts[m.Owner(fmt.Sprint("question ", i))]++
	}
	return counts
}

func TestThingsAreSpreadEvenly(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 20} {
		counts := owned(rendezvous.Of(names(n)))
		mean := things / n
		for _, name := range names(n) {
			if got := counts[name]; got < mean*9/10 || got > mean*11/10 {
				t.Errorf("%s of %d has %d of %d things", name, n, got, things)
			}
		}
	}
}

// TestOnlyWhatWasTheirsMoves has each of the members leave, and come back.
func TestOnlyWhatWasTheirsMoves(t *testing.T) {
	all := names(5)
	before := rendezvous.Of(all)
	for i, gone := range all {
		after := rendezvous.Of(slices.Delete(slices.Clone(all), i, i+1))
		for j := range things {
			thing := fmt.Sprint("question ", j)
			was, is := before.Owner(thing), after.Owner(thing)
			if is == gone || was != gone && is != was {
				t.Fatalf("%s goes from %s to %s although %s left", thing, was, is, gone)
			}
		}
		// What it had goes to all others.
		for name, count := range owned(after) {
			if count < things/4*9/10 || count > things/4*11/10 {
				t.Errorf("without %s, %s has %d of %d things", gone, name, count, things)
			}
		}
	}
}

func TestOwnersAreTheSameHoweverMembersAreNamed(t *testing.T) {
	all := names(6)
	shuffled := slices.Concat(all, all[:3])
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	a, b := rendezvous.Of(all), rendezvous.Of(shuffled)
	if !slices.Equal(a.Names(), all) || !slices.Equal(b.Names(), all) {
		t.Errorf("members %v and %v", a.Names(), b.Names())
	}
	for i := range 1000 {
		if thing := fmt.Sprint(i); a.Owner(thing) != b.Owner(thing) {
			t.Fatalf("two owners of %s", thing)
		}
	}
	// Other processes, and other versions, find the same.
	for thing, want := range map[string]string{"a": "10.0.0.4:7602", "b": "10.0.0.2:7602", "": "10.0.0.5:7602"} {
		if got := a.Owner(thing); got != want {
			t.Errorf("%q belongs to %s", thing, got)
		}
	}
	if got := (rendezvous.Members{}).Owner("a"); got != "" {
		t.Errorf("%s of no members has it", got)
	}
}

func BenchmarkOwner(b *testing.B) {
	m := rendezvous.Of(names(10))
	thing := string(make([]byte, 200))
	for b.Loop() {
		m.Owner(thing)
	}
}
