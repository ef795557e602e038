package admit

import (
	"cmp"
	"sync"
	"time"
)

const (
	// Few is how many may be in flight whatever they wait for.
	Few = 32
	// Most is how many may be in flight at all where a Gate does not say.
	Most = 1 << 13
	// Patience is how long a turn may be away at the most; half of the time that a
	// caller has left, if that is less.
	Patience = 2 * time.Second
	// LatestRetry is after what time at the most who was refused should try again.
	LatestRetry = time.Second

	// window is what answers are counted over.
	window = 100 * time.Millisecond
	// stale is after how many windows without an answer delay says nothing.
	stale = 10
	// weight is that of the last window in the average of them, and memory how much of
	// the rate is left of one window in the next: a stall of seconds must not look as if
	// the server could do nothing any more.
	weight = 0.2
	memory = 0.97

	// waiting is which part of the time left a turn may be away, and shedding which part
	// while there is a queue that does not go away: a long one then serves nobody, and what
	// a call waited before it got here has to fit too. fade is memory's place meanwhile.
	waiting  = 2
	shedding = 8
	fade     = 0.9
	// standing is from what length on a queue that refuses somebody is one that stays.
	standing = 50 * time.Millisecond

	soonestRetry = 50 * time.Millisecond
	// growth is how much later who is refused is told to try again after a window in which
	// more were refused than answered, and how much sooner after any other: those who come
	// again must not be most of what comes.
	growth = 2
)

// Gate is before one queue. Its zero value is ready; any goroutine may use it. Times
// are since a moment of the caller's choice, the same for all calls.
type Gate struct {
	// Most is how many may be in flight at all; 0 for the constant. It bounds what waits
	// where nothing is answered. It is not changed once the Gate is used.
	Most int

	mu       sync.Mutex // guards what follows
	inFlight int
	// at is which window this is, counted from the beginning of time; answered and
	// quickest are of the answers in it, quickest 0 if there are none, and refusals is how
	// many were refused in it.
	at       int64
	answered int
	quickest time.Duration
	refusals int
	// again is after what time, at least, who is refused should try again.
	again time.Duration
	// average is how many were answered in a second of late, rate what that was at its
	// highest, of late too, and delay the quickest answer of the last window that had any.
	average float64
	rate    float64
	delay   time.Duration
	from    int64 // the window that delay is of
	// base is delay when last there were too few in flight for a queue, in all of a window;
	// busy tells that there were more in this one.
	base time.Duration
	busy bool
	// shedding tells that there is a queue that does not go away: since somebody's turn
	// would have come too late, somebody was refused in every window; refused tells so of
	// this one.
	shedding, refused bool
}

// Enter lets a caller in who has so much time left, or says when to try again. Who
// is let in has to Leave.
func (g *Gate) Enter(now, left time.Duration) (retryAfter time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if retryAfter, refused := g.refuses(now, left); refused {
		return retryAfter, false
	}
	g.inFlight++
	g.busy = g.busy || g.inFlight >= Few
	return 0, true
}

// Refuses tells whether Enter would refuse a caller now, and when to try again then. Who is
// not refused has still to Enter.
func (g *Gate) Refuses(now, left time.Duration) (retryAfter time.Duration, refused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refuses(now, left)
}

func (g *Gate) refuses(now, left time.Duration) (retryAfter time.Duration, refused bool) {
	g.turn(now)
	if g.inFlight < Few {
		return 0, false
	}
	wait, late := g.late(left)
	if !late && g.inFlight < cmp.Or(g.Most, Most) {
		return 0, false
	}
	g.refused = g.refused || wait > standing
	g.shedding = g.shedding || late
	g.refusals++
	return min(max(wait/2, g.again, soonestRetry), LatestRetry), true
}

// late tells whether a caller's turn would come too late, and when it would come.
func (g *Gate) late(left time.Duration) (wait time.Duration, late bool) {
	patience := min(left/waiting, Patience)
	if shed := left / shedding; g.shedding && shed < Patience {
		patience = shed
	} else if g.delay-g.base <= patience/2 {
		return 0, false
	}
	if g.rate <= 0 {
		return 0, false
	}
	wait = time.Duration(float64(g.inFlight) / g.rate * float64(time.Second))
	return wait, wait > patience
}

// Leave notes that a caller who entered at began has left, with an answer or without.
func (g *Gate) Leave(began, now time.Duration, answered bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(now)
	g.inFlight--
	if !answered {
		return
	}
	g.answered++
	if took := max(now-began, 1); g.quickest == 0 || took < g.quickest {
		g.quickest = took
	}
}

// turn goes on to the window of now, if that is a later one.
func (g *Gate) turn(now time.Duration) {
	at := int64(now / window)
	if at <= g.at {
		return
	}
	for passed := min(at-g.at, 500); passed > 0; passed-- {
		g.average += weight * (float64(g.answered)/window.Seconds() - g.average)
		if g.shedding {
			g.rate = max(fade*g.rate, g.average)
		} else {
			g.rate = max(memory*g.rate, g.average)
		}
		if g.refusals > g.answered {
			g.again = min(max(g.again, soonestRetry)*growth, LatestRetry)
		} else {
			g.again /= growth
		}
		g.answered, g.refusals = 0, 0
	}
	if g.quickest > 0 {
		if g.delay, g.quickest, g.from = g.quickest, 0, g.at; !g.busy {
			g.base = g.delay
		}
	}
	g.busy = g.inFlight >= Few
	g.shedding, g.refused = g.shedding && g.refused, false
	if at-g.from > stale {
		g.delay = 0
	}
	g.at = at
}

// InFlight is how many have entered and not left.
func (g *Gate) InFlight() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inFlight
}
