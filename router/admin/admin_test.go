package admin_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cairn"
	"cairn/router/admin"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// indexes answers for the node indexes: what each holds is said by the test.
type indexes struct {
	mu      sync.Mutex
	store   *etcdstore.Store
	entries map[cairn.ShardID]uint64
	nodes   map[cairn.NodeID]uint64
	reads   map[cairn.ShardID]float64
	on      map[cairn.ShardID]map[cairn.NodeID]uint64
	// views are what each cluster says of a view's version.
	views map[string]func(cairn.View) cairn.ViewState
	// withheld are clusters that serve nothing of what is theirs, kept what they keep.
	withheld map[string]bool
	kept     map[string][]cairn.ShardStatus
	// wrong has clusters behind a wrong address.
	wrong map[string]bool
	err   error
	// silent are the clusters that fail with err; nil for all.
	silent map[string]bool
	// asked are the epochs that were asked for.
	asked []uint64
	// meanwhile runs before an answer.
	meanwhile func()
}

func (x *indexes) status(ctx context.Context, cluster *catalog.Cluster, epoch uint64) (cairn.IndexStatus, error) {
	m, err := x.store.Wait(ctx, epoch)
	if err != nil {
		return cairn.IndexStatus{}, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked = append(x.asked, epoch)
	if x.meanwhile != nil {
		x.meanwhile()
	}
	status := cairn.IndexStatus{MapRevision: m.Revision(), NodeEntries: x.nodes}
	assignment := m.Assignment(cluster.UID)
	for _, view := range assignment.Views {
		if state := x.views[cluster.Name]; state != nil {
			status.Views = append(status.Views, state(view))
		}
	}
	for _, shard := range assignment.Shards {
		if x.wrong[cluster.Name] {
			shard.Epoch++
		}
		list := &status.Shards
		if x.withheld[cluster.Name] {
			list = &status.Withheld
		}
		*list = append(*list, cairn.ShardStatus{Keyspace: shard.Keyspace, Shard: shard.ID, Epoch: shard.Epoch, Entries: x.entries[shard.ID], Reads: x.reads[shard.ID], NodeEntries: x.on[shard.ID]})
	}
	status.Kept = x.kept[cluster.Name]
	if x.silent != nil && !x.silent[cluster.Name] {
		return status, nil
	}
	return status, x.err
}

func start(t *testing.T) (*admin.Admin, *indexes) {
	t.Helper()
	server := etcdtest.Start(t)
	store, err := etcdstore.Open(bounded(t), etcdstore.Config{Client: server.Client(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	x := &indexes{store: store, entries: map[cairn.ShardID]uint64{}}
	return x.admin(func(*admin.Config) {}), x
}

// admin is another Admin over the same indexes.
func (x *indexes) admin(change func(*admin.Config)) *admin.Admin {
	config := admin.Config{Store: x.store, Status: x.status, CheckFilter: checkFilter}
	change(&config)
	return admin.New(config)
}

func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func cluster(name string, nodes ...string) catalog.Resource {
	spec := &catalog.ClusterSpec{Name: name}
	for _, n := range nodes {
		spec.Nodes = append(spec.Nodes, catalog.NodeSpec{Name: n, Address: n + ":1"})
	}
	return catalog.Resource{Cluster: spec}
}

func hashed(name string, shards uint32) catalog.Resource {
	return catalog.Resource{Keyspace: &catalog.KeyspaceSpec{
		Name: name, Placement: cairn.Placement{Scheme: cairn.SchemeHash}, InitialShards: shards,
		Attributes: []catalog.AttributeSpec{{Name: "surface", Type: cairn.TypeString}},
	}}
}

func apply(t *testing.T, a *admin.Admin, resources ...catalog.Resource) admin.Applied {
	t.Helper()
	applied, err := a.Apply(bounded(t), resources, admin.ApplyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

func TestApplyInOneStep(t *testing.T) {
	a, _ := start(t)
	ctx := bounded(t)
	desired := []catalog.Resource{hashed("runways", 300), cluster("north", "a", "b"), cluster("south", "a")}
	shown, err := a.Apply(ctx, desired, admin.ApplyOptions{ValidateOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if shown.Revision != 0 || len(shown.Changes) != 3 {
		t.Errorf("shown: %+v", shown)
	}
	if _, err := a.GetKeyspace(ctx, "runways"); cairn.KindOf(err) != cairn.KindNotFound {
		t.Errorf("validated only, but there: %v", err)
	}
	applied, err := a.Apply(ctx, desired, admin.ApplyOptions{Plan: shown.Plan})
	if err != nil {
		t.Fatal(err)
	}
	k, err := a.GetKeyspace(ctx, "runways")
	if err != nil || k.ShardCount != 300 || k.Revision != applied.Revision {
		t.Errorf("%+v, %v", k, err)
	}
	clusters, more, err := a.ListClusters(ctx, "", 1)
	if err != nil || !more || len(clusters) != 1 || clusters[0].Name != "north" || clusters[0].ShardCount != 150 {
		t.Errorf("%+v, %v, %v", clusters, more, err)
	}
	clusters, more, err = a.ListClusters(ctx, "north", 1)
	if err != nil || more || len(clusters) != 1 || clusters[0].Name != "south" {
		t.Errorf("%+v, %v, %v", clusters, more, err)
	}
	if _, err := a.Apply(ctx, desired, admin.ApplyOptions{Plan: shown.Plan}); cairn.ReasonOf(err) != "PLAN_CHANGED" {
		t.Errorf("the old plan: %v", err)
	}
	again := apply(t, a, desired...)
	for _, c := range again.Changes {
		if c.Action != catalog.Unchanged {
			t.Errorf("again: %+v", c)
		}
	}
}

func TestApplyLosesToAnother(t *testing.T) {
	a, x := start(t)
	apply(t, a, cluster("north", "a", "b"))
	draining := cluster("north", "a", "b")
	draining.Cluster.Nodes[1].State = cairn.NodeDraining
	apply(t, a, draining)
	// While the index is asked about the node that goes, another operator acts.
	x.meanwhile = func() {
		x.meanwhile = nil
		x.mu.Unlock()
		apply(t, a, cluster("north", "a", "b", "c"))
		x.mu.Lock()
	}
	if _, err := a.Apply(bounded(t), []catalog.Resource{cluster("north", "a")}, admin.ApplyOptions{}); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("got %v", err)
	}
	c, err := a.GetCluster(bounded(t), "north")
	if err != nil || len(c.Nodes) != 3 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestRemoveNode(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a", "b"))
	draining := cluster("north", "a", "b")
	draining.Cluster.Nodes[1].State = cairn.NodeDraining
	revision := apply(t, a, draining).Revision
	x.nodes = map[cairn.NodeID]uint64{1: 9, 2: 3}
	gone := []catalog.Resource{cluster("north", "a")}
	_, err := a.Apply(ctx, gone, admin.ApplyOptions{})
	if cairn.ReasonOf(err) != "IN_USE" || !strings.Contains(err.Error(), "3 entries") {
		t.Errorf("in use: %v", err)
	}
	if x.asked[0] != revision {
		t.Errorf("asked at revision %d, draining since %d", x.asked[0], revision)
	}
	x.err = cairn.Errorf(cairn.KindUnavailable, "", "down")
	if _, err := a.Apply(ctx, gone, admin.ApplyOptions{}); cairn.KindOf(err) != cairn.KindUnavailable || !strings.Contains(err.Error(), "north") {
		t.Errorf("index down: %v", err)
	}
	x.err, x.nodes = nil, nil
	apply(t, a, gone...)
}

func TestDeleteKeyspace(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), hashed("runways", 4))
	x.entries[2] = 5
	var marked bool
	x.meanwhile = func() {
		k, _ := x.store.Map().Catalog().KeyspaceByName("runways")
		marked = k.Deleting && x.asked[len(x.asked)-1] >= k.Revision
	}
	err := a.DeleteKeyspace(ctx, "runways")
	if cairn.ReasonOf(err) != "IN_USE" || !strings.Contains(err.Error(), "5 entries") {
		t.Errorf("in use: %v", err)
	}
	if !marked {
		t.Error("the index was asked before it knew")
	}
	if k, err := a.GetKeyspace(ctx, "runways"); err != nil || k.Deleting {
		t.Errorf("the mark was not lifted: %+v, %v", k, err)
	}
	x.err = cairn.Errorf(cairn.KindUnavailable, "", "down")
	if err := a.DeleteKeyspace(ctx, "runways"); cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("index down: %v", err)
	}
	x.err, x.entries = nil, nil
	if err := a.DeleteKeyspace(ctx, "runways"); err != nil {
		t.Fatal(err)
	}
	if err := a.DeleteKeyspace(ctx, "runways"); cairn.KindOf(err) != cairn.KindNotFound {
		t.Errorf("deleted: %v", err)
	}
	if n, err := x.store.Sweep(ctx); n != 4 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	apply(t, a, hashed("runways", 2)) // a name can be used again
}

func TestDeleteCluster(t *testing.T) {
	a, _ := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), cluster("south", "a"), hashed("runways", 6))
	err := a.DeleteCluster(ctx, "south")
	if cairn.ReasonOf(err) != "IN_USE" || !strings.Contains(err.Error(), "3 of keyspace runways") {
		t.Errorf("in use: %v", err)
	}
	apply(t, a, cluster("west", "a"))
	if err := a.DeleteCluster(ctx, "west"); err != nil {
		t.Error(err)
	}
	if err := a.DeleteCluster(ctx, "west"); cairn.KindOf(err) != cairn.KindNotFound {
		t.Errorf("deleted: %v", err)
	}
}

func TestSplitAndMerge(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), hashed("runways", 4), catalog.Resource{Keyspace: &catalog.KeyspaceSpec{
		Name: "orders", Placement: cairn.Placement{Scheme: cairn.SchemeRange}, InitialSplits: [][]byte{[]byte("m")},
	}})
	x.entries[1] = 8
	left, right, err := a.SplitShard(ctx, "runways", 1, admin.SplitAt{})
	if err != nil {
		t.Fatal(err)
	}
	if left.ID != 1 || right.ID != 5 || string(left.End) != string(right.Start) || left.End[0] != 0x20 || left.Epoch != right.Epoch {
		t.Errorf("%v, %v", left, right)
	}
	if left.ClusterName != "north" || !left.EntriesKnown || left.Entries != 8 || right.Entries != 0 {
		t.Errorf("%+v, %+v", left, right)
	}
	page, next, err := a.ListShards(ctx, "runways", admin.ShardsAfter{}, 3)
	if err != nil || len(page) != 3 || next == nil || page[1].ID != 5 {
		t.Errorf("%v, %v, %v", page, next, err)
	}
	page, next, err = a.ListShards(ctx, "runways", *next, 3)
	if err != nil || len(page) != 2 || next != nil || page[1].ID != 4 {
		t.Errorf("%v, %v, %v", page, next, err)
	}
	merged, err := a.MergeShards(ctx, "runways", 1)
	if err != nil || merged.ID != 1 || merged.End[0] != 0x40 || merged.Epoch <= left.Epoch {
		t.Errorf("%v, %v", merged, err)
	}
	_, right, err = a.SplitShard(ctx, "orders", 1, admin.SplitAt{Key: cairn.Key("f")})
	if err != nil || string(right.Start) != "f" {
		t.Errorf("%v, %v", right, err)
	}
	x.err = cairn.Errorf(cairn.KindUnavailable, "", "down")
	if page, _, err := a.ListShards(ctx, "orders", admin.ShardsAfter{}, 10); err != nil || len(page) != 3 || page[0].EntriesKnown || page[0].ClusterName != "north" {
		t.Errorf("index down: %v, %v", page, err)
	}
	for reason, try := range map[string]func() error{
		"SPLIT_AT_MISSING":   func() error { _, _, err := a.SplitShard(ctx, "orders", 1, admin.SplitAt{}); return err },
		"SHARD_NOT_FOUND":    func() error { _, _, err := a.SplitShard(ctx, "orders", 99, admin.SplitAt{}); return err },
		"KEYSPACE_NOT_FOUND": func() error { _, err := a.MergeShards(ctx, "nowhere", 1); return err },
		"SHARD_LAST":         func() error { _, err := a.MergeShards(ctx, "orders", 2); return err },
		"KEY_TOO_LONG": func() error {
			_, _, err := a.SplitShard(ctx, "orders", 1, admin.SplitAt{Key: make(cairn.Key, cairn.MaxKeyLength+1)})
			return err
		},
		"SPLIT_AT_TWICE": func() error {
			_, _, err := a.SplitShard(ctx, "orders", 1, admin.SplitAt{Key: cairn.Key("a"), PlacementKey: []byte("a")})
			return err
		},
	} {
		if err := try(); cairn.ReasonOf(err) != reason {
			t.Errorf("want %s, got %v", reason, err)
		}
	}
}

// TestSplitErrorsAreReadable has bounds of a hash keyspace in hexadecimal, and
// names what is missing as a router does.
func TestSplitErrorsAreReadable(t *testing.T) {
	a, _ := start(t)
	apply(t, a, cluster("north", "a"), hashed("runways", 4))
	for want, try := range map[string]struct {
		keyspace string
		at       byte
	}{
		"at: 8000000000000000 is not in shard 2 [4000000000000000, 8000000000000000)": {"runways", 0x80},
		"at: shard 2 begins at 4000000000000000; the left half would be empty":        {"runways", 0x40},
		`there is no keyspace "nowhere"`:                                              {"nowhere", 0x60},
	} {
		_, _, err := a.SplitShard(bounded(t), try.keyspace, 2, admin.SplitAt{PlacementKey: []byte{try.at, 0, 0, 0, 0, 0, 0, 0}})
		if err == nil || err.Error() != want {
			t.Errorf("%v; want %s", err, want)
		}
	}
}

// TestShardPagesAcrossAMerge merges the shard at which the next page begins
// into one that was shown already.
func TestShardPagesAcrossAMerge(t *testing.T) {
	a, _ := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), hashed("runways", 4), hashed("orders", 4))
	_, next, err := a.ListShards(ctx, "runways", admin.ShardsAfter{}, 2)
	if err != nil || next == nil {
		t.Fatal(next, err)
	}
	if _, _, err := a.ListShards(ctx, "orders", *next, 2); cairn.ReasonOf(err) != "PAGE_TOKEN_MISMATCH" {
		t.Errorf("of another keyspace: %v", err)
	}
	if _, err := a.MergeShards(ctx, "runways", 2); err != nil {
		t.Fatal(err)
	}
	page, next, err := a.ListShards(ctx, "runways", *next, 2)
	if err != nil || next != nil || len(page) != 1 || page[0].ID != 4 {
		t.Errorf("%v, %v, %v; want shard 4 alone", page, next, err)
	}
}

