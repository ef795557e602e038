package plan_test

import (
	"errors"
	"testing"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/plan"
)

// TestCheck changes one thing after another between a plan and its use: the
// plan is refused exactly where it touches that.
func TestCheck(t *testing.T) {
	s := newScene(t, 1, 1, 1, 0).keyspace(hashed, []int{0, 0, 0, 0, 1, 1, 2, 2}, []int{400, 100, 5, 4, 0, 1, 250, 250}).keyspace(ranged, []int{3}, []int{1})
	s.load(hashed, 1, 800)
	in := all(s.input())
	in.Settings.ShardsPerCluster = 2
	in.Settings.Measure = plan.ByLoad()
	p := mustMake(t, in)
	t.Log("\n" + lines(p))
	kinds := map[plan.StepKind]plan.Step{}
	for _, step := range p.Steps {
		kinds[step.Kind] = step
	}
	if len(kinds) != 3 {
		t.Fatal("the plan shall have a step of each kind")
	}
	touch := func(id cairn.ShardID) func(m *shardmap.Map) shardmap.Update {
		return func(m *shardmap.Map) shardmap.Update {
			shard, _ := m.Shard(hashed, id)
			shard.Pinned, shard.Revision = true, m.Revision()+1
			return shardmap.Update{Set: []shardmap.Shard{shard}}
		}
	}
	redeclare := func(edit func(c *catalog.Catalog, revision uint64) catalog.Edit) func(m *shardmap.Map) shardmap.Update {
		return func(m *shardmap.Map) shardmap.Update {
			next, err := m.Catalog().With(edit(m.Catalog(), m.Revision()+1))
			if err != nil {
				t.Fatal(err)
			}
			return shardmap.Update{Catalog: next}
		}
	}
	cluster := func(name string) func(m *shardmap.Map) shardmap.Update {
		return redeclare(func(c *catalog.Catalog, revision uint64) catalog.Edit {
			k, _ := c.ClusterByName(name)
			changed := *k
			changed.Revision = revision
			return catalog.Edit{SetClusters: []*catalog.Cluster{&changed}}
		})
	}
	for _, test := range []struct {
		name    string
		change  func(m *shardmap.Map) shardmap.Update
		refused bool
	}{
		{"nothing", func(*shardmap.Map) shardmap.Update { return shardmap.Update{} }, false},
		{"the shard of a move", touch(kinds[plan.Move].Shard), true},
		{"the shard of a split", touch(kinds[plan.Split].Shard), true},
		{"the left shard of a merge", touch(kinds[plan.Merge].Shard), true},
		{"the right shard of a merge", touch(kinds[plan.Merge].With), true},
		{"a shard that no step touches", touch(8), false},
		{"where a move leads from", cluster(kinds[plan.Move].From), true},
		{"where a move leads to", cluster(kinds[plan.Move].To), true},
		{"a cluster that no move touches", cluster("c3"), false},
		{"the keyspace's declaration", redeclare(func(c *catalog.Catalog, revision uint64) catalog.Edit {
			k, _ := c.KeyspaceByUID(hashed)
			changed := *k
			changed.Revision, changed.ModRevision = revision, revision
			return catalog.Edit{SetKeyspaces: []*catalog.Keyspace{&changed}}
		}), true},
		{"the keyspace's bookkeeping, as by a split elsewhere", redeclare(func(c *catalog.Catalog, revision uint64) catalog.Edit {
			k, _ := c.KeyspaceByUID(hashed)
			changed := *k
			changed.ModRevision, changed.NextShard = revision, changed.NextShard+1
			return catalog.Edit{SetKeyspaces: []*catalog.Keyspace{&changed}}
		}), false},
		{"a keyspace that no step touches", redeclare(func(c *catalog.Catalog, revision uint64) catalog.Edit {
			return catalog.Edit{RemoveKeyspaces: []cairn.UID{ranged}}
		}), false},
		{"the keyspace, deleted", redeclare(func(c *catalog.Catalog, revision uint64) catalog.Edit {
			return catalog.Edit{RemoveKeyspaces: []cairn.UID{hashed}}
		}), true},
		{"the right shard of a merge, gone", func(m *shardmap.Map) shardmap.Update {
			change, err := shardmap.Merge(m, hashed, kinds[plan.Merge].Shard)
			if err != nil {
				t.Fatal(err)
			}
			update, err := change.Update(m.Revision()+1, m.Catalog())
			if err != nil {
				t.Fatal(err)
			}
			return update
		}, true},
	} {
		update := test.change(in.Map)
		update.Revision = in.Map.Revision() + 1
		m, err := in.Map.Apply(update)
		if err != nil {
			t.Fatal(test.name, err)
		}
		err = p.Check(m)
		if got := cairn.ReasonOf(err); got != map[bool]string{true: "PLAN_STALE"}[test.refused] {
			t.Errorf("%s: %v", test.name, err)
		}
		if e, ok := errors.AsType[*cairn.Error](err); ok && (e.Kind != cairn.KindConflict || e.Field == "") {
			t.Errorf("%s: a %s of field %q", test.name, e.Kind, e.Field)
		}
	}
	p.Revision = in.Map.Revision() + 1
	if err := p.Check(in.Map); cairn.KindOf(err) != cairn.KindStale {
		t.Errorf("a map older than the plan: %v", err)
	}
}

// TestCheckNamesWhatIsNotListed holds that a file that was edited is not
// followed where it leaves the plan.
func TestCheckNamesWhatIsNotListed(t *testing.T) {
	for field, change := range map[string]func(s *plan.Step){
		"steps[0].keyspace": func(s *plan.Step) { s.Keyspace = "other" },
		"steps[0].from":     func(s *plan.Step) { s.From = "other" },
		"steps[0].to":       func(s *plan.Step) { s.To = "other" },
	} {
		in := all(newScene(t, 1, 1).keyspace(hashed, times(2, 0), times(2, 100)).input())
		p := mustMake(t, in)
		change(&p.Steps[0])
		e, ok := errors.AsType[*cairn.Error](p.Check(in.Map))
		if !ok || e.Field != field || e.Reason != "PLAN_MALFORMED" {
			t.Errorf("%s: %v", field, e)
		}
	}
}
