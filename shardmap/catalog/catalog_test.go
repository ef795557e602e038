package catalog

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn"
	"cairn/views/filter"
)

// means plan with the real filters.
var means = Means{NewUID: cairn.NewUID, CheckFilter: func(expression string, schema *cairn.Schema) ([]cairn.AttributeID, string, error) {
	f, err := filter.Parse(expression, schema, filter.View, time.Time{})
	if err != nil {
		return nil, "", err
	}
	var out []cairn.AttributeID
	for _, a := range f.Attributes() {
		out = append(out, a.ID)
	}
	return out, f.String(), nil
}}

func pointer(n uint32) *uint32 { return &n }

func newCluster(name string, nodes ...string) Resource {
	spec := &ClusterSpec{Name: name, Zone: "eu-1"}
	for _, n := range nodes {
		spec.Nodes = append(spec.Nodes, NodeSpec{Name: n, Address: n + ":5432"})
	}
	return Resource{Cluster: spec}
}

func newKeyspace(name string, attributes ...AttributeSpec) Resource {
	return Resource{Keyspace: &KeyspaceSpec{Name: name, Placement: cairn.Placement{Scheme: cairn.SchemeHash}, Attributes: attributes}}
}

// counted makes uids that a test can foresee.
func counted() func() cairn.UID {
	var n cairn.UID
	return func() cairn.UID { n++; return n }
}

// carryOut is the catalog after a plan, stored at a revision.
func carryOut(t interface{ Fatal(...any) }, c *Catalog, p *Plan, revision uint64) *Catalog {
	var edit Edit
	store := func(k *Keyspace) {
		next := *k
		next.Revision = 0
		stored, err := DecodeKeyspace(EncodeKeyspace(&next), revision)
		if err != nil {
			t.Fatal(err)
		}
		edit.SetKeyspaces = append(edit.SetKeyspaces, stored)
	}
	for _, k := range p.CreateKeyspaces {
		store(k.Keyspace)
	}
	for _, k := range p.UpdateKeyspaces {
		store(k)
	}
	for _, k := range p.SetClusters {
		stored, err := DecodeCluster(EncodeCluster(k), revision)
		if err != nil {
			t.Fatal(err)
		}
		edit.SetClusters = append(edit.SetClusters, stored)
	}
	for _, v := range p.SetViews {
		stored, err := DecodeView(EncodeView(v), revision)
		if err != nil {
			t.Fatal(err)
		}
		edit.SetViews = append(edit.SetViews, stored)
	}
	after, err := c.With(edit)
	if err != nil {
		t.Fatal(err)
	}
	return after
}

// apply plans and carries out.
func apply(t *testing.T, c *Catalog, revision uint64, desired ...Resource) (*Catalog, *Plan) {
	t.Helper()
	p, err := c.Plan(desired, means)
	if err != nil {
		t.Fatal(err)
	}
	return carryOut(t, c, p, revision), p
}

func TestPlanCreates(t *testing.T) {
	p, err := (&Catalog{}).Plan([]Resource{
		newKeyspace("runways", AttributeSpec{Name: "surface", Type: cairn.TypeString, Unindexed: true}),
		newCluster("north", "a", "b"),
	}, Means{NewUID: counted()})
	if err != nil {
		t.Fatal(err)
	}
	want := []ResourceChange{
		{Name: "clusters/north", Action: Create, Fields: []FieldChange{
			{"zone", "", "eu-1"}, {"weight", "", "1"},
			{"nodes.a.address", "", "a:5432"}, {"nodes.a.zone", "", "eu-1"}, {"nodes.a.weight", "", "1"}, {"nodes.a.state", "", "active"},
			{"nodes.b.address", "", "b:5432"}, {"nodes.b.zone", "", "eu-1"}, {"nodes.b.weight", "", "1"}, {"nodes.b.state", "", "active"},
		}},
		{Name: "keyspaces/runways", Action: Create, Fields: []FieldChange{
			{"placement.scheme", "", "hash"}, {"placement.initial_shards", "", "64"}, {"replicas", "", "1"},
			{"attributes.surface.type", "", "string"}, {"attributes.surface.index", "", "none"},
		}},
	}
	if diff := cmp.Diff(want, p.Changes); diff != "" {
		t.Error(diff)
	}
	k := p.CreateKeyspaces[0]
	if k.InitialShards != DefaultInitialShards || k.NextAttribute != 2 || k.UID == 0 {
		t.Errorf("%+v", k)
	}
}

