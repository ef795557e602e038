package main

import (
	"context"

	"cairn/bench/load"
	"cairn/bench/locates"
	"cairn/bench/report"
)

// callersOf are how many callers a curve has, loads the shares of what that many
// callers got done in a closed loop at the most that an open loop asks for.
var (
	callersOf = []int{1, 2, 4, 8, 16, 32, 64, 128}
	loads     = []float64{0.1, 0.3, 0.5, 0.7, 0.9}
)

const mostCallers = 128

// curvesOf measures locates of single keys from one side: by more and more
// callers in a closed loop, then in an open loop at more and more of the highest
// rate that these had.
func curvesOf(ctx context.Context, s settings, name string, side locates.Side) error {
	highest := 0.0
	for _, callers := range callersOf {
		asks := locates.Asks{Callers: callers, Size: 1, Choose: load.Uniform(s.entries)}
		result, err := load.Closed(ctx, asks.Calls(side), s.warmup, s.length)
		if err != nil {
			return err
		}
		highest = max(highest, result.Rate())
		s.out.AddPoint(report.Callers, name, float64(callers), result, 0, 0)
	}
	asks := locates.Asks{Callers: mostCallers, Size: 1, Choose: load.Uniform(s.entries)}
	for i, share := range loads {
		rate := share * highest
		result, err := load.Open(ctx, asks.Calls(side), rate, uint64(i), s.warmup, s.length)
		if err != nil {
			return err
		}
		s.out.AddPoint(report.Rate, name, rate, result, 0, 0)
	}
	return nil
}
