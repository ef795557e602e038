package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"cairn"
	"cairn/bench/load"
	"cairn/bench/spawn"
	"cairn/bench/views"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/router/client"
)

const (
	// overload is how many times what can be answered is asked for.
	overload = 3
	// overloadPatience is how long each caller waits.
	overloadPatience = time.Second
	// overloadCallers is how many callers find out what can be answered.
	overloadCallers = 64
	// goodput is which share of what can be answered is to be.
	goodput = 0.8
	// calm is what is asked for afterwards, of what can be answered.
	calm = 0.5
)

// overloaded asks far more than can be answered: sums over all that meets random conditions, by
// callers who come whether or not others were answered, of a router in a process of
// its own over the indexes of two clusters. The Go client holds back what would be refused;
// callers who send it all the same show what the router does by itself.
func overloaded(ctx context.Context, s settings) (err error) {
	c, err := views.Open(ctx, s.entries)
	if c != nil {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	if err != nil {
		return err
	}
	address, err := c.Serve(ctx)
	if err != nil {
		return err
	}
	ours, err := client.Dial(address, client.Options{})
	if err != nil {
		return err
	}
	defer ours.Close()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	share, healthy, err := flooded(ctx, s, "the Go client's callers", ours.AggregateView, c.PIDs())
	if err != nil {
		return err
	}
	heedless, _, err := flooded(ctx, s, "callers who heed no refusal", unheeding(cairnv1.NewViewsClient(conn)), c.PIDs())
	if err != nil {
		return err
	}
	reached := "reached"
	if share < goodput {
		reached = "MISSED"
	}
	fmt.Fprintf(s.out, "ratio Overload/answered / what can be: %.2f; wanted %.2f or more: %s\n", share, goodput, reached)
	fmt.Fprintf(s.out, "ratio Overload/heedless / what can be: %.2f\n", heedless)
	verdict(s, "Overload/healthy again after, in seconds", healthy.Seconds(), 1)
	return ctx.Err()
}

// asking asks for sums, and does not ask again that the bench knows of.
type asking func(ctx context.Context, selected cairn.Selection, attribute string) (cairn.ViewAggregation, error)

// unheeding asks by the generated client, which sends whatever is asked.
func unheeding(raw cairnv1.ViewsClient) asking {
	return func(ctx context.Context, selected cairn.Selection, attribute string) (cairn.ViewAggregation, error) {
		_, err := raw.Aggregate(ctx, &cairnv1.AggregateRequest{
			Selection: &cairnv1.Selection{View: "views/" + selected.View, Where: selected.Where}, Attribute: attribute,
		})
		return cairn.ViewAggregation{}, err
	}
}

// flooded finds out what can be answered, asks for far more of it, and for less again. It
// returns which share of what can be answered was, and after what time all were again.
func flooded(ctx context.Context, s settings, who string, ask asking, pids []int) (share float64, healthy time.Duration, err error) {
	call := sums(ask)
	well, err := load.Closed(ctx, slices.Repeat([]load.Call{call}, overloadCallers), s.warmup, max(s.length, time.Second))
	if err != nil {
		return 0, 0, err
	}
	if well.Items == 0 {
		return 0, 0, errors.New("nothing was answered in the time to find out how much can be: ask for a longer -length")
	}
	before, err := peaks(pids)
	if err != nil {
		return 0, 0, err
	}
	fmt.Fprintf(s.out, "# %s: %d who wait for their answers get %.0f/s, p99 %v; indexes and router have had %d MiB resident\n",
		who, overloadCallers, well.Rate(), well.Quantile(0.99), before)

	flood := load.Flood(ctx, call, cairn.ReasonOf, overload*well.Rate(), 1, s.flood, overloadPatience)
	after, err := peaks(pids)
	if err != nil {
		return 0, 0, err
	}
	fmt.Fprintf(s.out, "# %d times that for %v: %d came, %d were answered within %v, others: %v; resident at the most %d MiB\n",
		overload, s.flood, flood.Calls, flood.Answered, overloadPatience, flood.Failed, after)

	rest := load.Flood(ctx, call, cairn.ReasonOf, calm*well.Rate(), 2, min(s.flood, 10*time.Second), overloadPatience)
	fmt.Fprintf(s.out, "# half of it then: %d came, %d were answered, others: %v\n", rest.Calls, rest.Answered, rest.Failed)
	return flood.Rate() / well.Rate(), rest.LastFailure, nil
}

// sums is a caller who asks something else each time.
func sums(ask asking) load.Call {
	var workload views.Workload
	for _, w := range views.Workloads() {
		if w.Name == "AggregateWhere" {
			workload = w
		}
	}
	var seed atomic.Uint64
	return func(ctx context.Context) (int, error) {
		q := workload.Draw(rand.New(rand.NewPCG(seed.Add(1), 0)), nil)
		q.View = views.All
		selected, attribute := q.Sums()
		if _, err := ask(ctx, selected, attribute); err != nil {
			return 0, rpcerr.FromError(err)
		}
		return 1, nil
	}
}

// peaks are the most that processes ever had resident, in MiB.
func peaks(pids []int) (peaks []int64, err error) {
	for _, pid := range pids {
		usage, err := spawn.UsageOf(pid)
		if err != nil {
			return nil, err
		}
		peaks = append(peaks, usage.MemoryPeak>>20)
	}
	return peaks, nil
}