func TestAttributeIDsAreNotUsedAgain(t *testing.T) {
	c, _ := apply(t, &Catalog{}, 1, newCluster("north", "a"))
	s := AttributeSpec{Name: "surface", Type: cairn.TypeString}
	n := AttributeSpec{Name: "length", Type: cairn.TypeInt}
	c, _ = apply(t, c, 2, newKeyspace("runways", s, n))
	c, p := apply(t, c, 3, newKeyspace("runways", n))
	if w := p.Changes[0].Warnings; len(w) != 1 || !strings.Contains(w[0], "surface") {
		t.Errorf("warnings %q", w)
	}
	c, _ = apply(t, c, 4, newKeyspace("runways", n, AttributeSpec{Name: "surface", Type: cairn.TypeInt}))
	k, _ := c.KeyspaceByName("runways")
	if a, _ := k.Schema.ByName("surface"); a.ID != 3 || a.Type != cairn.TypeInt {
		t.Errorf("the attribute that came back is %+v", a)
	}
	if k.Revision != 4 || k.ModRevision != 4 {
		t.Errorf("revisions %d, %d", k.Revision, k.ModRevision)
	}
}

func TestNodesComeAndGo(t *testing.T) {
	c, _ := apply(t, &Catalog{}, 1, newCluster("north", "a", "b"))
	draining := newCluster("north", "a", "b")
	draining.Cluster.Nodes[1].State = cairn.NodeDraining
	c, _ = apply(t, c, 2, draining)
	c, p := apply(t, c, 3, newCluster("north", "a"))
	if len(p.Removals) != 1 || p.Removals[0].Node.Name != "b" || p.Removals[0].Cluster.Revision != 2 {
		t.Errorf("removals %+v", p.Removals)
	}
	for entries, reason := range map[uint64]string{0: "", 7: "IN_USE"} {
		err := p.CheckRemovals(func(NodeRemoval) (uint64, error) { return entries, nil })
		if cairn.ReasonOf(err) != reason {
			t.Errorf("with %d entries: %v", entries, err)
		}
	}
	c, _ = apply(t, c, 4, newCluster("north", "a", "b"))
	cluster, _ := c.ClusterByName("north")
	if b, _ := cluster.NodeByName("b"); b.ID != 3 {
		t.Errorf("the node that came back is %+v", b)
	}
}

