package scrape

import (
	"math"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// Span is what several servers have counted between two looks at each.
type Span []struct{ Before, After Sample }

// Series is a metric, of all whose labels have the same values, over all servers.
type Series struct {
	// Labels are the values of the labels that were asked for, in their order.
	Labels []string
	// PerSecond is by how much a counter grew, or how many a histogram has counted.
	PerSecond float64
	// Value is a gauge's at the second look, GaugePerSecond by how much it grew; 0 if
	// it did not, as where its server was started anew.
	Value, GaugePerSecond float64
	// below is how many a histogram has counted up to each bound, ascending.
	below []bucket
}

type bucket struct{ bound, count float64 }

// Series are a metric's, ascending by labels; those that did not change are among
// them.
func (s Span) Series(name string, by ...string) []Series {
	sums := make(map[string]*Series)
	for _, server := range s {
		elapsed := server.After.At.Sub(server.Before.At).Seconds()
		before := make(map[string]*dto.Metric)
		for _, m := range server.Before.families[name].GetMetric() {
			before[identity(m)] = m
		}
		for _, m := range server.After.families[name].GetMetric() {
			labels := valuesOf(m, by)
			under := strings.Join(labels, "\x00")
			sum := sums[under]
			if sum == nil {
				sum = &Series{Labels: labels}
				sums[under] = sum
			}
			sum.add(before[identity(m)], m, elapsed)
		}
	}
	out := make([]Series, 0, len(sums))
	for _, sum := range sums {
		out = append(out, *sum)
	}
	slices.SortFunc(out, func(a, b Series) int { return slices.Compare(a.Labels, b.Labels) })
	return out
}

// identity is all of a metric's labels.
func identity(m *dto.Metric) string {
	var out strings.Builder
	for _, pair := range m.GetLabel() { // they come in order
		out.WriteString(pair.GetName() + "\x00" + pair.GetValue() + "\x00")
	}
	return out.String()
}

func valuesOf(m *dto.Metric, names []string) []string {
	out := make([]string, len(names))
	for _, pair := range m.GetLabel() {
		if i := slices.Index(names, pair.GetName()); i >= 0 {
			out[i] = pair.GetValue()
		}
	}
	return out
}

// add adds what became of one metric of one server; before is nil if it was not
// there: nothing had been counted.
func (s *Series) add(before, after *dto.Metric, elapsed float64) {
	s.Value += after.GetGauge().GetValue()
	if elapsed <= 0 {
		return
	}
	if before != nil {
		s.GaugePerSecond += max(0, after.GetGauge().GetValue()-before.GetGauge().GetValue()) / elapsed
	}
	s.PerSecond += grown(before.GetCounter().GetValue(), after.GetCounter().GetValue()) / elapsed
	h, old := after.GetHistogram(), before.GetHistogram()
	if h == nil {
		return
	}
	if old.GetSampleCount() > h.GetSampleCount() {
		old = nil // the server has been started anew
	}
	s.PerSecond += float64(h.GetSampleCount()-old.GetSampleCount()) / elapsed
	var below []bucket
	for i, b := range h.GetBucket() {
		was := uint64(0)
		if i < len(old.GetBucket()) {
			was = old.GetBucket()[i].GetCumulativeCount()
		}
		below = append(below, bucket{b.GetUpperBound(), float64(b.GetCumulativeCount() - was)})
	}
	s.join(below)
}

// grown is by how much a counter grew, which begins at 0 when its server starts.
func grown(before, after float64) float64 {
	if after < before {
		return after
	}
	return after - before
}

// Add adds another series to this one.
func (s *Series) Add(other Series) {
	s.PerSecond += other.PerSecond
	s.Value += other.Value
	s.GaugePerSecond += other.GaugePerSecond
	s.join(other.below)
}

func (s *Series) join(below []bucket) {
	if len(s.below) != len(below) {
		if len(s.below) == 0 {
			s.below = slices.Clone(below)
		}
		return // of another version of the server
	}
	for i := range below {
		s.below[i].count += below[i].count
	}
}

// Quantile is up to how long so much of what a histogram of seconds has counted took,
// as if what lies between two bounds were spread evenly; false if it has counted
// nothing. Beyond the last bound it is that.
func (s *Series) Quantile(q float64) (time.Duration, bool) {
	if len(s.below) == 0 || s.below[len(s.below)-1].count == 0 {
		return 0, false
	}
	rank := q * s.below[len(s.below)-1].count
	lower, under := 0.0, 0.0
	for _, b := range s.below {
		if b.count >= rank {
			if math.IsInf(b.bound, 1) {
				break
			}
			within := 1.0
			if b.count > under {
				within = (rank - under) / (b.count - under)
			}
			return seconds(lower + within*(b.bound-lower)), true
		}
		lower, under = b.bound, b.count
	}
	return seconds(lower), true
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
