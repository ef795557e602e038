// Package balance decides which replica of an index is asked, and when a second
// one is asked too. It does no I/O: what was observed, the time and the chance
// are handed in, what to do comes out.
//
//	replicas := balance.New(near)
//	at, ok := replicas.Choose(now, rand.Uint64(), 0)
//	replicas.Asked(at)
//	... // ask it
//	replicas.Answered(at, class, took, now)
//
// Of two replicas picked by chance the less burdened one is chosen (Mitzenmacher,
// The power of two choices in randomized load balancing, 2001). The burden is how
// many questions it has in flight, times how slow it is where that is more than
// noise: who is merely a little faster must not get everything.
//
// Answers of different kinds take different times, so that what is averaged is
// never a time but its ratio to what is usual for the kind, its Class.
//
// Replicas in the caller's zone come first. Others are chosen where those have
// several times their burden.
//
// A replica that can't be reached, or that is much slower than others for a while,
// is ejected: it is chosen only where nobody else is left. It is back after a time
// that doubles with every ejection in a row, at first with a small share.
//
// A second replica is asked where an answer takes longer than nearly all do. A
// budget keeps these hedges to HedgeShare of all questions (Dean and Barroso, The
// tail at scale, 2013).
package balance
