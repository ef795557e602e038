package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/router/admin"
	"cairn/router/client"
	"cairn/router/server"
)

// known is a router whose answers are known. It notes what it was asked.
type known struct {
	page        cairn.ViewPage
	count       cairn.ViewCount
	groups      cairn.ViewGroups
	aggregation cairn.ViewAggregation
	membership  cairn.ViewMembership
	pieces      []cairn.ExportPiece
	err         error
	asked       any
}

var (
	_ server.Views = (*client.Client)(nil)
	_ server.Views = (*known)(nil)
)

func (k *known) QueryView(_ context.Context, query cairn.PageQuery) (cairn.ViewPage, error) {
	k.asked = query
	return k.page, k.err
}

func (k *known) CountView(_ context.Context, selection cairn.Selection) (cairn.ViewCount, error) {
	k.asked = selection
	return k.count, k.err
}

func (k *known) GroupView(_ context.Context, query cairn.GroupQuery) (cairn.ViewGroups, error) {
	k.asked = query
	return k.groups, k.err
}

func (k *known) AggregateView(_ context.Context, selection cairn.Selection, attribute string) (cairn.ViewAggregation, error) {
	k.asked = []any{selection, attribute}
	return k.aggregation, k.err
}

func (k *known) ExplainView(_ context.Context, view string, key cairn.Key, freshness cairn.Freshness) (cairn.ViewMembership, error) {
	k.asked = []any{view, key, freshness}
	return k.membership, k.err
}

func (k *known) ExportView(_ context.Context, view, cluster string, deliver func(cairn.ExportPiece) error) error {
	k.asked = []any{view, cluster}
	for _, piece := range k.pieces {
		if err := deliver(piece); err != nil {
			return err
		}
	}
	return k.err
}

func serveKnown(t testing.TB, k *known) *served {
	t.Helper()
	return serve(t, 1, 1, server.Config{Views: k, Admin: admin.New(admin.Config{})})
}

