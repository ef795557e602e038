package balance_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cairn/router/balance"
)

// crowds are how many callers there are at once.
var crowds = []int{1, 24}

func each(t *testing.T, run func(t *testing.T, callers int)) {
	for _, callers := range crowds {
		t.Run(fmt.Sprint("callers=", callers), func(t *testing.T) { run(t, callers) })
	}
}

func TestEqualReplicasGetEqualShares(t *testing.T) {
	each(t, func(t *testing.T, callers int) {
		w := newWorld(1, callers, false, false, false)
		w.run(time.Second)
		w.run(2 * time.Second)
		if full := w.fullest(); full > 1.1 {
			t.Errorf("%v: the fullest has %.2f of the mean; want at most 1.1", w.asked, full)
		}
	})
}

// TestASlowReplicaIsAvoided: one of three takes ten times as long.
func TestASlowReplicaIsAvoided(t *testing.T) {
	each(t, func(t *testing.T, callers int) {
		well := newWorld(2, callers, false, false, false)
		well.run(time.Second)
		well.run(2 * time.Second)
		w := newWorld(2, callers, false, false, false)
		w.run(time.Second)
		w.servers[1].service *= 10
		w.run(time.Second)
		w.run(2 * time.Second)
		if all, one := well.quantile(0.99), w.quantile(0.99); one > all*3/2 {
			t.Errorf("p99 %v with a slow replica, %v without; asked %v", one, all, w.asked)
		}
		if w.asked[1] > w.puts/150 {
			t.Errorf("asked %v of %d questions", w.asked, w.puts)
		}
		// Once it is as quick as the others it gets its share again.
		w.servers[1].service /= 10
		usual := w.pause
		w.pause = 20 * time.Millisecond
		w.run(15 * time.Second)
		w.pause = usual
		w.run(time.Second)
		w.run(2 * time.Second)
		if full := w.fullest(); full > 1.1 {
			t.Errorf("%v after it is quick again: the fullest has %.2f of the mean", w.asked, full)
		}
	})
}

// TestADeadReplicaIsHardlyAsked: a question that finds it dead goes to another, and
// it comes back slowly.
func TestADeadReplicaIsHardlyAsked(t *testing.T) {
	each(t, func(t *testing.T, callers int) {
		w := newWorld(3, callers, false, false, false)
		w.run(time.Second)
		w.servers[2].dead = true
		w.run(2 * time.Second)
		if w.lost > 0 || w.asked[2] > 10*callers {
			t.Errorf("%d questions were lost, the dead one was asked %d times", w.lost, w.asked[2])
		}
		w.servers[2].dead = false
		for w.replicas.Ejected(2, w.now) {
			w.run(10 * time.Millisecond)
		}
		w.run(500 * time.Millisecond)
		if all := w.asked[0] + w.asked[1] + w.asked[2]; callers > 1 && w.asked[2] > all/6 {
			t.Errorf("%v: one that is back gets more than half of its share at once", w.asked)
		}
		w.run(6 * time.Second)
		w.run(2 * time.Second)
		if full := w.fullest(); full > 1.1 {
			t.Errorf("%v after a while: the fullest has %.2f of the mean", w.asked, full)
		}
	})
}

func TestDeadReplicasAreAskedWhereNobodyElseIsLeft(t *testing.T) {
	w := newWorld(4, 4, false, false)
	w.servers[0].dead, w.servers[1].dead = true, true
	w.run(time.Second)
	if w.asked[0] == 0 || w.asked[1] == 0 || w.lost == 0 {
		t.Errorf("asked %v, %d lost", w.asked, w.lost)
	}
	w.servers[0].dead = false
	w.run(time.Second)
	w.run(time.Second)
	if w.lost > 0 {
		t.Errorf("%d lost although one is back", w.lost)
	}
}

// TestTheSameZoneComesFirst, until its replicas have several times the burden.
func TestTheSameZoneComesFirst(t *testing.T) {
	w := newWorld(5, 8, true, true, false)
	w.run(time.Second)
	w.run(2 * time.Second)
	if share := float64(w.asked[2]) / float64(w.puts); share > 0.05 {
		t.Errorf("%.2f of the questions went to another zone: %v", share, w.asked)
	}
	crowded := newWorld(5, 32, true, false, false)
	crowded.servers[0].workers = crowded.servers[0].workers[:4]
	crowded.run(time.Second)
	crowded.run(2 * time.Second)
	if far := crowded.asked[1] + crowded.asked[2]; far < crowded.puts/2 {
		t.Errorf("an overrun replica in the same zone kept %v", crowded.asked)
	}
	alone := newWorld(5, 8, true, false, false)
	alone.servers[0].dead = true
	alone.run(2 * time.Second)
	if alone.lost > 0 {
		t.Errorf("%d questions were lost although other zones answer", alone.lost)
	}
}

