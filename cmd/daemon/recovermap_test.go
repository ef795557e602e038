package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/rebuild"
)

// routes is a keyspace by ranges of keys, beside orders.
func routes() *cairnv1.Resource {
	return &cairnv1.Resource{Resource: &cairnv1.Resource_Keyspace{Keyspace: &cairnv1.Keyspace{
		Name:       "keyspaces/routes",
		Placement:  &cairnv1.Placement{Scheme: cairnv1.Placement_RANGE, InitialSplits: [][]byte{[]byte("g"), []byte("p")}},
		Attributes: map[string]*cairnv1.Attribute{"length": {Type: cairnv1.Attribute_INT}},
		Mover:      "external",
	}}}
}

// declared is all that layer 1 says, without what may change when it is written anew:
// epochs and revisions.
func (c *caller) declared() (out []string) {
	c.t.Helper()
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, name := range []string{keyspaceName, "keyspaces/routes"} {
		k, err := c.admin.GetKeyspace(c.context(), &cairnv1.GetKeyspaceRequest{Name: name})
		if err != nil {
			c.t.Fatal(err)
		}
		say("%s %s mover %q, %v by %v", k.Name, k.Uid, k.Mover, k.Attributes, k.Placement)
		page, err := c.admin.ListShards(c.context(), &cairnv1.ListShardsRequest{Parent: name})
		if err != nil {
			c.t.Fatal(err)
		}
		for _, s := range page.Shards {
			say("%s [%x, %x) of %s, pinned %t", s.Name, s.Start, s.End, s.Cluster, s.Pinned)
		}
	}
	for _, name := range []string{"north", "south"} {
		cluster, err := c.admin.GetCluster(c.context(), &cairnv1.GetClusterRequest{Name: "clusters/" + name})
		if err != nil {
			c.t.Fatal(err)
		}
		say("%s %s in %s with %v at %v", cluster.Name, cluster.Uid, cluster.Zone, cluster.Nodes, cluster.IndexReplicas)
	}
	view, err := c.admin.GetView(c.context(), &cairnv1.GetViewRequest{Name: "views/by-amount"})
	if err != nil {
		c.t.Fatal(err)
	}
	say("%s %s of %s: %s by %s", view.Name, view.Uid, view.Keyspace, view.Filter, view.Sort)
	return out
}

// moved moves a shard to the other cluster.
func (c *caller) moved(shard string) {
	c.t.Helper()
	m := &moving{caller: c}
	page, err := c.admin.ListShards(c.context(), &cairnv1.ListShardsRequest{Parent: keyspaceName})
	if err != nil {
		c.t.Fatal(err)
	}
	at := slices.IndexFunc(page.Shards, func(s *cairnv1.Shard) bool { return s.Name == shard })
	m.moveShard(page.Shards[at], func() {})
}

// TestRecoverMap has etcd lose everything, and the map made again out of the indexes:
// every key is where it was, what was declared is again, tokens hold, and writes, views
// and moves go on.
func TestRecoverMap(t *testing.T) {
	s := startSpread(t)
	external := orders()
	external.GetKeyspace().Mover = "external"
	s.apply(external, routes(), ordersByAmount())
	s.mustWrite(0, 500)
	s.expectView()
	if _, err := s.admin.SplitShard(s.context(), &cairnv1.SplitShardRequest{Name: keyspaceName + "/shards/3"}); err != nil {
		t.Fatal(err)
	}
	s.moved(keyspaceName + "/shards/3")
	s.moved(keyspaceName + "/shards/5")
	for _, name := range []string{keyspaceName + "/shards/7", "keyspaces/routes/shards/2"} {
		if _, err := s.admin.PinShard(s.context(), &cairnv1.PinShardRequest{Name: name, Pinned: true}); err != nil {
			t.Fatal(err)
		}
	}
	token := s.put(500)
	_, latest := s.epochs()
	before := s.declared()

	// While they run, indexes do not take the loss for a map.
	client, err := newEtcdClient([]string{s.etcd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := etcdstore.Clear(t.Context(), client, etcdstore.DefaultPrefix); err != nil {
		t.Fatal(err)
	}
	for _, index := range s.indexes {
		index.says("it has lost what it held")
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	s.stopEtcd()
	s.router.terminate(syscall.SIGTERM)
	s.indexes["north"].terminate(syscall.SIGTERM)
	s.indexes["south"].kill()
	etcdForTest(t, t.TempDir(), strings.TrimPrefix(s.etcd, "http://"))

	config := RecoverMapConfig{
		Dirs: []string{s.configs["north"].Data, s.configs["south"].Data}, Etcd: []string{s.etcd}, MostWrites: 100_000,
		Raised: func(uint64, uint64) {}, Log: slog.New(slog.DiscardHandler),
	}
	half := config
	half.Dirs = config.Dirs[:1]
	plan, err := PlanMap(half)
	if err != nil || cairn.ReasonOf(plan.Check()) != "MAP_GAPS" {
		t.Fatalf("half of the indexes have the whole map: %v", err)
	}
	if plan, err = PlanMap(config); err != nil {
		t.Fatal(err)
	}
	few := config
	few.MostWrites = 10
	if _, err := RecoverMap(t.Context(), plan, few); cairn.ReasonOf(err) != "REVISION_BEHIND" {
		t.Errorf("more writes than allowed: %v", err)
	}
	s.recoverMap(plan, config)
	if _, err := RecoverMap(t.Context(), plan, config); cairn.ReasonOf(err) != "MAP_PRESENT" {
		t.Errorf("over a map that is there: %v", err)
	}
	config.Replace = etcdstore.DefaultPrefix
	s.recoverMap(plan, config)

	for name := range s.indexes {
		s.indexes[name] = start(t, s.configs[name])
		s.indexes[name].ready()
	}
	s.router = start(t, child{Kind: "router", Etcd: []string{s.etcd}, Data: s.routerData})
	s.caller = call(t, s.router.ready().Listen)
	s.expect(upTo(501))
	s.wantFound(500, token)
	if least, _ := s.epochs(); least <= latest {
		t.Errorf("an epoch of %d, and %d was there before", least, latest)
	}
	if after := s.declared(); !slices.Equal(after, before) {
		t.Errorf("declared is\n%s\nand was\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	s.mustWrite(501, 700)
	s.moved(keyspaceName + "/shards/9")
	s.expect(upTo(700))
	s.expectView()
	if _, err := s.admin.SplitShard(s.context(), &cairnv1.SplitShardRequest{Name: keyspaceName + "/shards/1"}); err != nil {
		t.Error(err)
	}
	s.expect(upTo(700))
	s.terminate()
}

func (s *spread) recoverMap(plan *rebuild.Plan, config RecoverMapConfig) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if _, err := RecoverMap(ctx, plan, config); err != nil {
		s.t.Fatal(err)
	}
}
