package balance_test

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"time"

	"cairn/router/balance"
)

// world is callers who put questions to simulated replicas, one after the other,
// over replicas chosen by what is tested. Its time is simulated.
type world struct {
	random   *rand.Rand
	now      time.Duration
	events   events
	replicas *balance.Replicas
	servers  []server
	callers  int
	// pause is how long a caller waits between its questions, about.
	pause time.Duration

	asked []int // of each replica since the last reset
	took  []time.Duration
	lost  int // questions that nobody answered
	puts  int
}

// server is a simulated replica: so many workers, each of which takes a time of
// about service for a question; more wait in a queue.
type server struct {
	service time.Duration
	// stalls is how many questions of a thousand take ten times as long.
	stalls  int
	workers []time.Duration // when each is free
	dead    bool
}

// event is something that happens at a time.
type event struct {
	at time.Duration
	do func()
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// newWorld is a world of replicas of which each answers in about a millisecond and
// has that many workers; near says where they are.
func newWorld(seed uint64, callers int, near ...bool) *world {
	w := &world{
		random: rand.New(rand.NewPCG(seed, 1)), replicas: balance.New(near), callers: callers,
		servers: make([]server, len(near)), asked: make([]int, len(near)), pause: 500 * time.Microsecond,
	}
	for i := range w.servers {
		w.servers[i] = server{service: time.Millisecond, workers: make([]time.Duration, 32)}
	}
	for range callers {
		w.after(w.about(w.pause), w.put)
	}
	return w
}

func (w *world) after(wait time.Duration, do func()) { heap.Push(&w.events, event{w.now + wait, do}) }

// about is a time from half to one and a half of another.
func (w *world) about(d time.Duration) time.Duration {
	return d/2 + time.Duration(w.random.Float64()*float64(d))
}

// run lets the world go on for a time, and counts anew.
func (w *world) run(length time.Duration) {
	clear(w.asked)
	w.took, w.lost, w.puts = nil, 0, 0
	for end := w.now + length; len(w.events) > 0 && w.events[0].at <= end; {
		next := heap.Pop(&w.events).(event)
		w.now = next.at
		next.do()
	}
}

// question is one that a caller has put.
type question struct {
	began time.Duration
	asked balance.Set
	over  bool
}

const class = balance.Class(1)

// put puts a question, and a second one if the first takes long.
func (w *world) put() {
	w.puts++
	q := &question{began: w.now}
	after, ok := w.replicas.HedgeAfter(class)
	w.ask(q, false)
	if ok {
		w.after(after, func() {
			if !q.over && w.replicas.TakeHedge() {
				w.ask(q, true)
			}
		})
	}
}

func (w *world) ask(q *question, hedge bool) {
	at, ok := w.replicas.Choose(w.now, w.random.Uint64(), q.asked)
	if !ok {
		if !hedge {
			w.lost++
			w.end(q)
		}
		return
	}
	q.asked = q.asked.With(at)
	w.replicas.Asked(at)
	w.asked[at]++
	began := w.now
	if w.servers[at].dead {
		w.after(200*time.Microsecond, func() {
			w.replicas.Failed(at, w.now)
			if !q.over {
				w.ask(q, hedge)
			}
		})
		return
	}
	w.after(w.serve(at), func() {
		if q.over {
			w.replicas.GivenUp(at, class, w.now-began, w.now)
			return
		}
		w.replicas.Answered(at, class, w.now-began, w.now)
		if hedge {
			w.replicas.HedgeWon()
		}
		w.took = append(w.took, w.now-q.began)
		w.end(q)
	})
}

// serve is how long a replica takes.
func (w *world) serve(at int) time.Duration {
	s := &w.servers[at]
	free := 0
	for i := range s.workers {
		if s.workers[i] < s.workers[free] {
			free = i
		}
	}
	takes := w.about(s.service)
	if w.random.IntN(1000) < s.stalls {
		takes *= 10
	}
	s.workers[free] = max(s.workers[free], w.now) + takes
	return s.workers[free] - w.now
}

// end lets the caller of a question put the next.
func (w *world) end(q *question) {
	q.over = true
	w.after(w.about(w.pause), w.put)
}

// quantile is that of the times that answers took.
func (w *world) quantile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(w.took))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// fullest is the share of the replica that was asked most, by the mean.
func (w *world) fullest() float64 {
	sum := 0
	for _, n := range w.asked {
		sum += n
	}
	return float64(slices.Max(w.asked)*len(w.asked)) / float64(sum)
}
