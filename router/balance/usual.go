package balance

import (
	"math/bits"
	"time"
)

// Class is questions whose answers take about the same time.
type Class uint8

// Classes is how many classes there are: those of Keys, then that of views and
// that of pages of entries.
const Classes = View + 1

// View is questions about views.
const View Class = 16

// Keys is the class of locates of so many keys.
func Keys(count int) Class { return min(Class(bits.Len(uint(count))), View-1) }

// usual is what answers of a class usually take, in nanoseconds: two quantiles that
// follow what is observed. Each goes up by a step where an observation is above it
// and down where it is below, in steps whose sum is zero where the quantile is right
// (Ma, Muthukrishnan and Sandler, Frugal streaming for estimating quantiles, 2013);
// here they are factors, since times may be any.
type usual struct {
	answers int
	median  float64
	// most is what all but a few stay below.
	most float64
}

const (
	// step is how far a quantile goes at once.
	step = 0.1
	// mostQuantile is the part of the answers that stays below usual.most.
	mostQuantile = 1 - HedgeShare
	// known is from how many answers on the quantiles mean something.
	known = 64
)

func (u *usual) observe(took time.Duration) {
	x := float64(max(took, 1))
	u.answers++
	if u.answers == 1 {
		u.median, u.most = x, 2*x
		return
	}
	u.median = follow(u.median, x, 0.5)
	u.most = max(follow(u.most, x, mostQuantile), u.median)
}

func follow(estimate, x, quantile float64) float64 {
	if x > estimate {
		return estimate * (1 + step*quantile)
	}
	return estimate * (1 - step*(1-quantile))
}

// ratio is a time by what is usual, 1 while nothing is known.
func (u *usual) ratio(took time.Duration) float64 {
	if u.answers == 0 {
		return 1
	}
	return float64(took) / u.median
}
