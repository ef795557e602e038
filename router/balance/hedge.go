package balance

import "time"

const (
	// HedgeShare is how many questions may be put to a second replica, of all.
	HedgeShare = 0.02
	// savedHedges is how many hedges may be saved up for a bad moment.
	savedHedges = 16
	// soonestHedge is the least that is waited: to ask twice costs more than to
	// wait so long.
	soonestHedge = time.Millisecond
)

// hedges is the budget of second questions.
type hedges struct {
	budget float64
	tally  Hedges
}

// Hedges counts second questions.
type Hedges struct {
	// Sent are those that were put, Won those that were answered first, Refused
	// those that the budget did not allow.
	Sent, Won, Refused uint64
}

// HedgeAfter is how long the first replica that a question is put to is waited for
// until a second is asked too, and notes that one more question is put. It is not
// ok while too little is known of the class.
func (r *Replicas) HedgeAfter(class Class) (after time.Duration, ok bool) {
	r.hedges.budget = min(r.hedges.budget+HedgeShare, savedHedges)
	usual := &r.usual[class]
	if len(r.of) < 2 || usual.answers < known {
		return 0, false
	}
	return max(time.Duration(usual.most), soonestHedge), true
}

// TakeHedge takes a second question off the budget, if that allows it.
func (r *Replicas) TakeHedge() bool {
	if r.hedges.budget < 1 {
		r.hedges.tally.Refused++
		return false
	}
	r.hedges.budget--
	r.hedges.tally.Sent++
	return true
}

// HedgeWon notes that a second question was answered first.
func (r *Replicas) HedgeWon() { r.hedges.tally.Won++ }

// Hedges is the tally of second questions.
func (r *Replicas) Hedges() Hedges { return r.hedges.tally }