func TestPlanRefuses(t *testing.T) {
	c, _ := apply(t, &Catalog{}, 1, newCluster("north", "a", "b"), newCluster("south", "a", "b"))
	c, _ = apply(t, c, 2, newKeyspace("runways", AttributeSpec{Name: "surface", Type: cairn.TypeString}))
	keyspace := func(change func(*KeyspaceSpec)) []Resource {
		r := newKeyspace("roads")
		change(r.Keyspace)
		return []Resource{r}
	}
	cluster := func(change func(*ClusterSpec)) []Resource {
		r := newCluster("west", "a", "b")
		change(r.Cluster)
		return []Resource{r}
	}
	ranged := func(splits ...string) []Resource {
		return keyspace(func(k *KeyspaceSpec) {
			k.Placement.Scheme = cairn.SchemeRange
			for _, s := range splits {
				k.InitialSplits = append(k.InitialSplits, []byte(s))
			}
		})
	}
	other := func(index string) Resource {
		resource := newCluster("east", "a", "b")
		resource.Cluster.IndexReplicas = []string{index}
		return resource
	}
	for name, test := range map[string]struct {
		desired []Resource
		field   string
		reason  string
	}{
		"twice":              {[]Resource{newKeyspace("roads"), newKeyspace("roads")}, "keyspaces/roads", "RESOURCE_TWICE"},
		"empty":              {[]Resource{{}}, "resources", "RESOURCE_EMPTY"},
		"upper case":         {[]Resource{newKeyspace("Roads")}, "keyspaces/Roads.name", "NAME_MALFORMED"},
		"hyphen first":       {[]Resource{newCluster("-a", "a")}, "clusters/-a.name", "NAME_MALFORMED"},
		"long name":          {[]Resource{newCluster(strings.Repeat("a", 64), "a")}, "clusters/" + strings.Repeat("a", 64) + ".name", "NAME_MALFORMED"},
		"no nodes":           {[]Resource{newCluster("west")}, "clusters/west.nodes", "NODES_MISSING"},
		"node twice":         {[]Resource{newCluster("west", "a", "a")}, "clusters/west.nodes[1].name", "NODE_TWICE"},
		"address twice":      {cluster(func(c *ClusterSpec) { c.Nodes[1].Address = "a:5432" }), "clusters/west.nodes[1].address", "NODE_ADDRESS_TWICE"},
		"no address":         {cluster(func(c *ClusterSpec) { c.Nodes[1].Address = "" }), "clusters/west.nodes[1].address", "ADDRESS_MISSING"},
		"zone with a space":  {cluster(func(c *ClusterSpec) { c.Zone = "eu 1" }), "clusters/west.zone", "TEXT_NOT_PRINTABLE"},
		"replica no port":    {cluster(func(c *ClusterSpec) { c.IndexReplicas = []string{"127.0.0.1"} }), "clusters/west.index.replicas[0]", "ADDRESS_MALFORMED"},
		"replica port 0":     {cluster(func(c *ClusterSpec) { c.IndexReplicas = []string{"a:0"} }), "clusters/west.index.replicas[0]", "ADDRESS_MALFORMED"},
		"too many replicas":  {cluster(func(c *ClusterSpec) { c.IndexReplicas = strings.Fields("a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8") }), "clusters/west.index.replicas", "INDEX_REPLICAS_TOO_MANY"},
		"a replica twice":    {cluster(func(c *ClusterSpec) { c.IndexReplicas = []string{"a:1", "b:1", "a:1"} }), "clusters/west.index.replicas[2]", "ADDRESS_TWICE"},
		"replica of another": {[]Resource{cluster(func(c *ClusterSpec) { c.IndexReplicas = []string{"a:1"} })[0], other("a:1")}, "clusters/west.index.replicas[0]", "INDEX_REPLICA_TWICE"},
		"scheme":             {keyspace(func(k *KeyspaceSpec) { k.Placement.Scheme = 0 }), "keyspaces/roads.placement.scheme", "SCHEME_UNKNOWN"},
		"too many shards":    {keyspace(func(k *KeyspaceSpec) { k.InitialShards = 65_537 }), "keyspaces/roads.placement.initial_shards", "INITIAL_SHARDS_OUT_OF_RANGE"},
		"unsorted":           {ranged("b", "a"), "keyspaces/roads.placement.initial_splits[1]", "INITIAL_SPLITS_UNSORTED"},
		"overlap":            {ranged("a", "b", "b"), "keyspaces/roads.placement.initial_splits[2]", "INITIAL_SPLITS_OVERLAP"},
		"empty split":        {ranged(""), "keyspaces/roads.placement.initial_splits[0]", "KEY_EMPTY"},
		"17 replicas":        {keyspace(func(k *KeyspaceSpec) { k.Replicas = 17 }), "keyspaces/roads.replicas", "REPLICAS_OUT_OF_RANGE"},
		"replicas > nodes":   {keyspace(func(k *KeyspaceSpec) { k.Replicas = 3 }), "keyspaces/roads.replicas", "REPLICAS_OVER_NODES"},
		"mover":              {keyspace(func(k *KeyspaceSpec) { k.Mover = "rsync" }), "keyspaces/roads.mover", "MOVER_UNKNOWN"},
		"attribute name":     {[]Resource{newKeyspace("roads", AttributeSpec{Name: "a-b", Type: cairn.TypeInt})}, "keyspaces/roads.attributes.a-b", "ATTRIBUTE_NAME"},
		"attribute type":     {[]Resource{newKeyspace("runways", AttributeSpec{Name: "surface", Type: cairn.TypeInt})}, "keyspaces/runways.attributes.surface.type", "ATTRIBUTE_TYPE_CHANGED"},
		"scheme changed":     {[]Resource{{Keyspace: &KeyspaceSpec{Name: "runways", Placement: cairn.Placement{Scheme: cairn.SchemeRange}}}}, "keyspaces/runways.placement.scheme", "PLACEMENT_CHANGED"},
		"affinity changed":   {[]Resource{{Keyspace: &KeyspaceSpec{Name: "runways", Placement: cairn.Placement{Scheme: cairn.SchemeHash, Affinity: ":"}}}}, "keyspaces/runways.placement.affinity", "PLACEMENT_CHANGED"},
		"active node leaves": {[]Resource{newCluster("north", "a")}, "clusters/north.nodes.b", "NODE_NOT_DRAINING"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Plan(test.desired, means)
			if err == nil || cairn.ReasonOf(err) != test.reason {
				t.Fatalf("got %v, want %s", err, test.reason)
			}
			if e := err.(*cairn.Error); e.Field != test.field {
				t.Errorf("field %q, want %q (%v)", e.Field, test.field, err)
			}
		})
	}
	if _, err := (&Catalog{}).Plan([]Resource{newKeyspace("roads")}, means); cairn.ReasonOf(err) != "CLUSTERS_MISSING" {
		t.Errorf("no cluster: %v", err)
	}
	idle := newCluster("idle", "a")
	idle.Cluster.Weight = pointer(0)
	if _, err := (&Catalog{}).Plan([]Resource{newKeyspace("roads"), idle}, means); cairn.ReasonOf(err) != "CLUSTERS_MISSING" {
		t.Errorf("no cluster with a weight: %v", err)
	}
	many := slices.Repeat([]Resource{newKeyspace("roads")}, MaxResources+1)
	if _, err := c.Plan(many, means); cairn.ReasonOf(err) != "RESOURCES_TOO_MANY" {
		t.Errorf("too many: %v", err)
	}
}

