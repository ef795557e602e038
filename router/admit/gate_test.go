package admit_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"cairn/router/admit"
)

// world is a server that does one thing after the other, in the order in which they
// come, each in so much time; who has run out of time by his turn costs nothing.
type world struct {
	t       *testing.T
	gate    admit.Gate
	now     time.Duration
	each    time.Duration
	queue   []visit
	free    time.Duration // when the server has done what it does
	stalled time.Duration // until when it does nothing

	answered, missed, refused int
	longest                   int
}

type visit struct{ began, deadline time.Duration }

func (w *world) arrive(left time.Duration) bool {
	retry, ok := w.gate.Enter(w.now, left)
	if !ok {
		if retry < 50*time.Millisecond || retry > time.Second {
			w.t.Errorf("told to try again after %v", retry)
		}
		w.refused++
		return false
	}
	w.queue = append(w.queue, visit{w.now, w.now + left})
	w.longest = max(w.longest, len(w.queue))
	return true
}

// serve goes on to a time and returns how many were answered on the way.
func (w *world) serve(until time.Duration) (answered int) {
	for len(w.queue) > 0 {
		first := w.queue[0]
		starts := max(w.free, first.began, w.stalled)
		if starts >= first.deadline {
			if first.deadline > until {
				break
			}
			w.queue = w.queue[1:]
			w.missed++
			w.gate.Leave(first.began, first.deadline, false)
			continue
		}
		if starts+w.each > until {
			break
		}
		w.free = starts + w.each
		w.queue = w.queue[1:]
		if in := w.free <= first.deadline; in {
			answered++
			w.gate.Leave(first.began, w.free, true)
		} else {
			w.missed++
			w.gate.Leave(first.began, w.free, false)
		}
	}
	w.now = until
	w.answered += answered
	return answered
}

// open has callers come at a rate, whatever becomes of those before.
func (w *world) open(random *rand.Rand, rate float64, left, length time.Duration) {
	end := w.now + length
	for {
		next := w.now + time.Duration(random.ExpFloat64()/rate*float64(time.Second))
		if next > end {
			w.serve(end)
			return
		}
		w.serve(next)
		w.arrive(left)
	}
}

// closed has so many callers, each of whom comes again once answered.
func (w *world) closed(callers int, left, length time.Duration) {
	for end := w.now + length; w.now < end; {
		waiting := len(w.queue)
		for range callers - waiting {
			w.arrive(left)
		}
		w.serve(w.now + w.each)
	}
}

func (w *world) forget() { w.answered, w.missed, w.refused = 0, 0, 0 }

// TestAnOverloadedServerAnswersWhatItCan: three times as many come as it can answer,
// and it answers nearly as many as it can; a second later all is well.
func TestAnOverloadedServerAnswersWhatItCan(t *testing.T) {
	for _, each := range []time.Duration{100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond} {
		capacity := float64(time.Second) / float64(each)
		length := time.Minute
		if each < time.Millisecond {
			length = 20 * time.Second // of 30,000 a second
		}
		for _, left := range []time.Duration{time.Second, 5 * time.Second} {
			w := &world{t: t, each: each}
			random := rand.New(rand.NewPCG(1, uint64(each)))
			w.open(random, capacity/2, left, 5*time.Second)
			if w.refused > 0 || w.missed > 0 {
				t.Errorf("%v each, %v left, half loaded: %d refused, %d missed", each, left, w.refused, w.missed)
			}
			w.forget()
			w.open(random, 3*capacity, left, length)
			if share := float64(w.answered) / (length.Seconds() * capacity); share < 0.95 {
				t.Errorf("%v each, %v left, overloaded: %.2f of what it can; %d refused, %d missed", each, left, share, w.refused, w.missed)
			}
			if most := max(admit.Few, int(capacity*left.Seconds()/6)); len(w.queue) > most {
				t.Errorf("%v each, %v left, overloaded for long: %d still wait, more than %d", each, left, len(w.queue), most)
			}
			if w.longest > admit.Most {
				t.Errorf("%d in the queue", w.longest)
			}
			w.open(random, capacity/2, left, max(left, time.Second))
			w.forget()
			w.open(random, capacity/2, left, 10*time.Second)
			if w.refused > 0 || w.missed > 0 {
				t.Errorf("%v each, %v left, afterwards: %d refused, %d missed", each, left, w.refused, w.missed)
			}
		}
	}
}

