package main

import (
	"context"
	"errors"
	"fmt"

	"cairn/bench/etcd"
	"cairn/bench/load"
	"cairn/bench/report"
	"cairn/bench/stack"
)

// puts compares durable puts of single new keys with etcd's, one member and
// one replica on the same disk, then three of each.
func puts(ctx context.Context, s settings) error {
	for _, replicas := range []int{1, 3} {
		if err := putsOf(ctx, s, replicas); err != nil {
			return err
		}
	}
	return nil
}

func putsOf(ctx context.Context, s settings, replicas int) (err error) {
	peer, err := etcd.Start(ctx, replicas)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peer.Stop()) }()
	ours, err := stack.StartDurable(ctx, replicas)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.Close()) }()
	var keys load.NewKeys
	theirs := func(ctx context.Context) (load.Result, error) {
		return load.Closed(ctx, peer.Puts(&keys, s.callers), s.warmup, s.length)
	}
	for _, way := range []struct {
		name                string
		embedded, coalesced bool
		goal                float64
	}{
		{"router=inprocess", true, false, 2},
		{"router=inprocess/coalesced", true, true, 5},
		{"router=process", false, false, 1},
		{"router=process/coalesced", false, true, 4},
	} {
		name := fmt.Sprintf("Put/replicas=%d/%s", replicas, way.name)
		comparison, err := report.Compare(ctx, name, fmt.Sprintf("etcd of %d, unary", replicas), s.pairs, theirs, func(ctx context.Context) (load.Result, error) {
			return load.Closed(ctx, ours.Puts(&keys, s.callers, way.embedded, way.coalesced), s.warmup, s.length)
		})
		comparison.About = fmt.Sprintf("%d callers", s.callers)
		comparison.Write(s.out, report.Goal{Ratio: way.goal})
		if err != nil {
			return err
		}
	}
	return nil
}