// TestPlanIsFaithful declares at random, again and again: what was applied
// plans to nothing, the same plan has the same fingerprint, ids only grow.
func TestPlanIsFaithful(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &Catalog{}
		for revision := uint64(1); revision < 12; revision++ {
			desired := []Resource{drawCluster(t, "north"), drawCluster(t, "south")}
			if rapid.Bool().Draw(t, "with a keyspace") {
				desired = append(desired, drawKeyspace(t, "runways"))
				if rapid.Bool().Draw(t, "with a view") {
					desired = append(desired, drawView(t, "some"))
				}
			}
			desired = rapid.Permutation(desired).Draw(t, "order")
			p, err := c.Plan(desired, means)
			if err != nil {
				if k := cairn.KindOf(err); k != cairn.KindPrecondition && !strings.HasPrefix(err.(*cairn.Error).Field, "views/") {
					t.Fatalf("refused as %v: %v", k, err)
				}
				continue
			}
			again, err := c.Plan(rapid.Permutation(desired).Draw(t, "another order"), means)
			if err != nil || again.Fingerprint() != p.Fingerprint() || again.Matches(p.Fingerprint()) != nil {
				t.Fatalf("another fingerprint: %v", err)
			}
			before := c
			c = carryOut(t, c, p, revision)
			after, err := c.Plan(desired, means)
			if err != nil || !after.Empty() {
				t.Fatalf("applied, and yet to do: %v, %v", after.Changes, err)
			}
			if !p.Empty() {
				if err := after.Matches(p.Fingerprint()); cairn.KindOf(err) != cairn.KindConflict {
					t.Fatalf("the old plan still holds: %v", err)
				}
			}
			idsGrow(t, before, c)
			versionsGrow(t, before, c)
			if rapid.Bool().Draw(t, "flip") {
				c = flip(t, c, revision)
			}
			for _, cluster := range c.Clusters() {
				if r := (Resource{Cluster: cluster.Spec()}); r.Validate() != nil {
					t.Fatalf("a spec that is not valid: %v", r.Validate())
				}
			}
		}
	})
}

