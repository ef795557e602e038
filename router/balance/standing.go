package balance

import "time"

const (
	// smoothing is the weight of a new observation in what was observed before; of
	// one on probation, of which nothing is known that counts, more is believed.
	smoothing          = 1.0 / 32
	probationSmoothing = 1.0 / 4
	// worstRatio bounds what a single observation says: one pause of a process must
	// not exceed tolerance.
	worstRatio = 10
	// forgetting is after what time without an answer half of what made a replica
	// slow is forgotten, so that it is tried again.
	forgetting = 5 * time.Second

	// outlier is how many times slower than the fastest other one a replica is
	// that is to be ejected.
	outlier = 4
	// endured is how long a replica must have been that slow, and by how many
	// answers, so that one pause of its process does not count.
	endured        = 100 * time.Millisecond
	enduredAnswers = 8
	// probation is by how many answers one is ejected again that has just come
	// back.
	probation = 2

	// firstEjection and longestEjection are how long an ejection lasts.
	firstEjection   = time.Second
	longestEjection = 30 * time.Second
	// slowStart is how long one that is back has less than its share, and may
	// be ejected again without having endured.
	slowStart = 5 * time.Second
	// firstShare is what share it begins with.
	firstShare = 0.1
)

// standing is what is known of one replica.
type standing struct {
	inFlight int
	// slowness is the smoothed ratio of the time of its answers to what is usual;
	// 1 is as usual.
	slowness float64
	answers  int           // since it was last ejected
	heard    time.Duration // when it answered last
	// slowSince is since when it is an outlier; 0 if it is none.
	slowSince time.Duration
	// out is until when it is ejected, and from when on it is on probation.
	out       time.Duration
	silent    bool // it was ejected since it did not answer at all
	ejections int  // in a row
	tally     Tally
}

// Tally counts what a replica was asked, and what became of it.
type Tally struct {
	// Asked are the questions, those included that a second replica was asked.
	Asked uint64
	// Failed could not reach it, GivenUp were not waited for to the end.
	Failed, GivenUp uint64
	// Ejections are how often it was ejected.
	Ejections uint64
}

// Standing is a replica as operators see it.
type Standing struct {
	Tally
	InFlight int
	// Slowness is how slow it answers by what is usual; 1 is as usual.
	Slowness float64
	Ejected  bool
}

// Standing is how a replica stands.
func (r *Replicas) Standing(at int, now time.Duration) Standing {
	s := &r.of[at]
	return Standing{Tally: s.tally, InFlight: s.inFlight, Slowness: s.slownessAt(now), Ejected: s.ejected(now)}
}

// Ejected tells whether a replica is to be asked only where nobody else is left.
func (r *Replicas) Ejected(at int, now time.Duration) bool { return r.of[at].ejected(now) }

// Silent tells whether a replica is ejected since it did not answer, or can't be
// reached; not merely for being slow.
func (r *Replicas) Silent(at int, now time.Duration) bool {
	return r.of[at].silent && r.of[at].ejected(now)
}

func (r *Replicas) ejected(now time.Duration) (out Set) {
	for i := range r.of {
		if r.of[i].ejected(now) {
			out = out.With(i)
		}
	}
	return out
}

func (s *standing) ejected(now time.Duration) bool { return now < s.out }

// onProbation tells whether it has come back not long ago.
func (s *standing) onProbation(now time.Duration) bool {
	return s.ejections > 0 && now < s.out+slowStart
}

// slownessAt is slowness, with what lies back partly forgotten.
func (s *standing) slownessAt(now time.Duration) float64 {
	if s.slowness <= 1 {
		return s.slowness
	}
	return 1 + (s.slowness-1)/(1+float64(now-s.heard)/float64(forgetting))
}

// burden is what is to be weighed against another's. best is the least slowness
// there is.
func (s *standing) burden(now time.Duration, best float64) float64 {
	burden := float64(s.inFlight + 1)
	if slow := s.slownessAt(now) / best; slow > tolerance {
		burden *= slow
	}
	if s.onProbation(now) {
		burden /= max(firstShare, float64(now-s.out)/float64(slowStart))
	}
	return burden
}

// observe notes how slow an answer was, and ejects a replica that is an outlier.
func (r *Replicas) observe(at int, ratio float64, now time.Duration) {
	s := &r.of[at]
	if s.ejected(now) {
		return // it was asked before
	}
	s.slowness = s.slownessAt(now)
	s.answers++
	weight := smoothing
	if s.onProbation(now) {
		weight = probationSmoothing
	}
	s.slowness += weight * (min(ratio, worstRatio) - s.slowness)
	s.heard = now
	if !r.isOutlier(at, now) {
		s.slowSince = 0
		if !s.onProbation(now) {
			s.ejections = 0
		}
		return
	}
	if s.slowSince == 0 {
		s.slowSince = now
	}
	lasted := s.answers >= enduredAnswers && now-s.slowSince >= endured
	if (lasted || s.onProbation(now)) && r.mayEject(now) {
		s.eject(false, now)
	}
}

// isOutlier tells whether a replica is much slower than another that is not nearer:
// the way to another zone is nobody's fault.
func (r *Replicas) isOutlier(at int, now time.Duration) bool {
	s := &r.of[at]
	if s.answers < probation {
		return false
	}
	for i := range r.of {
		other := &r.of[i]
		if i == at || other.ejected(now) || other.answers == 0 || r.near.Has(i) && !r.near.Has(at) {
			continue
		}
		if s.slowness >= outlier*other.slownessAt(now) {
			return true
		}
	}
	return false
}

// mayEject tells whether one more may be ejected for being slow: never more than
// half of all.
func (r *Replicas) mayEject(now time.Duration) bool {
	out := 1
	for i := range r.of {
		if r.of[i].ejected(now) {
			out++
		}
	}
	return 2*out <= len(r.of)
}

// eject ejects a replica, unless it is already: many questions fail at once.
func (s *standing) eject(silent bool, now time.Duration) {
	if s.ejected(now) {
		s.silent = s.silent || silent
		return
	}
	s.silent = silent
	if !s.onProbation(now) {
		s.ejections = 0
	}
	s.out = now + min(firstEjection<<min(s.ejections, 8), longestEjection)
	s.ejections++
	s.tally.Ejections++
	s.slowness, s.answers, s.slowSince = 1, 0, 0
}
