package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
// its own over the indexes of two clusters.
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
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ask := sums(cairnv1.NewViewsClient(conn))
	callers := make([]load.Call, overloadCallers)
	for i := range callers {
		callers[i] = ask
	}
	well, err := load.Closed(ctx, callers, s.warmup, max(s.length, time.Second))
	if err != nil {
		return err
	}
	if well.Items == 0 {
		return errors.New("nothing was answered in the time to find out how much can be: ask for a longer -length")
	}
	before, err := peaks(c.PIDs())
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "# %d callers who wait for their answers get %.0f/s, p99 %v; indexes and router have had %d MiB resident\n",
		overloadCallers, well.Rate(), well.Quantile(0.99), before)

	flood := load.Flood(ctx, ask, cairn.ReasonOf, overload*well.Rate(), 1, s.flood, overloadPatience)
	after, err := peaks(c.PIDs())
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "# %d times that for %v: %d came, %d were answered within %v, others: %v; resident at the most %d MiB\n",
		overload, s.flood, flood.Calls, flood.Answered, overloadPatience, flood.Failed, after)

	rest := load.Flood(ctx, ask, cairn.ReasonOf, calm*well.Rate(), 2, min(s.flood, 10*time.Second), overloadPatience)
	fmt.Fprintf(s.out, "# half of it then: %d came, %d were answered, others: %v\n", rest.Calls, rest.Answered, rest.Failed)
	share, reached := flood.Rate()/well.Rate(), "reached"
	if share < goodput {
		reached = "MISSED"
	}
	fmt.Fprintf(s.out, "ratio Overload/answered / what can be: %.2f; wanted %.2f or more: %s\n", share, goodput, reached)
	verdict(s, "Overload/healthy again after, in seconds", rest.LastFailure.Seconds(), 1)
	return ctx.Err()
}

// sums is a caller who asks something else each time, and does not ask again.
func sums(client cairnv1.ViewsClient) load.Call {
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
		if _, err := client.Aggregate(ctx, q.Request()); err != nil {
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
