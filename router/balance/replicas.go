package balance

import (
	"math/bits"
	"time"
)

// Most is how many replicas there may be.
const Most = 64

// Set is a set of replicas by their positions.
type Set uint64

// With is the set and one more.
func (s Set) With(at int) Set { return s | 1<<at }

// Has tells whether the set has a replica.
func (s Set) Has(at int) bool { return s&(1<<at) != 0 }

// nth is the position of the nth replica of the set, from 0.
func (s Set) nth(n int) int {
	for range n {
		s &= s - 1
	}
	return bits.TrailingZeros64(uint64(s))
}

const (
	// tolerance is by how much a replica may be slower than the fastest before
	// it is less often chosen for that.
	tolerance = 1.5
	// spill is how many times the burden of one in another zone a replica in the
	// caller's has, when the other is chosen.
	spill = 4
)

// Replicas are what is known of the replicas of one index. They are one
// goroutine's at a time. Times called now are since a moment of the caller's
// choice, the same for all calls.
type Replicas struct {
	of     []standing
	near   Set
	usual  [Classes]usual
	hedges hedges
}

// New makes Replicas of which nothing is known yet. near tells which of them are
// in the caller's zone; all false is as good as all true. There are 1 to Most.
func New(near []bool) *Replicas {
	r := &Replicas{of: make([]standing, len(near))}
	for i := range near {
		r.of[i].slowness = 1
		if near[i] {
			r.near = r.near.With(i)
		}
	}
	return r
}

// Choose says whom to ask, but for those in except. It is not ok if all are in
// there. All bits of chance are random.
func (r *Replicas) Choose(now time.Duration, chance uint64, except Set) (at int, ok bool) {
	left := r.all() &^ except
	if left == 0 {
		return 0, false
	}
	if well := left &^ r.ejected(now); well != 0 {
		left = well
	}
	best := r.fastest(left, now)
	near, far := left&r.near, left&^r.near
	if near == 0 || far == 0 {
		at, _ = r.ofTwo(left, now, chance, best)
		return at, true
	}
	at, burden := r.ofTwo(near, now, chance, best)
	if other, its := r.ofTwo(far, now, chance>>32, best); burden > spill*its {
		return other, true
	}
	return at, true
}

func (r *Replicas) all() Set { return Set(1)<<len(r.of) - 1 }

// ofTwo is the less burdened of two that chance picks, and its burden.
func (r *Replicas) ofTwo(of Set, now time.Duration, chance uint64, best float64) (at int, burden float64) {
	n := bits.OnesCount64(uint64(of))
	first := int(chance & 0xffff % uint64(n))
	at = of.nth(first)
	burden = r.of[at].burden(now, best)
	if n == 1 {
		return at, burden
	}
	second := (first + 1 + int(chance>>16&0xffff%uint64(n-1))) % n
	other := of.nth(second)
	if its := r.of[other].burden(now, best); its < burden {
		return other, its
	}
	return at, burden
}

// fastest is the least slowness there is in a set.
func (r *Replicas) fastest(of Set, now time.Duration) float64 {
	least := 0.0
	for ; of != 0; of &= of - 1 {
		if s := r.of[of.nth(0)].slownessAt(now); least == 0 || s < least {
			least = s
		}
	}
	return least
}

// Asked notes that a replica has one question more in flight. Exactly one of
// Answered, Failed, GivenUp and Withdrawn has to follow.
func (r *Replicas) Asked(at int) {
	r.of[at].inFlight++
	r.of[at].tally.Asked++
}

// Answered notes that a replica has answered, a refusal that says what is wrong
// with the question included.
func (r *Replicas) Answered(at int, class Class, took, now time.Duration) {
	r.of[at].inFlight--
	usual := &r.usual[class]
	usual.observe(took)
	r.observe(at, usual.ratio(took), now)
}

// Failed notes that a replica can't be reached.
func (r *Replicas) Failed(at int, now time.Duration) {
	r.of[at].inFlight--
	r.Unreachable(at, now)
}

// Unreachable is Failed for a question that was not noted as Asked.
func (r *Replicas) Unreachable(at int, now time.Duration) {
	r.of[at].tally.Failed++
	r.of[at].eject(true, now)
}

// silence is how long nothing is heard of a replica, at least, before it counts as
// one that can't be reached.
const silence = 250 * time.Millisecond

// GivenUp notes that a replica had not answered after a time that was spent in
// vain, and is not waited for any more.
func (r *Replicas) GivenUp(at int, class Class, took, now time.Duration) {
	replica := &r.of[at]
	replica.inFlight--
	replica.tally.GivenUp++
	usual := &r.usual[class]
	if took >= silence && took >= 2*outlier*time.Duration(usual.most) {
		replica.eject(true, now)
		return
	}
	if ratio := usual.ratio(took); ratio > replica.slowness {
		r.observe(at, ratio, now)
	}
}

// Withdrawn notes that a question's caller went away, which says nothing about the
// replica.
func (r *Replicas) Withdrawn(at int) { r.of[at].inFlight-- }
