package report

import (
	"math/rand/v2"
	"slices"
)

// Interval is where a figure lies with a confidence of 95 percent.
type Interval struct{ Low, High float64 }

// resamples is how often a figure is computed from figures drawn anew.
const resamples = 2_000

// intervalOf is that of a figure of figures, by the percentile bootstrap (Efron
// and Tibshirani, "An Introduction to the Bootstrap", 1993): the figure is
// computed again and again from as many drawn with replacement. The same
// figures give the same interval. With few of them it is about their range.
func intervalOf(figure func(samples ...[]float64) float64, samples ...[]float64) Interval {
	random := rand.New(rand.NewPCG(1, 1))
	found := make([]float64, resamples)
	drawn := make([][]float64, len(samples))
	for i := range found {
		for j, sample := range samples {
			drawn[j] = drawn[j][:0]
			for range sample {
				drawn[j] = append(drawn[j], sample[random.IntN(len(sample))])
			}
		}
		found[i] = figure(drawn...)
	}
	slices.Sort(found)
	return Interval{Low: found[resamples*25/1000], High: found[resamples*975/1000-1]}
}

// middle is the median of the first sample.
func middle(samples ...[]float64) float64 {
	slices.Sort(samples[0])
	return Median(samples[0])
}
