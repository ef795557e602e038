package server_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/router/admin"
	"cairn/router/server"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
	"cairn/views/filter"
)

// administrate is the Admin service over a real etcd, of a stack whose indexes
// say nothing.
func administrate(t *testing.T, change func(*admin.Config)) (cairnv1.AdminClient, *etcdstore.Store) {
	t.Helper()
	etcd := etcdtest.Start(t)
	store, err := etcdstore.Open(timeout(t), etcdstore.Config{Client: etcd.Client(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	config := admin.Config{
		Store: store,
		Status: func(context.Context, *catalog.Cluster, uint64) (cairn.IndexStatus, error) {
			return cairn.IndexStatus{}, cairn.Errorf(cairn.KindUnavailable, "", "no index")
		},
		CheckFilter: func(expression string, schema *cairn.Schema) ([]cairn.AttributeID, string, error) {
			f, err := filter.Parse(expression, schema, filter.View, time.Time{})
			if err != nil {
				return nil, "", err
			}
			return nil, f.String(), nil
		},
	}
	change(&config)
	return cairnv1.NewAdminClient(serve(t, 1, 1, server.Config{Admin: admin.New(config)}).raw(t)), store
}

func viewOf(name, filter string) *cairnv1.Resource {
	return &cairnv1.Resource{Resource: &cairnv1.Resource_View{View: &cairnv1.View{
		Name: name, Keyspace: "keyspaces/runways", Filter: filter, Sort: []string{"-length"}, Fields: []string{"length"},
	}}}
}

func TestViewsOverTheWire(t *testing.T) {
	c, store := administrate(t, func(config *admin.Config) {
		config.Progress = func(_ context.Context, names ...string) (all []cairn.ViewProgress) {
			for _, name := range names {
				all = append(all, cairn.ViewProgress{Done: 3, Total: 9, Members: 7, Bytes: 100, Refusal: map[string]string{"b": "full"}[name]})
			}
			return all
		}
		config.CountWhere = func(_ context.Context, _, where string) (uint64, error) { return uint64(len(where)), nil }
	})
	ctx := timeout(t)
	base := []*cairnv1.Resource{
		{Resource: &cairnv1.Resource_Cluster{Cluster: &cairnv1.Cluster{Name: "clusters/north", Nodes: []*cairnv1.Node{{Name: "a", Address: "a:1"}}}}},
		{Resource: &cairnv1.Resource_Keyspace{Keyspace: &cairnv1.Keyspace{
			Name: "keyspaces/runways", Placement: &cairnv1.Placement{Scheme: cairnv1.Placement_HASH},
			Attributes: map[string]*cairnv1.Attribute{"length": {Type: cairnv1.Attribute_INT}},
		}}},
	}
	if _, err := c.Apply(ctx, &cairnv1.ApplyRequest{Resources: append(base, viewOf("views/a", "length > 1"), viewOf("views/b", ""), viewOf("views/c", ""))}); err != nil {
		t.Fatal(err)
	}
	v, err := c.GetView(ctx, &cairnv1.GetViewRequest{Name: "views/a"})
	if err != nil {
		t.Fatal(err)
	}
	if v.GetName() != "views/a" || v.GetKeyspace() != "keyspaces/runways" || v.GetFilter() != "length > 1" || !slices.Equal(v.GetSort(), []string{"-length"}) ||
		!slices.Equal(v.GetFields(), []string{"length"}) || v.GetState() != cairnv1.View_BUILDING || v.GetServingVersion() != 0 || v.GetBuildingVersion() != 1 ||
		v.GetBuilt() != 3 || v.GetTotal() != 9 || v.GetMembers() != 7 || v.GetBytes() != 100 || v.GetUid() == "" || v.GetRevision() == 0 || v.GetProblem() != "" {
		t.Errorf("%v", v)
	}
	standing, _ := store.Map().Catalog().ViewByName("a")
	flip, err := shardmap.Flip(store.Map(), standing.UID, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Commit(ctx, flip); err != nil {
		t.Fatal(err)
	}
	if v, err = c.GetView(ctx, &cairnv1.GetViewRequest{Name: "views/a"}); err != nil || v.GetState() != cairnv1.View_SERVING || v.GetServingVersion() != 1 || v.GetBuildingVersion() != 0 {
		t.Errorf("%v, %v", v, err)
	}
	another := &cairnv1.ApplyRequest{Resources: []*cairnv1.Resource{viewOf("views/a", "length > 10")}, ValidateOnly: true}
	shown, err := c.Apply(ctx, another)
	// What is counted is the conditions' length: 10, 11, and both within what joins them.
	if err != nil || shown.GetChanges()[0].GetMembership() == nil {
		t.Fatalf("%v, %v", shown, err)
	}
	another.ValidateOnly, another.Plan = false, shown.GetPlan()
	if applied, err := c.Apply(ctx, another); err != nil || applied.GetChanges()[0].GetMembership() != nil {
		t.Errorf("%v, %v", applied, err)
	}
	if v, err = c.GetView(ctx, &cairnv1.GetViewRequest{Name: "views/a"}); err != nil || v.GetState() != cairnv1.View_REPLACING || v.GetBuildingVersion() != 2 {
		t.Errorf("%v, %v", v, err)
	}

	var names, problems []string
	for token := ""; ; {
		page, err := c.ListViews(ctx, &cairnv1.ListViewsRequest{PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.GetViews() {
			names, problems = append(names, v.GetName()), append(problems, v.GetProblem())
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if !slices.Equal(names, []string{"views/a", "views/b", "views/c"}) || !slices.Equal(problems, []string{"", "full", ""}) {
		t.Errorf("%q, %q", names, problems)
	}
	for range 2 {
		_, err = c.DeleteView(ctx, &cairnv1.DeleteViewRequest{Name: "views/c"})
	}
	if status.Code(err) != codes.NotFound {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestBadViews(t *testing.T) {
	c, _ := administrate(t, func(*admin.Config) {})
	ctx := timeout(t)
	apply := func(v *cairnv1.View) error {
		return second(c.Apply(ctx, &cairnv1.ApplyRequest{Resources: []*cairnv1.Resource{{Resource: &cairnv1.Resource_View{View: v}}}}))
	}
	for name, each := range map[string]struct {
		err    error
		code   codes.Code
		reason string
		field  string
	}{
		"bare name":       {apply(&cairnv1.View{Name: "a"}), codes.InvalidArgument, "RESOURCE_NAME", "resources[0].name"},
		"bare keyspace":   {apply(&cairnv1.View{Name: "views/a", Keyspace: "b"}), codes.InvalidArgument, "RESOURCE_NAME", "resources[0].keyspace"},
		"no such one":     {apply(&cairnv1.View{Name: "views/a", Keyspace: "keyspaces/b"}), codes.FailedPrecondition, "KEYSPACE_NOT_FOUND", "views/a.keyspace"},
		"get":             {second(c.GetView(ctx, &cairnv1.GetViewRequest{Name: "a"})), codes.InvalidArgument, "RESOURCE_NAME", "name"},
		"get what is not": {second(c.GetView(ctx, &cairnv1.GetViewRequest{Name: "views/a"})), codes.NotFound, "VIEW_NOT_FOUND", "name"},
		"delete":          {second(c.DeleteView(ctx, &cairnv1.DeleteViewRequest{Name: "keyspaces/a"})), codes.InvalidArgument, "RESOURCE_NAME", "name"},
		"page size":       {second(c.ListViews(ctx, &cairnv1.ListViewsRequest{PageSize: 1001})), codes.InvalidArgument, "PAGE_SIZE", "page_size"},
		"page token":      {second(c.ListViews(ctx, &cairnv1.ListViewsRequest{PageToken: "x"})), codes.InvalidArgument, "PAGE_TOKEN_MALFORMED", "page_token"},
	} {
		if status.Code(each.err) != each.code {
			t.Errorf("%s: %v", name, each.err)
			continue
		}
		if e := rpcerr.FromError(each.err); e.Reason != each.reason || e.Field != each.field {
			t.Errorf("%s: %s in %s; want %s in %s", name, e.Reason, e.Field, each.reason, each.field)
		}
	}
}
