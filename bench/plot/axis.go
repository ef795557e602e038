package plot

import (
	"math"
	"strconv"
)

// axis leads from values to pixels.
type axis struct {
	log       bool
	low, high float64 // of the values, or of their logarithms
	from, to  float64 // the pixels of low and high
	ticks     []float64
}

// axes are those that have room for all values of a chart.
func (c Chart) axes() (x, y axis) {
	var xs, ys []float64
	for _, line := range c.Lines {
		for i, v := range line.Values {
			xs, ys = append(xs, line.x(i)), append(ys, v)
		}
	}
	x = axis{log: c.LogX, from: left, to: chartWidth - right}
	y = axis{log: c.LogY, from: chartHeight - bottom, to: top}
	if c.LogX {
		x.powers(xs, false)
	} else {
		// It ends with the last value: whole numbers of rounds, as a rule.
		x.low, x.high = 0, 1
		for _, v := range xs {
			x.high = max(x.high, v)
		}
		for _, tick := range scale(0, x.high) {
			if tick <= x.high && tick == math.Round(tick) {
				x.ticks = append(x.ticks, tick)
			}
		}
	}
	if c.LogY {
		y.powers(ys, true)
	} else {
		low, high := c.From, c.From
		for _, v := range ys {
			low, high = min(low, v), max(high, v)
		}
		y.ticks = scale(low, high)
		y.low, y.high = y.ticks[0], y.ticks[len(y.ticks)-1]
	}
	return x, y
}

// powers has the axis go from the least value to the greatest or, if it is
// rounded, from one power of ten to another.
func (a *axis) powers(values []float64, rounded bool) {
	a.low, a.high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		a.low, a.high = min(a.low, math.Log10(v)), max(a.high, math.Log10(v))
	}
	if len(values) == 0 {
		a.low, a.high = 0, 1
	}
	if rounded {
		a.low, a.high = math.Floor(a.low), math.Ceil(a.high)
	}
	if a.high == a.low {
		a.high++
	}
	between := []float64{1}
	if a.high-a.low < 1.5 { // there would be a tick or none
		between = []float64{1, 2, 5}
	}
	const exact = 1e-9
	for power := math.Floor(a.low); power <= a.high; power++ {
		for _, times := range between {
			tick := times * math.Pow(10, power)
			if at := math.Log10(tick); at >= a.low-exact && at <= a.high+exact {
				a.ticks = append(a.ticks, tick)
			}
		}
	}
}

func (a *axis) pixel(v float64) string {
	if a.log {
		v = math.Log10(v)
	}
	at := a.from + (v-a.low)/(a.high-a.low)*(a.to-a.from)
	return strconv.FormatFloat(math.Round(at*10)/10, 'f', -1, 64)
}

// scale is round numbers, three to seven, that begin at or below low and end at
// or above high.
func scale(low, high float64) []float64 {
	if high <= low {
		high = low + 1
	}
	fifth := (high - low) / 5
	step := math.Pow(10, math.Floor(math.Log10(fifth)))
	for _, times := range []float64{1, 2, 5, 10} {
		if fifth <= times*step {
			step *= times
			break
		}
	}
	var numbers []float64
	for i := math.Floor(low/step + 1e-9); ; i++ {
		numbers = append(numbers, i*step)
		if i*step >= high-1e-9*step {
			return numbers
		}
	}
}

// label is a number as people write it: 2.5, 500, 20k, 3M.
func label(v float64) string {
	suffix := ""
	for _, each := range []struct {
		from, unit float64
		suffix     string
	}{{1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}} {
		if math.Abs(v) >= each.from {
			v, suffix = v/each.unit, each.suffix
			break
		}
	}
	const digits = 1e6 // what a step adds up to is not exact
	return strconv.FormatFloat(math.Round(v*digits)/digits, 'f', -1, 64) + suffix
}