// TestFarReplicasAreNotEjectedForBeingFar: the way to them is long for all; one that
// is slower than another as far is.
func TestFarReplicasAreNotEjectedForBeingFar(t *testing.T) {
	r := balance.New([]bool{true, false, false})
	now := time.Duration(0)
	answer := func(took ...time.Duration) {
		for at := range took {
			now += time.Millisecond
			r.Asked(at)
			r.Answered(at, class, took[at], now)
		}
	}
	for range 500 {
		answer(time.Millisecond, 10*time.Millisecond, 10*time.Millisecond)
	}
	for at := range 3 {
		if s := r.Standing(at, now); s.Ejections > 0 {
			t.Errorf("replica %d: %+v", at, s)
		}
	}
	for range 500 {
		answer(time.Millisecond, time.Millisecond, 10*time.Millisecond)
	}
	if s := r.Standing(2, now); s.Ejections == 0 {
		t.Errorf("one that is ten times slower than another as far: %+v", s)
	}
}

// TestAtMostHalfAreEjectedForBeingSlow: the others would have everything to carry.
func TestAtMostHalfAreEjectedForBeingSlow(t *testing.T) {
	r := balance.New(make([]bool, 3))
	now := time.Duration(0)
	for range 500 {
		for at, took := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 10 * time.Millisecond} {
			now += time.Millisecond
			r.Asked(at)
			r.Answered(at, class, took, now)
			if r.Ejected(1, now) && r.Ejected(2, now) {
				t.Fatal("two of three are ejected")
			}
		}
	}
	if r.Standing(1, now).Ejections+r.Standing(2, now).Ejections == 0 {
		t.Error("none was ever ejected")
	}
}

// TestHedgesStayWithinTheirBudget, and shorten the tail where answers stall now and
// then.
func TestHedgesStayWithinTheirBudget(t *testing.T) {
	each(t, func(t *testing.T, callers int) {
		w := newWorld(7, callers, false, false, false)
		for i := range w.servers {
			w.servers[i].stalls = 15
		}
		w.run(2 * time.Second)
		w.run(2 * time.Second)
		hedges := w.replicas.Hedges()
		all := uint64(0)
		for i := range w.servers {
			all += w.replicas.Standing(i, w.now).Asked
		}
		if share := float64(hedges.Sent) / float64(all-hedges.Sent); share > balance.HedgeShare || hedges.Won == 0 {
			t.Errorf("%+v of %d questions: %.4f; want some, and at most %.2f", hedges, all, share, balance.HedgeShare)
		}
		// A stall takes 5 ms at least.
		if p99 := w.quantile(0.99); p99 > 4*time.Millisecond {
			t.Errorf("p99 %v although a second replica is asked", p99)
		}
	})
}

// TestTheBudgetHoldsWhereAllStall: slowness that is everybody's makes no more load.
func TestTheBudgetHoldsWhereAllStall(t *testing.T) {
	w := newWorld(8, 32, false, false, false)
	w.run(2 * time.Second)
	for i := range w.servers {
		w.servers[i].stalls = 500
	}
	before := w.replicas.Hedges()
	w.run(5 * time.Second)
	after := w.replicas.Hedges()
	// What was saved may be spent too.
	if sent, most := float64(after.Sent-before.Sent), balance.HedgeShare*float64(w.puts)+16; sent > most || after.Refused == before.Refused {
		t.Errorf("%v hedges of %d questions, refused %d; want at most %.0f", sent, w.puts, after.Refused-before.Refused, most)
	}
}