// pageOf is a page of rows with so many attributes each, on two clusters.
func pageOf(t testing.TB, rows, attributes int) cairn.ViewPage {
	t.Helper()
	nodes := []*cairn.Node{{Name: "c0-a", Address: "a:1", Zone: "z"}, {Name: "c0-b", Address: "b:1", Zone: "z"}, {Name: "c1-a", Address: "c:1", Zone: "z"}}
	surface, err := cairn.String("ASPH-CONC")
	if err != nil {
		t.Fatal(err)
	}
	since, err := cairn.Timestamp(time.Date(2026, 1, 2, 3, 4, 5, 678_000, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	weight, err := cairn.Float(-2.5)
	if err != nil {
		t.Fatal(err)
	}
	var page cairn.ViewPage
	var values []cairn.NamedValues
	for i := range rows {
		row := cairn.NamedRow{Key: fmt.Appendf(nil, "ED%04d-07L", i), Cluster: "c0", Primary: nodes[i%2]}
		if i%3 == 2 {
			row.Cluster, row.Primary = "c1", nodes[2]
		}
		if i%7 == 3 && row.Cluster == "c0" {
			row.Replicas = []*cairn.Node{nodes[1-i%2], nodes[i%2]}
		}
		all := cairn.NamedValues{
			{Name: "length_ft", Value: cairn.Int(int64(12_000 - i))}, {Name: "lighted", Value: cairn.Bool(i%2 == 0)},
			{Name: "surface", Value: surface}, {Name: "updated", Value: since}, {Name: "weight", Value: weight},
		}
		values = append(values, all[:min(attributes, len(all))])
		page.Rows = append(page.Rows, row)
	}
	setValues(t, &page, values)
	return page
}

func setValues(tb testing.TB, page *cairn.ViewPage, values []cairn.NamedValues) {
	tb.Helper()
	shown, err := cairn.RowValuesOf(values)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range page.Rows {
		page.Rows[i].Attributes = shown[i]
	}
}

func scattered() cairn.Scattered {
	return cairn.Scattered{
		Token:   cairn.Token{}.With(7, cairn.Stamp{Epoch: 3, Index: 9}),
		Missing: []cairn.MissingCluster{{Cluster: "c2", Err: cairn.Errorf(cairn.KindUnavailable, "UNREACHABLE", "gone")}},
	}
}

// ask has each verb ask a router with all that a question may have.
func ask(t *testing.T, v server.Views) map[string]struct {
	answer any
	err    error
} {
	selection := cairn.Selection{
		View: "long", Where: "lighted && updated < now", Partial: true, Pinned: true,
		Freshness: cairn.Freshness{Level: cairn.AtLeast, Token: cairn.Token{}.With(5, cairn.Stamp{Epoch: 2, Index: 4})},
	}
	type outcome = struct {
		answer any
		err    error
	}
	out := map[string]outcome{}
	page, err := v.QueryView(timeout(t), cairn.PageQuery{
		Selection: selection, OrderBy: []string{"-length_ft", "surface"}, Limit: 7, Cursor: "abc", Offset: 1 << 40, Fields: []string{"lighted"}, Explain: true,
	})
	out["query"] = outcome{page, err}
	count, err := v.CountView(timeout(t), selection)
	out["count"] = outcome{count, err}
	groups, err := v.GroupView(timeout(t), cairn.GroupQuery{Selection: selection, By: []string{"surface", "lighted"}, Top: 3})
	out["group"] = outcome{groups, err}
	aggregation, err := v.AggregateView(timeout(t), selection, "length_ft")
	out["aggregate"] = outcome{aggregation, err}
	membership, err := v.ExplainView(timeout(t), "long", cairn.Key("k"), selection.Freshness)
	out["explain"] = outcome{membership, err}
	var whole cairn.ExportPiece
	err = v.ExportView(timeout(t), "long", "c0", func(piece cairn.ExportPiece) error {
		whole.Answer, whole.Bitmap, whole.Keys = piece.Answer, append(whole.Bitmap, piece.Bitmap...), append(whole.Keys, piece.Keys...)
		return nil
	})
	out["export"] = outcome{whole, err}
	return out
}

func TestViewsAreAlike(t *testing.T) {
	surface, _ := pageOf(t, 1, 3).Rows[0].Attributes.Get("surface")
	page := pageOf(t, 60, 5)
	page.Scattered, page.NextCursor = scattered(), "next"
	page.Plans = []cairn.ClusterPlan{{Cluster: "c0", Plan: "walk", Rows: 40, Duration: time.Millisecond}, {Cluster: "c1", Plan: "walk", Rows: 20}}
	k := &known{
		page: page, count: cairn.ViewCount{Scattered: scattered(), Count: 1 << 50},
		groups: cairn.ViewGroups{Scattered: scattered(), By: []string{"surface", "lighted"}, Groups: []cairn.Group{
			{Values: []cairn.Value{surface, cairn.Bool(false)}, Count: 9}, {Values: []cairn.Value{{}, {}}, Count: 1},
		}},
		aggregation: cairn.ViewAggregation{Scattered: scattered(), Attribute: "length_ft", Aggregation: cairn.Aggregation{
			Count: 3, Min: cairn.Int(1), Max: cairn.Int(math.MaxInt64), Ints: cairn.IntSum{High: 1, Low: 5}}},
		membership: cairn.ViewMembership{
			Cluster: "c0", Version: 3, Filter: "lighted && length_ft > 3", Attributes: map[cairn.AttributeID]string{1: "lighted", 2: "length_ft"},
			Membership: cairn.Membership{Found: true, Truth: "unknown", Deciding: []cairn.Decision{
				{Truth: "unknown", Text: "lighted", Line: 1, Column: 1, Attribute: 1}, {Truth: "false", Text: "length_ft > 3", Line: 1, Column: 12, Attribute: 2, Value: cairn.Int(2)}}},
		},
		pieces: []cairn.ExportPiece{{Answer: cairn.Answer{Index: 9}, Bitmap: bytes.Repeat([]byte("bits"), 200_000)}, {Answer: cairn.Answer{Index: 9}, Keys: []cairn.Key{cairn.Key("a"), cairn.Key("b")}}},
	}
	k.membership.Token = scattered().Token
	s := serveKnown(t, k)
	here := ask(t, k)
	there := ask(t, s.client(t))
	for verb := range here {
		if here[verb].err != nil || there[verb].err != nil {
			t.Errorf("%s: %v, %v", verb, here[verb].err, there[verb].err)
		}
		mustEqual(t, verb, here[verb].answer, there[verb].answer)
	}
	// The questions came as they were asked.
	for name, one := range map[string]func(server.Views) error{
		"query": func(v server.Views) error {
			_, err := v.QueryView(timeout(t), cairn.PageQuery{Selection: cairn.Selection{View: "v"}, OrderBy: []string{"-a"}, Limit: 7, Cursor: "c", Offset: 9, Fields: []string{"f"}, Explain: true})
			return err
		},
		"linearizable count": func(v server.Views) error {
			_, err := v.CountView(timeout(t), cairn.Selection{View: "v", Where: "w", Partial: true, Freshness: cairn.Freshness{Level: cairn.Linearizable}})
			return err
		},
		"group": func(v server.Views) error {
			_, err := v.GroupView(timeout(t), cairn.GroupQuery{Selection: cairn.Selection{View: "v"}, By: []string{"surface"}, Top: 4})
			return err
		},
		"aggregate": func(v server.Views) error {
			_, err := v.AggregateView(timeout(t), cairn.Selection{View: "v"}, "a")
			return err
		},
		"explain": func(v server.Views) error {
			_, err := v.ExplainView(timeout(t), "v", cairn.Key{0xff}, cairn.Freshness{Level: cairn.AtLeast, Token: scattered().Token})
			return err
		},
		"export": func(v server.Views) error {
			return v.ExportView(timeout(t), "v", "c", func(cairn.ExportPiece) error { return nil })
		},
	} {
		if err := one(k); err != nil {
			t.Fatal(err)
		}
		want := k.asked
		k.asked = nil
		if err := one(s.client(t)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, k.asked, alike); diff != "" {
			t.Errorf("%s: the question changed on its way:\n%s", name, diff)
		}
	}
}

// TestViewErrorsAreAlike has a router refuse each part of the input. The
// public API names the field of its own request.
func TestViewErrorsAreAlike(t *testing.T) {
	k := &known{}
	s := serveKnown(t, k)
	remote, api := s.client(t), cairnv1.NewViewsClient(s.raw(t))
	for field, public := range map[string]string{
		"view": "selection.view", "where": "selection.where", "order_by": "order_by", "page_size": "page_size", "cursor": "cursor", "offset": "offset",
		"fields": "fields", "group_by": "group_by", "top": "top", "attribute": "attribute", "freshness.at_least": "freshness.at_least", "": "",
	} {
		k.err = cairn.Invalid(field, "REASON", "it can't be")
		there := ask(t, remote)
		for verb, here := range ask(t, k) {
			if verb != "export" || field != "" {
				mustFailAlike(t, verb+" "+field, here.err, there[verb].err)
			}
		}
		_, err := api.Query(timeout(t), &cairnv1.QueryRequest{Selection: &cairnv1.Selection{View: "views/v"}})
		hasDetails(t, field, status.Convert(err), codes.InvalidArgument, "REASON")
		if got := rpcerr.FromError(err).Field; got != public {
			t.Errorf("%s is %q in the public API; want %q", field, got, public)
		}
	}
	for _, err := range []error{
		cairn.Errorf(cairn.KindUnavailable, "VIEW_BUILDING", "not yet"), cairn.Errorf(cairn.KindNotFound, "VIEW_NOT_FOUND", "no such view"),
		cairn.Errorf(cairn.KindExhausted, "TOO_MANY_GROUPS", "too many"), cairn.Errorf(cairn.KindDeadline, "DEADLINE_EXCEEDED", "too late"),
	} {
		// A router of its own: it may still be answering when the client's time is up.
		k := &known{err: err}
		remote := serveKnown(t, k).client(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // some are tried again until then
		_, here := k.CountView(ctx, cairn.Selection{View: "v"})
		_, there := remote.CountView(ctx, cairn.Selection{View: "v"})
		mustFailAlike(t, err.Error(), here, there)
		cancel()
	}
}

func TestBadViewInput(t *testing.T) {
	k := &known{}
	s := serveKnown(t, k)
	api, administration := cairnv1.NewViewsClient(s.raw(t)), cairnv1.NewAdminClient(s.raw(t))
	good := &cairnv1.Selection{View: "views/v"}
	stale := &cairnv1.Freshness{Level: &cairnv1.Freshness_AtLeast{AtLeast: "x"}}
	export := func(name, cluster string) error {
		stream, err := administration.ExportView(timeout(t), &cairnv1.ExportViewRequest{Name: name, Cluster: cluster})
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	for name, each := range map[string]struct {
		err           error
		reason, field string
	}{
		"no selection":           {second(api.Query(timeout(t), &cairnv1.QueryRequest{})), "RESOURCE_NAME", "selection.view"},
		"a bare view":            {second(api.Count(timeout(t), &cairnv1.CountRequest{Selection: &cairnv1.Selection{View: "v"}})), "RESOURCE_NAME", "selection.view"},
		"a keyspace for a view":  {second(api.GroupCount(timeout(t), &cairnv1.GroupCountRequest{Selection: &cairnv1.Selection{View: "keyspaces/v"}})), "RESOURCE_NAME", "selection.view"},
		"a broken token":         {second(api.Aggregate(timeout(t), &cairnv1.AggregateRequest{Selection: &cairnv1.Selection{View: good.View, Freshness: stale}})), "TOKEN_MALFORMED", "selection.freshness.at_least"},
		"no view to explain":     {second(api.Explain(timeout(t), &cairnv1.ExplainRequest{Key: []byte("k")})), "RESOURCE_NAME", "view"},
		"explain a broken token": {second(api.Explain(timeout(t), &cairnv1.ExplainRequest{View: good.View, Freshness: stale})), "TOKEN_MALFORMED", "freshness.at_least"},
		"no view to export":      {export("", "clusters/c"), "RESOURCE_NAME", "name"},
		"no cluster to export":   {export("views/v", "c"), "RESOURCE_NAME", "cluster"},
	} {
		hasDetails(t, name, status.Convert(each.err), codes.InvalidArgument, each.reason)
		if got := rpcerr.FromError(each.err).Field; got != each.field {
			t.Errorf("%s: field %q; want %q", name, got, each.field)
		}
	}
	if k.asked != nil {
		t.Errorf("the router was asked %v", k.asked)
	}
	k.err = cairn.Invalid("view", "VIEW_NOT_FOUND", "no such view")
	if err := export("views/v", "clusters/c"); rpcerr.FromError(err).Field != "name" {
		t.Errorf("an unknown view: %v", err)
	}
	if _, err := s.client(t).QueryView(timeout(t), cairn.PageQuery{Limit: math.MaxInt}); rpcerr.FromError(err).Field != "page_size" {
		t.Errorf("a page size over 32 bits: %v", err)
	}
	if _, err := s.client(t).GroupView(timeout(t), cairn.GroupQuery{Top: math.MaxInt}); rpcerr.FromError(err).Field != "top" {
		t.Errorf("a top over 32 bits: %v", err)
	}
}

// TestViewAnswersFitAMessage has answers that most clients would not take.
func TestViewAnswersFitAMessage(t *testing.T) {
	text, err := cairn.String(strings.Repeat("x", cairn.MaxStringLength))
	if err != nil {
		t.Fatal(err)
	}
	k := &known{page: pageOf(t, 5000, 5)}
	setValues(t, &k.page, slices.Repeat([]cairn.NamedValues{{{Name: "text", Value: text}}}, len(k.page.Rows)))
	for range cairn.MaxGroups {
		k.groups.Groups = append(k.groups.Groups, cairn.Group{Values: []cairn.Value{text}})
	}
	api := cairnv1.NewViewsClient(serveKnown(t, k).raw(t))
	selection := &cairnv1.Selection{View: "views/v"}
	_, err = api.Query(timeout(t), &cairnv1.QueryRequest{Selection: selection})
	hasDetails(t, "a page", status.Convert(err), codes.ResourceExhausted, "RESPONSE_TOO_LARGE")
	_, err = api.GroupCount(timeout(t), &cairnv1.GroupCountRequest{Selection: selection})
	hasDetails(t, "groups", status.Convert(err), codes.ResourceExhausted, "RESPONSE_TOO_LARGE")
}

// TestExportsAreNotRepeated breaks off an export that has begun.
func TestExportsAreNotRepeated(t *testing.T) {
	k := &known{pieces: []cairn.ExportPiece{{Bitmap: []byte("bits")}}, err: cairn.Errorf(cairn.KindUnavailable, "GONE", "gone")}
	remote := serveKnown(t, k).client(t)
	pieces := 0
	err := remote.ExportView(timeout(t), "v", "c", func(cairn.ExportPiece) error { pieces++; return nil })
	if cairn.ReasonOf(err) != "GONE" || pieces != 1 {
		t.Errorf("%d pieces, %v", pieces, err)
	}
	enough := errors.New("enough")
	if err := remote.ExportView(timeout(t), "v", "c", func(cairn.ExportPiece) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
}

// BenchmarkQuery is what the public API costs by itself: pages of 50 rows with
// three attributes, from a router that answers at once, to stubs as any
// language has them.
func BenchmarkQuery(b *testing.B) {
	s := serveKnown(b, &known{page: pageOf(b, 50, 3)})
	api := cairnv1.NewViewsClient(s.raw(b))
	req := &cairnv1.QueryRequest{Selection: &cairnv1.Selection{View: "views/v"}, PageSize: 50}
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := api.Query(context.Background(), req); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
}