// flaky is a store whose refreshes fail from the one counted failAt on, until
// it is mended.
type flaky struct {
	*etcdstore.Store
	refreshes, failAt, mendAt int
}

func (f *flaky) Refresh(ctx context.Context) (*shardmap.Map, error) {
	if f.refreshes++; f.refreshes >= f.failAt && f.refreshes < f.mendAt {
		return nil, cairn.Errorf(cairn.KindUnavailable, "ETCD_UNAVAILABLE", "etcd does not answer")
	}
	return f.Store.Refresh(ctx)
}

// TestDeletionThatBreaksOffTakesWritesAgain has etcd go away after the mark.
func TestDeletionThatBreaksOffTakesWritesAgain(t *testing.T) {
	a, x := start(t)
	apply(t, a, cluster("north", "a"), hashed("runways", 4))
	broken := admin.New(admin.Config{Store: &flaky{Store: x.store, failAt: 2, mendAt: 3}, Status: x.status})
	if err := broken.DeleteKeyspace(bounded(t), "runways"); cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("got %v", err)
	}
	if k, err := a.GetKeyspace(bounded(t), "runways"); err != nil || k.Deleting {
		t.Errorf("it still refuses writes: %+v, %v", k, err)
	}
}

// blind is a store that never sees what it has committed.
type blind struct{ *etcdstore.Store }