// TestASilentReplicaIsEjected by the first question that waited long for it; a
// caller that goes away says nothing.
func TestASilentReplicaIsEjected(t *testing.T) {
	r := balance.New(make([]bool, 2))
	for i := range 200 {
		r.Asked(1)
		r.Answered(1, class, time.Millisecond, time.Duration(i)*time.Millisecond)
	}
	now := time.Second
	r.Asked(0)
	r.Withdrawn(0)
	r.Asked(0)
	r.GivenUp(0, class, 10*time.Millisecond, now)
	if s := r.Standing(0, now); s.Ejected || s.InFlight != 0 || s.Slowness <= 1 {
		t.Errorf("after short waits: %+v", s)
	}
	r.Asked(0)
	r.GivenUp(0, class, 300*time.Millisecond, now)
	if s := r.Standing(0, now); !s.Ejected || s.InFlight != 0 || s.GivenUp != 2 || s.Asked != 3 {
		t.Errorf("after a long wait: %+v", s)
	}
	for range 20 {
		if at, ok := r.Choose(now, rand.Uint64(), 0); at != 1 || !ok {
			t.Fatalf("chose %d, %v", at, ok)
		}
	}
	if at, ok := r.Choose(now, 0, balance.Set(0).With(1)); at != 0 || !ok {
		t.Errorf("chose %d, %v where nobody else is left", at, ok)
	}
	if _, ok := r.Choose(now, 0, balance.Set(0).With(0).With(1)); ok {
		t.Error("chose although all are left out")
	}
}

// TestSlowClassesDoNotCount: questions that take long for everybody make nobody an
// outlier.
func TestSlowClassesDoNotCount(t *testing.T) {
	r := balance.New(make([]bool, 2))
	now := time.Duration(0)
	answer := func(at int, class balance.Class, took time.Duration) {
		now += time.Millisecond
		r.Asked(at)
		r.Answered(at, class, took, now)
	}
	for range 2000 {
		answer(0, balance.View, 50*time.Millisecond)
		answer(1, balance.Keys(1), time.Millisecond)
	}
	for _, at := range []int{0, 1} {
		if s := r.Standing(at, now); s.Ejections > 0 || s.Slowness > 1.2 {
			t.Errorf("replica %d: %+v", at, s)
		}
	}
}

// TestOnePauseDoesNotCount: a process that pauses once is asked as often as before.
func TestOnePauseDoesNotCount(t *testing.T) {
	r := balance.New(make([]bool, 2))
	now := time.Duration(0)
	asked := [2]int{}
	for i := range 1000 {
		now += time.Millisecond
		at, _ := r.Choose(now, rand.Uint64(), 0)
		took := time.Millisecond
		if i == 100 {
			at, took = 0, time.Second
		}
		r.Asked(at)
		r.Answered(at, class, took, now)
		asked[at]++
	}
	if asked[0] < 400 {
		t.Errorf("asked %v", asked)
	}
}

func TestEjectionsGetLonger(t *testing.T) {
	r := balance.New(make([]bool, 3))
	now := time.Duration(0)
	var lengths []time.Duration
	for range 8 {
		r.Asked(0)
		r.Failed(0, now)
		r.Asked(0)
		r.Failed(0, now) // at the same moment: the same ejection
		began := now
		for r.Ejected(0, now) {
			now += 10 * time.Millisecond
		}
		lengths = append(lengths, (now - began).Round(100*time.Millisecond))
	}
	for i, seconds := range []float64{1, 2, 4, 8, 16, 30, 30, 30} {
		if lengths[i].Seconds() != seconds {
			t.Fatalf("ejected for %v; want 1s, then twice as long each time, and at most 30s", lengths)
		}
	}
	r.Asked(0)
	r.Failed(0, now+time.Minute) // long after
	if r.Ejected(0, now+time.Minute+1100*time.Millisecond) {
		t.Error("one that stood for a minute is ejected for longer than a second")
	}
}

// TestOneThatIsSlowIsNotSilent: what only one replica may answer is asked of it as long
// as it answers at all.
func TestOneThatIsSlowIsNotSilent(t *testing.T) {
	w := newWorld(6, 8, false, false, false)
	w.run(time.Second)
	w.servers[1].service *= 20
	for !w.replicas.Ejected(1, w.now) {
		w.run(10 * time.Millisecond)
	}
	if w.replicas.Silent(1, w.now) {
		t.Error("ejected for being slow, it counts as silent")
	}
	w.replicas.Asked(1)
	w.replicas.Failed(1, w.now)
	if !w.replicas.Silent(1, w.now) {
		t.Error("one that can't be reached does not count as silent while it is ejected for being slow")
	}
	if later := w.now + time.Minute; w.replicas.Silent(1, later) {
		t.Error("it is silent after its ejection")
	}
}

func BenchmarkChoose(b *testing.B) {
	r := balance.New(make([]bool, 3))
	now := time.Duration(0)
	for b.Loop() {
		now += 10 * time.Microsecond
		r.HedgeAfter(class)
		at, _ := r.Choose(now, uint64(now)*0x9e3779b97f4a7c15, 0)
		r.Asked(at)
		r.Answered(at, class, 100*time.Microsecond, now)
	}
}
