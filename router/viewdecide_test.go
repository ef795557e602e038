package router

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"cairn"
	"cairn/shardmap/catalog"
	"cairn/views/page"
)

// TestGroupsMergeExactly compares with a map.
func TestGroupsMergeExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runs := make([]*page.Run[cairn.Group], rapid.IntRange(0, 5).Draw(t, "clusters"))
		want := map[[2]int64]int{}
		const absent = 9
		for i := range runs {
			runs[i] = &page.Run[cairn.Group]{}
			for a := range int64(absent + 1) {
				for b := range int64(absent + 1) {
					count := rapid.IntRange(-20, 3).Draw(t, "count")
					if count <= 0 {
						continue
					}
					group := cairn.Group{Values: make([]cairn.Value, 2), Count: count}
					for at, n := range []int64{a, b} {
						if n != absent {
							group.Values[at] = cairn.Int(n)
						}
					}
					runs[i].Rows = append(runs[i].Rows, group)
					want[[2]int64{a, b}] += count
				}
			}
		}
		got, err := mergeGroups(runs)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d groups, %v; want %d", len(got), err, len(want))
		}
		for i, group := range got {
			var key [2]int64
			for at, v := range group.Values {
				if key[at] = v.Int(); v.Type() == cairn.TypeNull {
					key[at] = absent
				}
			}
			if group.Count != want[key] {
				t.Fatalf("%v: %d; want %d", group.Values, group.Count, want[key])
			}
			if i > 0 && compareGroups(&got[i-1], &group) >= 0 {
				t.Fatalf("%v after %v", group.Values, got[i-1].Values)
			}
		}
		top := rapid.IntRange(1, 20).Draw(t, "top")
		most := topOf(slices.Clone(got), top)
		if len(most) != min(top, len(got)) || !slices.IsSortedFunc(most, func(a, b cairn.Group) int { return b.Count - a.Count }) {
			t.Fatalf("the top %d: %v", top, most)
		}
		if len(most) > 0 {
			least := most[len(most)-1]
			for _, group := range got {
				left := !slices.ContainsFunc(most, func(g cairn.Group) bool { return compareGroups(&g, &group) == 0 })
				if left && (group.Count > least.Count || group.Count == least.Count && compareGroups(&group, &least) < 0) {
					t.Fatalf("%v is not in the top %v", group, most)
				}
			}
		}
	})
}

// TestTooManyGroups counts them after they are joined.
func TestTooManyGroups(t *testing.T) {
	groups := func(from, to int) *page.Run[cairn.Group] {
		run := &page.Run[cairn.Group]{}
		for i := from; i < to; i++ {
			run.Rows = append(run.Rows, cairn.Group{Values: []cairn.Value{cairn.Int(int64(i))}, Count: 1})
		}
		return run
	}
	if got, err := mergeGroups([]*page.Run[cairn.Group]{groups(0, cairn.MaxGroups), groups(0, cairn.MaxGroups)}); err != nil || len(got) != cairn.MaxGroups {
		t.Errorf("%d groups, %v", len(got), err)
	}
	_, err := mergeGroups([]*page.Run[cairn.Group]{groups(0, cairn.MaxGroups), groups(1, cairn.MaxGroups+1)})
	e, typed := errors.AsType[*cairn.Error](err)
	if !typed || e.Kind != cairn.KindExhausted || e.Reason != "GROUPS_TOO_MANY" || e.Field != "group_by" {
		t.Error(err)
	}
}

// TestWhoseFaultItIs names the cluster, but not where the question is wrong.
func TestWhoseFaultItIs(t *testing.T) {
	q := &question{}
	q.directory = &directory{members: []member{{cluster: &catalog.Cluster{UID: 1, Name: "north"}}}}
	p := &viewPart{}
	p.owner.Cluster = 1
	for _, each := range []struct {
		refusal *cairn.Error
		want    string
	}{
		{asError(context.DeadlineExceeded), "cluster north did not answer in time: context deadline exceeded"},
		{asError(context.Canceled), "context canceled"},
		{cairn.Errorf(cairn.KindCorrupt, "BROKEN", "broken"), "cluster north: broken"},
		{cairn.Invalid("where", "FILTER_SYNTAX", "what?"), "where: what?"},
		{&cairn.Error{Kind: cairn.KindExhausted, Reason: "GROUPS_TOO_MANY", Field: "group_by", Err: errors.New("many")}, "group_by: many"},
	} {
		got := q.blame(p, each.refusal)
		if got.Error() != each.want || got.Kind != each.refusal.Kind || got.Reason != each.refusal.Reason {
			t.Errorf("%q (%s, %s); want %q", got, got.Kind, got.Reason, each.want)
		}
	}
}

// TestShareOfADeadline leaves time for the answer, and ends with its parent.
func TestShareOfADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Router{timeout: 10 * time.Second}
		whole := r.bounded(t.Context())
		part := whole.share()
		if deadline, _ := part.Deadline(); time.Until(deadline) != 8*time.Second {
			t.Errorf("%s of 10 s", time.Until(deadline))
		}
		time.Sleep(8 * time.Second)
		if !errors.Is(part.Err(), context.DeadlineExceeded) || whole.Err() != nil {
			t.Error(part.Err(), whole.Err())
		}
		part.end()
		rest := whole.share()
		done := rest.Done()
		whole.stop()
		<-done
		if !errors.Is(rest.Err(), context.Canceled) || !errors.Is(whole.Err(), context.Canceled) {
			t.Error(rest.Err(), whole.Err())
		}
		rest.end()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		short := r.bounded(ctx)
		if deadline, _ := short.Deadline(); time.Until(deadline) != time.Second {
			t.Errorf("%s of 1 s", time.Until(deadline))
		}
		short.end()
	})
}
