package server_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/router"
	"cairn/router/admin"
	"cairn/router/internal/bed"
	"cairn/router/server"
	"cairn/shardmap/catalog"
)

var _ server.Views = (*router.Router)(nil)

// serveViews has a view of the even things by size, "even", and one that is
// not built yet, "new".
func serveViews(t *testing.T) *served {
	t.Helper()
	s := serve(t, 3, 8, server.Config{Admin: admin.New(admin.Config{})})
	seeded(t, s)
	keyspace, found := s.bed.Map().Catalog().KeyspaceByName(bed.Things)
	if !found {
		t.Fatal("no keyspace")
	}
	size, _ := keyspace.Schema.ByName("size")
	version := &catalog.ViewVersion{Number: 1, Filter: "live", Sort: []cairn.SortField{{Attribute: size.ID, Descending: true}}}
	for _, view := range []catalog.View{
		{UID: 77, Name: "even", Keyspace: keyspace.UID, Serving: version},
		{UID: 78, Name: "new", Keyspace: keyspace.UID, Building: version},
	} {
		if err := s.bed.SetView(view); err != nil {
			t.Fatal(err)
		}
	}
	// A map that an index knows finds its way to the router.
	s.bed.NoteAll()
	s.topology.CatchUp()
	return s
}

// TestViewsOfRoutersAreAlike asks a router in the process and the same one
// through a client.
func TestViewsOfRoutersAreAlike(t *testing.T) {
	s := serveViews(t)
	remote := s.client(t)
	even := cairn.Selection{View: "even"}
	for name, query := range map[string]cairn.PageQuery{
		"pages":             {Selection: even, Limit: 7},
		"another order":     {Selection: even, OrderBy: []string{"colour", "-since"}, Limit: 3},
		"a condition":       {Selection: cairn.Selection{View: "even", Where: "size > 10 && since < now"}, Limit: 5, Fields: []string{"size", "weight"}},
		"an offset":         {Selection: even, Offset: 9, Limit: 4},
		"beyond the end":    {Selection: even, Offset: 1000},
		"linearizable":      {Selection: cairn.Selection{View: "even", Freshness: cairn.Freshness{Level: cairn.Linearizable}}},
		"allowed to be cut": {Selection: cairn.Selection{View: "even", Partial: true}},
	} {
		for pages := 0; ; pages++ {
			here, err := s.router.QueryView(timeout(t), query)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			there, err := remote.QueryView(timeout(t), query)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			// A cursor has the time of its query's first page.
			if (here.NextCursor == "") != (there.NextCursor == "") {
				t.Errorf("%s: the cursors are %q and %q", name, here.NextCursor, there.NextCursor)
			}
			next := there.NextCursor
			here.NextCursor, there.NextCursor = "", ""
			mustEqual(t, name, here, there)
			if query.Cursor, query.Offset = next, 0; next == "" || pages > 20 {
				break
			}
		}
	}
	if page, err := remote.QueryView(timeout(t), cairn.PageQuery{Selection: even, Explain: true}); err != nil || len(page.Plans) != 3 || page.Plans[0].Plan == "" || page.Plans[0].Rows == 0 {
		t.Errorf("plans: %+v, %v", page.Plans, err)
	}
	for _, where := range []string{"", "size > 10"} {
		selection := cairn.Selection{View: "even", Where: where}
		hereCount, err := s.router.CountView(timeout(t), selection)
		if err != nil {
			t.Fatal(err)
		}
		thereCount, err := remote.CountView(timeout(t), selection)
		if err != nil || hereCount.Count == 0 {
			t.Fatal(hereCount, err)
		}
		mustEqual(t, "count", hereCount, thereCount)
		for _, query := range []cairn.GroupQuery{{Selection: selection, By: []string{"colour"}}, {Selection: selection, By: []string{"size", "live"}, Top: 3}} {
			here, err := s.router.GroupView(timeout(t), query)
			if err != nil {
				t.Fatal(err)
			}
			there, err := remote.GroupView(timeout(t), query)
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "groups", here, there)
		}
		for _, attribute := range []string{"size", "weight", "colour", "live", "since"} {
			here, err := s.router.AggregateView(timeout(t), selection, attribute)
			if err != nil {
				t.Fatal(err)
			}
			there, err := remote.AggregateView(timeout(t), selection, attribute)
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "aggregation of "+attribute, here, there)
		}
	}
	for _, key := range []string{"k000:x", "k001:x", "nothing"} {
		here, err := s.router.ExplainView(timeout(t), "even", cairn.Key(key), cairn.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		there, err := remote.ExplainView(timeout(t), "even", cairn.Key(key), cairn.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "membership of "+key, renumbered(here), renumbered(there))
	}
	whole := func(v server.Views) (out cairn.ExportPiece) {
		if err := v.ExportView(timeout(t), "even", "c1", func(piece cairn.ExportPiece) error {
			out.Index, out.Bitmap, out.Keys = piece.Index, append(out.Bitmap, piece.Bitmap...), append(out.Keys, piece.Keys...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	here := whole(s.router)
	if mustEqual(t, "export", here, whole(remote)); len(here.Keys) == 0 {
		t.Error("nothing is exported")
	}
}

// renumbered has the attributes by name: a client numbers them itself.
func renumbered(m cairn.ViewMembership) (out []any) {
	out = append(out, m.Scattered, m.Cluster, m.Version, m.Filter, m.Membership.Found, m.Membership.Member, m.Membership.Truth)
	for _, d := range m.Membership.Deciding {
		name := m.Attributes[d.Attribute]
		d.Attribute = 0
		out = append(out, d, name)
	}
	return out
}

// TestBadViewInputIsNamed has a router check what the edge passes on.
func TestBadViewInputIsNamed(t *testing.T) {
	s := serveViews(t)
	api, administration := cairnv1.NewViewsClient(s.raw(t)), cairnv1.NewAdminClient(s.raw(t))
	const even, things = "views/even", "even"
	query := func(change func(*cairnv1.QueryRequest)) error {
		req := &cairnv1.QueryRequest{Selection: &cairnv1.Selection{View: even}}
		change(req)
		return second(api.Query(timeout(t), req))
	}
	group := func(top int32, by ...string) error {
		return second(api.GroupCount(timeout(t), &cairnv1.GroupCountRequest{Selection: &cairnv1.Selection{View: even}, GroupBy: by, Top: top}))
	}
	export := func(name, cluster string) error {
		stream, err := administration.ExportView(timeout(t), &cairnv1.ExportViewRequest{Name: name, Cluster: cluster})
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	first, err := api.Query(timeout(t), &cairnv1.QueryRequest{Selection: &cairnv1.Selection{View: even}, PageSize: 3})
	if err != nil {
		t.Fatal(err)
	}
	bad, none := codes.InvalidArgument, codes.NotFound
	for name, each := range map[string]struct {
		err           error
		code          codes.Code
		reason, field string
	}{
		"unknown view":        {query(func(q *cairnv1.QueryRequest) { q.Selection.View = "views/none" }), none, "VIEW_NOT_FOUND", "selection.view"},
		"unknown to explain":  {second(api.Explain(timeout(t), &cairnv1.ExplainRequest{View: "views/none", Key: []byte("k")})), none, "VIEW_NOT_FOUND", "view"},
		"a condition":         {query(func(q *cairnv1.QueryRequest) { q.Selection.Where = "size >" }), bad, "FILTER_SYNTAX", "selection.where"},
		"an order":            {query(func(q *cairnv1.QueryRequest) { q.OrderBy = []string{"-no"} }), bad, "ATTRIBUTE_UNKNOWN", "order_by"},
		"a page size":         {query(func(q *cairnv1.QueryRequest) { q.PageSize = 10_001 }), bad, "PAGE_SIZE", "page_size"},
		"a negative size":     {query(func(q *cairnv1.QueryRequest) { q.PageSize = -1 }), bad, "PAGE_SIZE", "page_size"},
		"a cursor":            {query(func(q *cairnv1.QueryRequest) { q.Cursor = "x" }), bad, "CURSOR_MALFORMED", "cursor"},
		"a cursor of another": {query(func(q *cairnv1.QueryRequest) { q.Cursor, q.OrderBy = first.GetNextCursor(), []string{"size"} }), bad, "CURSOR_MISMATCH", "cursor"},
		"an offset":           {query(func(q *cairnv1.QueryRequest) { q.Offset = -1 }), bad, "OFFSET_OUT_OF_RANGE", "offset"},
		"offset and cursor":   {query(func(q *cairnv1.QueryRequest) { q.Cursor, q.Offset = first.GetNextCursor(), 1 }), bad, "OFFSET_WITH_CURSOR", "offset"},
		"a field":             {query(func(q *cairnv1.QueryRequest) { q.Fields = []string{"no"} }), bad, "ATTRIBUTE_UNKNOWN", "fields"},
		"no group":            {group(0), bad, "GROUP_BY_ATTRIBUTES", "group_by"},
		"a group":             {group(0, "no"), bad, "ATTRIBUTE_UNKNOWN", "group_by"},
		"a top":               {group(-1, "size"), bad, "TOP_OUT_OF_RANGE", "top"},
		"an attribute":        {second(api.Aggregate(timeout(t), &cairnv1.AggregateRequest{Selection: &cairnv1.Selection{View: even}, Attribute: "no"})), bad, "ATTRIBUTE_UNKNOWN", "attribute"},
		"no attribute":        {second(api.Aggregate(timeout(t), &cairnv1.AggregateRequest{Selection: &cairnv1.Selection{View: even}})), bad, "ATTRIBUTE_UNKNOWN", "attribute"},
		"no key":              {second(api.Explain(timeout(t), &cairnv1.ExplainRequest{View: even})), bad, "KEY_EMPTY", "key"},
		"unknown to export":   {export("views/none", "clusters/c0"), none, "VIEW_NOT_FOUND", "name"},
		"unknown cluster":     {export(even, "clusters/none"), none, "CLUSTER_NOT_FOUND", "cluster"},
		"not built yet":       {second(api.Count(timeout(t), &cairnv1.CountRequest{Selection: &cairnv1.Selection{View: "views/new"}})), codes.Unavailable, "VIEW_BUILDING", ""},
	} {
		hasDetails(t, name, status.Convert(each.err), each.code, each.reason)
		if got := rpcerr.FromError(each.err).Field; got != each.field {
			t.Errorf("%s: field %q; want %q", name, got, each.field)
		}
	}
	remote := s.client(t)
	for _, query := range []cairn.PageQuery{
		{Selection: cairn.Selection{View: "none"}}, {Selection: cairn.Selection{View: things, Where: "size >"}}, {Selection: cairn.Selection{View: things}, OrderBy: []string{"no"}},
		{Selection: cairn.Selection{View: things}, Limit: -1}, {Selection: cairn.Selection{View: things}, Offset: -1}, {Selection: cairn.Selection{View: things}, Cursor: "x"},
	} {
		_, here := s.router.QueryView(timeout(t), query)
		_, there := remote.QueryView(timeout(t), query)
		mustFailAlike(t, "query", here, there)
	}
	began := time.Now()
	for _, v := range []server.Views{s.router, remote} {
		err := v.ExportView(timeout(t), "none", "c0", func(cairn.ExportPiece) error { return nil })
		if e := rpcerr.FromError(err); e == nil || e.Reason != "VIEW_NOT_FOUND" || e.Field != "view" {
			t.Errorf("export of none: %+v", e)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("refusals took %s", took)
	}
}
