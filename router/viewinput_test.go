package router_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"cairn"
	"cairn/router/internal/bed"
	"cairn/shardmap/catalog"
)

// TestViewInputIsChecked names the field that is wrong.
func TestViewInputIsChecked(t *testing.T) {
	v := newViewBed(t)
	page, err := v.QueryView(t.Context(), cairn.PageQuery{Selection: all, OrderBy: []string{"size"}, Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	cursor := page.NextCursor
	building := catalog.View{UID: 78, Name: "new", Keyspace: v.view.Keyspace, Building: &catalog.ViewVersion{Number: 1}}
	if err := v.SetView(building); err != nil {
		t.Fatal(err)
	}
	v.topology.CatchUp()
	query := func(change func(*cairn.PageQuery)) error {
		q := cairn.PageQuery{Selection: all}
		change(&q)
		_, err := v.QueryView(t.Context(), q)
		return err
	}
	group := func(by ...string) error {
		_, err := v.GroupView(t.Context(), cairn.GroupQuery{Selection: all, By: by})
		return err
	}
	aggregate := func(attribute string) error {
		_, err := v.AggregateView(t.Context(), all, attribute)
		return err
	}
	count := func(s cairn.Selection) error {
		_, err := v.CountView(t.Context(), s)
		return err
	}
	_, noKey := v.ExplainView(t.Context(), theView, nil, cairn.Freshness{})
	_, noTop := v.GroupView(t.Context(), cairn.GroupQuery{Selection: all, By: []string{"size"}, Top: -1})
	_, noKeyspace := v.CountWhere(t.Context(), "none", "", cairn.Freshness{})
	noProgress := v.ViewProgress(t.Context(), "none")[0].Err
	deliver := func(cairn.ExportPiece) error { return nil }
	for name, each := range map[string]struct {
		err    error
		kind   cairn.Kind
		reason string
		field  string
	}{
		"no view":             {count(cairn.Selection{}), cairn.KindInvalid, "VIEW_MISSING", "view"},
		"unknown view":        {count(cairn.Selection{View: "none"}), cairn.KindNotFound, "VIEW_NOT_FOUND", "view"},
		"progress of none":    {noProgress, cairn.KindNotFound, "VIEW_NOT_FOUND", "view"},
		"a view not built":    {count(cairn.Selection{View: "new"}), cairn.KindUnavailable, "VIEW_BUILDING", ""},
		"unknown level":       {count(cairn.Selection{View: theView, Freshness: cairn.Freshness{Level: 9}}), cairn.KindInvalid, "LEVEL_UNKNOWN", "freshness"},
		"bad where":           {count(cairn.Selection{View: theView, Where: "size >"}), cairn.KindInvalid, "FILTER_SYNTAX", "where"},
		"page too large":      {query(func(q *cairn.PageQuery) { q.Limit = 10_001 }), cairn.KindInvalid, "PAGE_SIZE", "page_size"},
		"negative page":       {query(func(q *cairn.PageQuery) { q.Limit = -1 }), cairn.KindInvalid, "PAGE_SIZE", "page_size"},
		"negative offset":     {query(func(q *cairn.PageQuery) { q.Offset = -1 }), cairn.KindInvalid, "OFFSET_OUT_OF_RANGE", "offset"},
		"offset and cursor":   {query(func(q *cairn.PageQuery) { q.Offset, q.Cursor = 1, cursor }), cairn.KindInvalid, "OFFSET_WITH_CURSOR", "offset"},
		"no cursor":           {query(func(q *cairn.PageQuery) { q.Cursor = "x" }), cairn.KindInvalid, "CURSOR_MALFORMED", "cursor"},
		"another order":       {query(func(q *cairn.PageQuery) { q.Cursor = cursor }), cairn.KindInvalid, "CURSOR_MISMATCH", "cursor"},
		"another where":       {query(func(q *cairn.PageQuery) { q.Cursor, q.OrderBy, q.Where = cursor, []string{"size"}, "live" }), cairn.KindInvalid, "CURSOR_MISMATCH", "cursor"},
		"unknown order":       {query(func(q *cairn.PageQuery) { q.OrderBy = []string{"-sise"} }), cairn.KindInvalid, "ATTRIBUTE_UNKNOWN", "order_by"},
		"unindexed order":     {query(func(q *cairn.PageQuery) { q.OrderBy = []string{"note"} }), cairn.KindInvalid, "ATTRIBUTE_UNINDEXED", "order_by"},
		"an order twice":      {query(func(q *cairn.PageQuery) { q.OrderBy = []string{"size", "-size"} }), cairn.KindInvalid, "SORT_TWICE", "order_by"},
		"a long order":        {query(func(q *cairn.PageQuery) { q.OrderBy = make([]string, 5) }), cairn.KindInvalid, "SORT_TOO_LONG", "order_by"},
		"unknown field":       {query(func(q *cairn.PageQuery) { q.Fields = []string{"sise"} }), cairn.KindInvalid, "ATTRIBUTE_UNKNOWN", "fields"},
		"a field twice":       {query(func(q *cairn.PageQuery) { q.Fields = []string{"note", "note"} }), cairn.KindInvalid, "ATTRIBUTE_TWICE", "fields"},
		"no group":            {group(), cairn.KindInvalid, "GROUP_BY_ATTRIBUTES", "group_by"},
		"three groups":        {group("size", "live", "colour"), cairn.KindInvalid, "GROUP_BY_ATTRIBUTES", "group_by"},
		"unknown group":       {group("sise"), cairn.KindInvalid, "ATTRIBUTE_UNKNOWN", "group_by"},
		"unindexed group":     {group("note"), cairn.KindInvalid, "ATTRIBUTE_UNINDEXED", "group_by"},
		"a group twice":       {group("size", "size"), cairn.KindInvalid, "ATTRIBUTE_TWICE", "group_by"},
		"negative top":        {noTop, cairn.KindInvalid, "TOP_OUT_OF_RANGE", "top"},
		"unknown attribute":   {aggregate("sise"), cairn.KindInvalid, "ATTRIBUTE_UNKNOWN", "attribute"},
		"unindexed":           {aggregate("note"), cairn.KindInvalid, "ATTRIBUTE_UNINDEXED", "attribute"},
		"no key":              {noKey, cairn.KindInvalid, "KEY_EMPTY", "key"},
		"unknown keyspace":    {noKeyspace, cairn.KindNotFound, "KEYSPACE_NOT_FOUND", "keyspace"},
		"export of none":      {v.ExportView(t.Context(), "none", "c0", deliver), cairn.KindNotFound, "VIEW_NOT_FOUND", "view"},
		"export from none":    {v.ExportView(t.Context(), theView, "none", deliver), cairn.KindNotFound, "CLUSTER_NOT_FOUND", "cluster"},
		"export of a new one": {v.ExportView(t.Context(), "new", "c0", deliver), cairn.KindUnavailable, "VIEW_BUILDING", ""},
	} {
		e, typed := errors.AsType[*cairn.Error](each.err)
		if !typed || e.Kind != each.kind || e.Reason != each.reason || e.Field != each.field {
			t.Errorf("%s: %v (%s, %s); want %s, %s in %q", name, each.err, cairn.KindOf(each.err), cairn.ReasonOf(each.err), each.kind, each.reason, each.field)
		}
	}
	for name, err := range map[string]error{
		"order": query(func(q *cairn.PageQuery) { q.OrderBy = []string{"-sise"} }), "field": query(func(q *cairn.PageQuery) { q.Fields = []string{"sise"} }),
		"group": group("sise"), "aggregate": aggregate("sise"),
	} {
		if !strings.Contains(err.Error(), "did you mean size?") {
			t.Errorf("%s: %q does not say what may have been meant", name, err)
		}
	}
	if got := count(cairn.Selection{View: "new"}).Error(); !strings.Contains(got, "new") || !strings.Contains(got, "cairn get views") {
		t.Errorf("%q does not help", got)
	}
	if got := v.ViewProgress(t.Context(), "new")[0]; got.Err != nil || got.Serving != 0 || got.Building != 1 || got.Done != 100 || got.Total != 100 {
		t.Errorf("%+v", got)
	}
}

// TestAViewThatGoes while a sequence of its pages is read.
func TestAViewThatGoes(t *testing.T) {
	v := newViewBed(t)
	query := cairn.PageQuery{Selection: all, Limit: 5}
	page, err := v.QueryView(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.RemoveView(v.view.UID); err != nil {
		t.Fatal(err)
	}
	v.NoteAll()
	query.Cursor = page.NextCursor
	_, err = v.QueryView(t.Context(), query)
	requireError(t, err, cairn.KindNotFound, "VIEW_NOT_FOUND", theView)

	again := v.view
	again.UID++
	if err := v.SetView(again); err != nil {
		t.Fatal(err)
	}
	v.topology.CatchUp()
	_, err = v.QueryView(t.Context(), query)
	requireError(t, err, cairn.KindInvalid, "CURSOR_MISMATCH", "start again")
}

// TestExports come from one cluster, whole, and are not begun again.
func TestExports(t *testing.T) {
	v := newViewBed(t)
	exported := map[string]int{}
	for _, cluster := range []string{"c0", "c1"} {
		var answer cairn.Answer
		if err := v.ExportView(t.Context(), theView, cluster, func(piece cairn.ExportPiece) error {
			for _, key := range piece.Keys {
				exported[string(key)]++
			}
			answer = piece.Answer
			return nil
		}); err != nil || answer.Index == 0 {
			t.Fatal(answer, err)
		}
	}
	if len(exported) != 90 {
		t.Errorf("%d members", len(exported))
	}
	stop := errors.New("enough")
	if err := v.ExportView(t.Context(), theView, "c0", func(cairn.ExportPiece) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	faults := rotate([]bed.Fault{bed.Unreachable, bed.None, bed.LostReply})
	v.Faults = func(name string, call bed.Call) bed.Fault {
		if call == bed.CallExport {
			return faults(name, call)
		}
		return bed.None
	}
	count := func(cairn.ExportPiece) error { exported["pieces"]++; return nil }
	if err := v.ExportView(t.Context(), theView, "c0", count); err != nil || exported["pieces"] != 2 {
		t.Errorf("%d pieces, %v", exported["pieces"], err)
	}
	exported["pieces"] = 0
	if err := v.ExportView(t.Context(), theView, "c0", count); cairn.KindOf(err) != cairn.KindUnavailable || exported["pieces"] != 1 {
		t.Errorf("%d pieces, %v", exported["pieces"], err)
	}
}

// TestProgressAsksOnce asks each owner once about all views, and again only
// where it did not answer.
func TestProgressAsksOnce(t *testing.T) {
	v := newViewBed(t)
	names := []string{theView}
	for i := range 5 {
		name := fmt.Sprintf("more-%d", i)
		view := catalog.View{UID: cairn.UID(100 + i), Name: name, Keyspace: v.view.Keyspace, Building: &catalog.ViewVersion{Number: 1}}
		if err := v.SetView(view); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	v.topology.CatchUp()
	var mu sync.Mutex
	asked := map[string]int{}
	v.Faults = func(cluster string, call bed.Call) bed.Fault {
		if call != bed.CallStatus {
			return bed.None
		}
		mu.Lock()
		defer mu.Unlock()
		if asked[cluster]++; cluster == "c1" && asked[cluster] == 1 {
			return bed.Unreachable
		}
		return bed.None
	}
	for i, progress := range v.ViewProgress(t.Context(), names...) {
		if progress.Err != nil || progress.Total != 100 || len(progress.Missing) > 0 {
			t.Errorf("%s: %+v", names[i], progress)
		}
	}
	if want := map[string]int{"c0": 1, "c1": 2}; !maps.Equal(asked, want) {
		t.Errorf("asked %v times, want %v", asked, want)
	}
}