func (blind) Wait(context.Context, uint64) (*shardmap.Map, error) {
	return nil, cairn.Errorf(cairn.KindDeadline, "ETCD_TIMEOUT", "no shard map of a new enough revision, and the time is up")
}

func TestApplyThatIsNotSeenSaysThatItIsDone(t *testing.T) {
	a, x := start(t)
	_, err := admin.New(admin.Config{Store: blind{x.store}, Status: x.status}).Apply(bounded(t), []catalog.Resource{cluster("north", "a")}, admin.ApplyOptions{})
	if cairn.KindOf(err) != cairn.KindUnknown || cairn.ReasonOf(err) != "DONE_NOT_SEEN" || !strings.Contains(err.Error(), "took effect") {
		t.Errorf("got %v", err)
	}
	if _, err := a.GetCluster(bounded(t), "north"); err != nil {
		t.Error(err)
	}
}

// TestDeletionNeedsEveryShardCounted has an index answer that is not the
// owner's, as behind a wrong address: it can't vouch for the shards.
func TestDeletionNeedsEveryShardCounted(t *testing.T) {
	a, x := start(t)
	apply(t, a, cluster("north", "a"), hashed("runways", 4))
	stranger := admin.New(admin.Config{Store: x.store, Status: func(context.Context, *catalog.Cluster, uint64) (cairn.IndexStatus, error) {
		return cairn.IndexStatus{}, nil
	}})
	if err := stranger.DeleteKeyspace(bounded(t), "runways"); cairn.ReasonOf(err) != "SHARDS_NOT_COUNTED" {
		t.Errorf("got %v", err)
	}
	if k, err := a.GetKeyspace(bounded(t), "runways"); err != nil || k.Deleting {
		t.Errorf("%+v, %v", k, err)
	}
}
