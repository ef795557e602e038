package daemon

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
)

// TestAdminRefusesBadInput checks code, reason and field of what Admin gets
// wrong, over a socket and as it travels.
func TestAdminRefusesBadInput(t *testing.T) {
	p := start(t, child{Kind: "dev", Data: t.TempDir()})
	c := call(t, p.ready().Listen)
	sixty := func(name string) *cairnv1.Resource {
		return &cairnv1.Resource{Resource: &cairnv1.Resource_Keyspace{Keyspace: &cairnv1.Keyspace{
			Name: "keyspaces/" + name, Placement: &cairnv1.Placement{Scheme: cairnv1.Placement_HASH, InitialShards: 60},
		}}}
	}
	noCluster := func() error {
		_, err := c.admin.Apply(c.context(), &cairnv1.ApplyRequest{Resources: []*cairnv1.Resource{sixty("early")}})
		return err
	}()
	c.apply(cluster("north"), cluster("south"), sixty("first"), sixty("second"))
	shards := func(req *cairnv1.ListShardsRequest) (string, error) {
		response, err := c.admin.ListShards(c.context(), req)
		return response.GetNextPageToken(), err
	}
	shardsToken, err := shards(&cairnv1.ListShardsRequest{Parent: "keyspaces/first", PageSize: 7})
	if err != nil || shardsToken == "" {
		t.Fatalf("a page of shards: %q, %v", shardsToken, err)
	}
	clusters, err := c.admin.ListClusters(c.context(), &cairnv1.ListClustersRequest{PageSize: 1})
	if err != nil || clusters.GetNextPageToken() == "" {
		t.Fatalf("a page of clusters: %v, %v", clusters, err)
	}
	apply := func(resources ...*cairnv1.Resource) error {
		_, err := c.admin.Apply(c.context(), &cairnv1.ApplyRequest{Resources: resources})
		return err
	}
	changed := func(change func(*cairnv1.Cluster)) error {
		resource := cluster("west")
		change(resource.GetCluster())
		return apply(resource)
	}
	getKeyspace := func(name string) error {
		_, err := c.admin.GetKeyspace(c.context(), &cairnv1.GetKeyspaceRequest{Name: name})
		return err
	}
	listKeyspaces := func(size int32, token string) error {
		_, err := c.admin.ListKeyspaces(c.context(), &cairnv1.ListKeyspacesRequest{PageSize: size, PageToken: token})
		return err
	}
	listShards := func(parent string, size int32, token string) error {
		_, err := shards(&cairnv1.ListShardsRequest{Parent: parent, PageSize: size, PageToken: token})
		return err
	}
	split := func(name string) error {
		_, err := c.admin.SplitShard(c.context(), &cairnv1.SplitShardRequest{Name: name})
		return err
	}
	merge := func(name string) error {
		_, err := c.admin.MergeShards(c.context(), &cairnv1.MergeShardsRequest{Name: name})
		return err
	}
	deleteCluster := func(name string) error {
		_, err := c.admin.DeleteCluster(c.context(), &cairnv1.DeleteClusterRequest{Name: name})
		return err
	}
	deleteKeyspace := func(name string) error {
		_, err := c.admin.DeleteKeyspace(c.context(), &cairnv1.DeleteKeyspaceRequest{Name: name})
		return err
	}
	indexStatus := func(name string) error {
		_, err := c.admin.GetIndexStatus(c.context(), &cairnv1.GetIndexStatusRequest{Cluster: name})
		return err
	}
	getCluster := func(name string) error {
		_, err := c.admin.GetCluster(c.context(), &cairnv1.GetClusterRequest{Name: name})
		return err
	}
	tooMany := make([]*cairnv1.Resource, 1_001)
	for i := range tooMany {
		tooMany[i] = cluster("north")
	}
	const invalid = codes.InvalidArgument
	for what, each := range map[string]struct {
		err           error
		code          codes.Code
		reason, field string
	}{
		"a keyspace without a cluster": {noCluster, codes.FailedPrecondition, "CLUSTERS_MISSING", "keyspaces/early"},
		"no name":                      {getKeyspace(""), invalid, "RESOURCE_NAME", "name"},
		"a bare name":                  {getKeyspace("first"), invalid, "RESOURCE_NAME", "name"},
		"a name of two parts":          {getKeyspace("keyspaces/first/shards"), invalid, "RESOURCE_NAME", "name"},
		"another kind's name":          {getCluster("keyspaces/first"), invalid, "RESOURCE_NAME", "name"},
		"no such keyspace":             {getKeyspace("keyspaces/none"), codes.NotFound, "KEYSPACE_NOT_FOUND", "name"},
		"no such cluster":              {getCluster("clusters/none"), codes.NotFound, "CLUSTER_NOT_FOUND", "name"},
		"status of no such cluster":    {indexStatus("clusters/none"), codes.NotFound, "CLUSTER_NOT_FOUND", "cluster"},
		"shards of no such keyspace":   {listShards("keyspaces/none", 0, ""), codes.NotFound, "KEYSPACE_NOT_FOUND", "parent"},
		"deleting no such keyspace":    {deleteKeyspace("keyspaces/none"), codes.NotFound, "KEYSPACE_NOT_FOUND", "name"},
		"deleting no such cluster":     {deleteCluster("clusters/none"), codes.NotFound, "CLUSTER_NOT_FOUND", "name"},
		"deleting a cluster in use":    {deleteCluster("clusters/north"), codes.FailedPrecondition, "IN_USE", "clusters/north"},
		"a shard without a number":     {split("keyspaces/first/shards/x"), invalid, "RESOURCE_NAME", "name"},
		"a shard with a sign":          {split("keyspaces/first/shards/+1"), invalid, "RESOURCE_NAME", "name"},
		"a shard with leading zeros":   {split("keyspaces/first/shards/01"), invalid, "RESOURCE_NAME", "name"},
		"no such shard":                {split("keyspaces/first/shards/99"), codes.NotFound, "SHARD_NOT_FOUND", "name"},
		"merging no such shard":        {merge("keyspaces/first/shards/99"), codes.NotFound, "SHARD_NOT_FOUND", "name"},
		"a page size below 0":          {listKeyspaces(-1, ""), invalid, "PAGE_SIZE", "page_size"},
		"a page size over 1,000":       {listKeyspaces(1_001, ""), invalid, "PAGE_SIZE", "page_size"},
		"a page size over 10,000":      {listShards("keyspaces/first", 10_001, ""), invalid, "PAGE_SIZE", "page_size"},
		"a page token that is none":    {listKeyspaces(0, "Zmlyc3Q"), invalid, "PAGE_TOKEN_MALFORMED", "page_token"},
		"shards by no token":           {listShards("keyspaces/first", 0, "AAAA"), invalid, "PAGE_TOKEN_MALFORMED", "page_token"},
		"another listing's token":      {listKeyspaces(0, clusters.GetNextPageToken()), invalid, "PAGE_TOKEN_MALFORMED", "page_token"},
		"another keyspace's token":     {listShards("keyspaces/second", 0, shardsToken), invalid, "PAGE_TOKEN_MISMATCH", "page_token"},
		"an empty apply":               {apply(), invalid, "RESOURCES_MISSING", "resources"},
		"1,001 resources":              {apply(tooMany...), invalid, "RESOURCES_TOO_MANY", "resources"},
		"an empty resource":            {apply(&cairnv1.Resource{}), invalid, "RESOURCE_EMPTY", "resources[0]"},
		"a resource twice":             {apply(cluster("north"), cluster("north")), invalid, "RESOURCE_TWICE", "clusters/north"},
		"a cluster without nodes":      {changed(func(c *cairnv1.Cluster) { c.Nodes = nil }), invalid, "NODES_MISSING", "clusters/west.nodes"},
		"an index replica twice":       {changed(func(c *cairnv1.Cluster) { c.IndexReplicas = []string{"a:1", "a:1"} }), invalid, "ADDRESS_TWICE", "clusters/west.index.replicas[1]"},
		"a state that there is not":    {changed(func(c *cairnv1.Cluster) { c.Nodes[1].State = 9 }), invalid, "STATE_UNKNOWN", "resources[0].nodes[1].state"},
		"a plan that was not shown":    {second(c.admin.Apply(c.context(), &cairnv1.ApplyRequest{Resources: []*cairnv1.Resource{cluster("east")}, Plan: "x"})), invalid, "PLAN_MALFORMED", "plan"},
	} {
		s := status.Convert(each.err)
		typed := rpcerr.FromError(each.err)
		explained := false
		for _, detail := range s.Details() {
			info, ok := detail.(*errdetails.ErrorInfo)
			explained = explained || ok && info.GetDomain() == rpcerr.Domain && info.GetReason() == each.reason
		}
		if s.Code() != each.code || !explained || typed.Field != each.field {
			t.Errorf("%s: got %v (%+v); want %s, %s, field %q", what, s, typed, each.code, each.reason, each.field)
		}
	}
	for _, name := range []string{"keyspaces/first", "keyspaces/second"} {
		if err := deleteKeyspace(name); err != nil {
			t.Errorf("delete %s, which has no entries: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestLoggedNamesAreBounded(t *testing.T) {
	many := new(cairnv1.ApplyRequest)
	for range 1_000 {
		many.Resources = append(many.Resources, cluster("north"))
	}
	if got := named(many); len(got) > loggedNames+30 || !strings.HasSuffix(got, " more") {
		t.Errorf("%d bytes, ending in %q", len(got), got[max(0, len(got)-20):])
	}
	if got := named(&cairnv1.GetClusterRequest{Name: strings.Repeat("x", 1<<20)}); len(got) > 30 {
		t.Errorf("%d bytes of a name", len(got))
	}
	if got := named(&cairnv1.ApplyRequest{Resources: []*cairnv1.Resource{cluster("north"), cluster("south")}}); got != "clusters/north,clusters/south" {
		t.Error(got)
	}
}

// TestPagesOfAdminFitAMessage lists shards with the longest bounds there can
// be: no page is over 1 MiB, and each shard is shown once.
func TestPagesOfAdminFitAMessage(t *testing.T) {
	p := start(t, child{Kind: "dev", Data: t.TempDir()})
	c := call(t, p.ready().Listen)
	const splits = 950
	keyspace := &cairnv1.Keyspace{Name: "keyspaces/wide", Placement: &cairnv1.Placement{Scheme: cairnv1.Placement_RANGE}}
	for i := range splits {
		keyspace.Placement.InitialSplits = append(keyspace.Placement.InitialSplits, fmt.Appendf(bytes.Repeat([]byte{'k'}, 1016), "%08d", i))
	}
	c.apply(cluster("north"), &cairnv1.Resource{Resource: &cairnv1.Resource_Keyspace{Keyspace: keyspace}})
	seen := map[string]bool{}
	for token := ""; ; {
		page, err := c.admin.ListShards(c.context(), &cairnv1.ListShardsRequest{Parent: keyspace.Name, PageSize: 10_000, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		if size := proto.Size(page); size > 1<<20 {
			t.Errorf("a page of %d bytes", size)
		}
		for _, shard := range page.GetShards() {
			if seen[shard.GetName()] {
				t.Errorf("%s twice", shard.GetName())
			}
			seen[shard.GetName()] = true
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if len(seen) != splits+1 {
		t.Errorf("%d shards; want %d", len(seen), splits+1)
	}
}
