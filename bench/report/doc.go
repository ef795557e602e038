// Package report compares what was measured with its floor and writes it down:
// ratios first, absolute figures after, and every single run as a line that
// benchstat reads.
//
// A ratio is the median of the ratios of interleaved pairs (floor, ours,
// floor, ours, ...): a machine that slows down for a while slows down both of
// a pair.
package report