// idsGrow checks that what kept its id kept its name and type.
func idsGrow(t *rapid.T, before, after *Catalog) {
	for _, k := range after.Keyspaces() {
		old, found := before.KeyspaceByUID(k.UID)
		if !found {
			continue
		}
		for _, a := range k.Schema.Attributes() {
			if o, had := old.Schema.ByID(a.ID); had && (o.Name != a.Name || o.Type != a.Type) || !had && a.ID < old.NextAttribute {
				t.Fatalf("attribute %+v was %+v", a, o)
			}
		}
	}
	for _, c := range after.Clusters() {
		old, found := before.ClusterByUID(c.UID)
		if !found {
			continue
		}
		for _, n := range c.Nodes {
			if o, had := old.NodeByID(n.ID); had && o.Name != n.Name || !had && n.ID < old.NextNode {
				t.Fatalf("node %+v was %+v", n, o)
			}
		}
	}
}

func drawCluster(t *rapid.T, name string) Resource {
	r := newCluster(name)
	for i := range 4 {
		if !rapid.Bool().Draw(t, "node") {
			continue
		}
		r.Cluster.Nodes = append(r.Cluster.Nodes, NodeSpec{
			Name: fmt.Sprint("n", i), Address: fmt.Sprint("n", i, ":1"),
			State:  cairn.NodeState(rapid.IntRange(0, 3).Draw(t, "state")),
			Weight: rapid.SampledFrom([]*uint32{nil, pointer(0), pointer(5)}).Draw(t, "weight"),
		})
	}
	if len(r.Cluster.Nodes) == 0 {
		r.Cluster.Nodes = []NodeSpec{{Name: "only", Address: "only:1"}}
	}
	return r
}

func drawKeyspace(t *rapid.T, name string) Resource {
	r := newKeyspace(name)
	r.Keyspace.Replicas = rapid.Uint32Range(0, 2).Draw(t, "replicas")
	r.Keyspace.Mover = rapid.SampledFrom([]string{"", MoverExternal, "10.0.0.9:7733"}).Draw(t, "mover")
	for _, a := range []string{"a", "b", "c"} {
		if rapid.Bool().Draw(t, "attribute") {
			r.Keyspace.Attributes = append(r.Keyspace.Attributes, AttributeSpec{
				Name: a, Type: cairn.Type(rapid.IntRange(1, 2).Draw(t, "type")), Unindexed: rapid.Bool().Draw(t, "unindexed"),
			})
		}
	}
	return r
}

func TestFingerprintOfAnother(t *testing.T) {
	p, err := (&Catalog{}).Plan([]Resource{newCluster("north", "a")}, means)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{"x", "plan1", "plan1;clusters/north;00", "plan2;clusters/north@0;00"} {
		if err := p.Matches(shown); cairn.ReasonOf(err) != "PLAN_MALFORMED" {
			t.Errorf("%q: %v", shown, err)
		}
	}
	if err := p.Matches("plan1;clusters/north@0;00"); cairn.ReasonOf(err) != "PLAN_CHANGED" {
		t.Errorf("other changes: %v", err)
	}
	if err := p.Matches(""); err != nil {
		t.Error(err)
	}
}

func FuzzDecodeKeyspace(f *testing.F) {
	f.Add([]byte(`{"uid":"00000000000000ff","name":"runways","placement":{"scheme":"hash","affinity":":"},"replicas":1,"attributes":[{"id":1,"name":"surface","type":"string","unindexed":true}],"generation":1,"next_shard":65,"next_attribute":2}`))
	f.Add([]byte(`{"uid":"0","attributes":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := DecodeKeyspace(data, 9)
		if err != nil {
			if cairn.KindOf(err) != cairn.KindCorrupt {
				t.Fatal(err)
			}
			return
		}
		again, err := DecodeKeyspace(EncodeKeyspace(k), 9)
		if err != nil || !bytes.Equal(EncodeKeyspace(again), EncodeKeyspace(k)) {
			t.Fatalf("read back as %+v, %v", again, err)
		}
	})
}

func FuzzDecodeCluster(f *testing.F) {
	f.Add([]byte(`{"uid":"00000000000000ff","name":"north","weight":1,"nodes":[{"id":1,"name":"a","address":"a:1","weight":1,"state":"active"}],"next_node":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := DecodeCluster(data, 9)
		if err != nil {
			if cairn.KindOf(err) != cairn.KindCorrupt {
				t.Fatal(err)
			}
			return
		}
		again, err := DecodeCluster(EncodeCluster(c), 9)
		if err != nil || !cmp.Equal(c, again) {
			t.Fatalf("read back as %+v, %v", again, err)
		}
	})
}
