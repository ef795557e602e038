package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/router/client"
)

// movers are how many callers keep on while the tour moves a shard.
const movers = 8

func (t *tour) move(ctx context.Context) error {
	t.title("Move a shard while it is in use")
	t.say(fmt.Sprintf(`A move copies a shard's entries to another cluster while they are read and written, follows what changes, and
		hands the shard over in one transaction in etcd. For that moment the routers hold its writes back. %d callers read and
		write customers all the while, as fast as they can:`, movers))
	located, err := quietly[struct {
		Shard   cairn.ShardID `json:"shard"`
		Cluster string        `json:"cluster"`
	}](ctx, t, "explain customers "+aCustomer)
	if err != nil {
		return err
	}
	to := "north"
	if located.Cluster == to {
		to = "south"
	}
	c, err := client.Dial(t.addr, client.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	noticed := keepCalling(ctx, c)
	if err := t.show(ctx, fmt.Sprintf("move customers/%d --to %s --wait", located.Shard, to), 0); err != nil {
		return err
	}
	seen := noticed()
	t.say(fmt.Sprintf("They made %s calls and met %s. Their longest write took %s.",
		render.Count(seen.calls), render.Counted(seen.errors, "error", "errors"), render.Duration(seen.longest)))
	if seen.errors > 0 {
		return fmt.Errorf("a caller met %w", seen.first)
	}
	t.say("The customer is in the other cluster, at one of its nodes:")
	return t.show(ctx, "locate customers "+aCustomer+" --linearizable", 0)
}

// noticed is what callers notice of a move.
type noticed struct {
	calls, errors uint64
	first         error
	longest       time.Duration // of the writes
}

// keepCalling has callers read and write customers until the result is called,
// which tells what they have noticed. No call of theirs is under way then.
func keepCalling(ctx context.Context, c *client.Client) func() noticed {
	going, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	var mu sync.Mutex
	var all noticed
	for range movers {
		group.Go(func() {
			for going.Err() == nil {
				key := fmt.Appendf(nil, "c-%05d", rand.IntN(customers))
				began := time.Now()
				_, token, err := c.Put(ctx, "customers", cairn.Write{Operation: cairn.Merge, Key: key}, cairn.RequestID{})
				took := time.Since(began)
				if err == nil {
					_, _, err = c.Locate(ctx, "customers", key, cairn.Reading{Freshness: cairn.Freshness{Level: cairn.AtLeast, Token: token}})
				}
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				all.calls += 2
				all.longest = max(all.longest, took)
				if err != nil {
					all.errors++
					all.first = err
				}
				mu.Unlock()
			}
		})
	}
	return func() noticed {
		stop()
		group.Wait()
		return all
	}
}
