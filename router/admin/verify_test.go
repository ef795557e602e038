package admin_test

import (
	"context"
	"testing"
	"time"

	"cairn"
	"cairn/router/admin"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// TestVerifyShard finds out each thing that can be different, and takes nothing that
// could not be compared for the same.
func TestVerifyShard(t *testing.T) {
	_, x := start(t)
	ctx := bounded(t)
	right := func(s shardmap.Shard) cairn.ShardCheck {
		d := cairn.Digest{Entries: 7, Sum: 9}
		return cairn.ShardCheck{Index: 50, Epoch: s.Epoch, Start: s.Start, End: s.End, Kept: d, Counted: d}
	}
	answer := map[string]func(shardmap.Shard) (cairn.ShardCheck, error){}
	var fence cairn.FenceState
	var staged cairn.Staged
	a := x.admin(func(c *admin.Config) {
		c.Identify = func(context.Context, string) (cairn.Identity, error) { return cairn.Identity{}, nil }
		c.Verify = func(_ context.Context, _ *catalog.Cluster, address string, s shardmap.Shard) (cairn.ShardCheck, error) {
			if answer[address] != nil {
				return answer[address](s)
			}
			return right(s), nil
		}
		c.Moving = func(context.Context, *shardmap.Map, shardmap.Move) (cairn.FenceState, cairn.Staged, error) {
			return fence, staged, nil
		}
	})
	apply(t, a, cluster("north", "a"), cluster("south", "a"), moving("things", 2))
	outcomes := func() map[string]admin.Check {
		t.Helper()
		checks, err := a.VerifyShard(ctx, "things", 1)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]admin.Check{}
		for _, c := range checks {
			out[c.What] = c
		}
		return out
	}
	if got := outcomes(); len(got) != 1 || got["index of north"].Outcome != admin.Same || got["index of north"].Digest.Entries != 7 {
		t.Errorf("all the same: %+v", got)
	}
	for name, test := range map[string]struct {
		change func(*cairn.ShardCheck)
		err    error
		want   admin.Outcome
	}{
		"another digest": {change: func(c *cairn.ShardCheck) { c.Kept.Sum++ }, want: admin.Different},
		"other bounds":   {change: func(c *cairn.ShardCheck) { c.End = []byte{1} }, want: admin.Different},
		"an older epoch": {change: func(c *cairn.ShardCheck) { c.Epoch-- }, want: admin.Different},
		"a newer epoch":  {change: func(c *cairn.ShardCheck) { c.Epoch++ }, want: admin.Unknown},
		"withheld":       {change: func(c *cairn.ShardCheck) { c.Withheld = true }, want: admin.Different},
		"not there":      {err: cairn.Errorf(cairn.KindStale, "NOT_OWNED", "not the cluster's"), want: admin.Different},
		"damaged":        {err: cairn.Errorf(cairn.KindCorrupt, "RECORD_CHECKSUM", "damaged"), want: admin.Different},
		"no answer":      {err: cairn.Errorf(cairn.KindUnavailable, "INDEX_GONE", "no answer"), want: admin.Unknown},
	} {
		answer[""] = func(s shardmap.Shard) (cairn.ShardCheck, error) {
			c := right(s)
			if test.change != nil {
				test.change(&c)
			}
			return c, test.err
		}
		if got := outcomes()["index of north"]; got.Outcome != test.want || got.Note == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	delete(answer, "")

	if _, err := a.MoveShard(ctx, "things", 1, "south", admin.MoveOptions{Keep: time.Minute}); err != nil {
		t.Fatal(err)
	}
	const what = "move to south"
	if got := outcomes()[what]; got.Outcome != admin.Unknown {
		t.Errorf("a move that has just begun: %+v", got)
	}
	fence = cairn.FenceState{On: true, Number: 3, Index: 60, Digest: cairn.Digest{Entries: 7, Sum: 9}}
	staged = cairn.Staged{Complete: true, Through: 60, Digest: fence.Digest}
	if got := outcomes()[what]; got.Outcome != admin.Same || got.Index != 60 {
		t.Errorf("a fenced one: %+v", got)
	}
	staged.Digest.Entries++
	if got := outcomes()[what]; got.Outcome != admin.Different {
		t.Errorf("a target that has more: %+v", got)
	}
	if _, err := a.VerifyShard(ctx, "things", 99); cairn.KindOf(err) != cairn.KindNotFound {
		t.Errorf("no such shard: %v", err)
	}
}

// TestVerifyReplicas compares replicas that answer for one log index.
func TestVerifyReplicas(t *testing.T) {
	_, x := start(t)
	ctx := bounded(t)
	counts := map[string]cairn.ShardCheck{}
	a := x.admin(func(c *admin.Config) {
		c.Verify = func(_ context.Context, _ *catalog.Cluster, address string, s shardmap.Shard) (cairn.ShardCheck, error) {
			count := counts[address]
			count.Epoch, count.Start, count.End, count.Kept = s.Epoch, s.Start, s.End, count.Counted
			return count, nil
		}
	})
	three := cluster("north", "a")
	three.Cluster.IndexReplicas = []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"}
	apply(t, a, three, moving("things", 1))
	for name, test := range map[string]struct {
		indexes, sums [3]uint64
		want          admin.Outcome
	}{
		"the same":            {[3]uint64{5, 5, 5}, [3]uint64{1, 1, 1}, admin.Same},
		"one differs":         {[3]uint64{5, 5, 5}, [3]uint64{1, 2, 1}, admin.Different},
		"one is behind":       {[3]uint64{5, 4, 5}, [3]uint64{1, 2, 1}, admin.Unknown},
		"one of two differs":  {[3]uint64{5, 4, 5}, [3]uint64{1, 2, 3}, admin.Different},
		"each at another one": {[3]uint64{5, 4, 3}, [3]uint64{1, 2, 3}, admin.Unknown},
	} {
		for i, address := range three.Cluster.IndexReplicas {
			counts[address] = cairn.ShardCheck{Index: test.indexes[i], Counted: cairn.Digest{Sum: test.sums[i]}}
		}
		checks, err := a.VerifyShard(ctx, "things", 1)
		if err != nil || len(checks) != 4 || checks[3].What != "replicas" || checks[3].Outcome != test.want {
			t.Errorf("%s: %+v, %v", name, checks, err)
		}
	}
}