// TestWhoWaitsForAnswersIsLetIn, however many there are, as long as each is answered in
// time; after a quiet time and after a stall, too.
func TestWhoWaitsForAnswersIsLetIn(t *testing.T) {
	w := &world{t: t, each: time.Millisecond}
	for _, callers := range []int{1, 64, 1500} {
		w.closed(callers, 5*time.Second, 10*time.Second)
		w.serve(w.now + time.Minute)
		if w.refused > 0 || w.missed > 0 {
			t.Errorf("%d callers: %d refused, %d missed", callers, w.refused, w.missed)
		}
	}
	w.closed(200, 5*time.Second, time.Second)
	w.stalled = w.now + 2*time.Second
	w.closed(200, 5*time.Second, 10*time.Second)
	if w.refused > 0 || w.missed > 0 {
		t.Errorf("a stall: %d refused, %d missed", w.refused, w.missed)
	}
	if len(w.queue) != w.gate.InFlight() {
		t.Errorf("%d in the queue, %d in flight", len(w.queue), w.gate.InFlight())
	}
}

// TestSlowAnswersAreNoQueue: many come at once for what takes long by itself, which few
// have asked for until then.
func TestSlowAnswersAreNoQueue(t *testing.T) {
	var g admit.Gate
	const takes, left = 600 * time.Millisecond, 2 * time.Second
	now := time.Duration(0)
	for range 20 {
		if _, ok := g.Enter(now, left); !ok {
			t.Fatal("one by one")
		}
		g.Leave(now, now+takes, true)
		now += time.Second
	}
	for i := range 100 {
		if retry, ok := g.Enter(now, left); !ok {
			t.Fatalf("number %d of many at once: again after %v", i, retry)
		}
	}
	// As many more than the server can do make each wait for longer than it takes.
	for range 100 {
		now += 50 * time.Millisecond
		g.Leave(now-5*time.Second, now, true)
		g.Enter(now, time.Minute)
	}
	if _, ok := g.Enter(now, left); ok {
		t.Error("let in behind a queue of five seconds")
	}
}

// TestWhoIsRefusedComesLaterTheMoreAreRefused, and soon again when few are.
func TestWhoIsRefusedComesLaterTheMoreAreRefused(t *testing.T) {
	var gate admit.Gate
	now := time.Duration(0)
	// window answers ten of those who have waited longest, lets as many in, and has others
	// refused, who have a second; it returns what the last of them is told.
	window := func(others int) (retry time.Duration) {
		now += 100 * time.Millisecond
		for range 10 {
			gate.Leave(now-time.Second, now, true)
			if _, ok := gate.Enter(now, time.Hour); !ok {
				t.Fatal("who has an hour is refused")
			}
		}
		for range others {
			var ok bool
			if retry, ok = gate.Enter(now, time.Second); ok {
				t.Fatal("who has a second is let in")
			}
		}
		return retry
	}
	for range 100 {
		gate.Enter(now, time.Hour)
	}
	for range 20 {
		window(0)
	}
	soon := func(retry time.Duration) bool { return retry > 400*time.Millisecond && retry < 600*time.Millisecond }
	if few := window(1); !soon(few) {
		t.Errorf("half of the queue is away in 500ms; again after %v", few)
	}
	for range 10 {
		window(50)
	}
	if many := window(50); many != admit.LatestRetry {
		t.Errorf("with five refused for each that is answered: again after %v", many)
	}
	for range 10 {
		window(1)
	}
	if again := window(1); !soon(again) {
		t.Errorf("with one refused for ten: again after %v", again)
	}
}
