package router_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"cairn"
	"cairn/router/internal/bed"
)

// TestViewAnswersAreThoseOfAFlatModel asks a router whose map is behind about
// a view over clusters that lose shards to each other, go down and come back.
func TestViewAnswersAreThoseOfAFlatModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // pauses take no time
		checkViews(t, func(w *viewWorld) {
			for range rapid.IntRange(0, 60).Draw(w.T, "entries") {
				w.write()
			}
			w.Repeat(rapid.StateMachineActions(w))
		})
	})
}

// Check has nothing to do: each action checks what it got.
func (w *viewWorld) Check(*rapid.T) {}

func (w *viewWorld) Write(*rapid.T)   { w.write() }
func (w *viewWorld) Move(*rapid.T)    { w.move() }
func (w *viewWorld) Split(*rapid.T)   { w.split() }
func (w *viewWorld) CatchUp(*rapid.T) { w.topology.CatchUp() }
func (w *viewWorld) Replace(*rapid.T) { w.replaceView() }

// GoDown breaks a cluster, or heals all.
func (w *viewWorld) GoDown(*rapid.T) {
	if rapid.Bool().Draw(w.T, "heal") {
		w.mu.Lock()
		clear(w.down)
		w.mu.Unlock()
		return
	}
	clusters := w.bed.Map().Catalog().Clusters()
	name := clusters[rapid.IntRange(0, len(clusters)-1).Draw(w.T, "cluster")].Name
	fault := rapid.SampledFrom([]bed.Fault{bed.NotYet, bed.Unreachable, bed.Slow, bed.LostReply, bed.Building, bed.Refused}).Draw(w.T, "fault")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[name] = fault
}

func (w *viewWorld) Count(*rapid.T) {
	where := w.where()
	selection := w.selection(where)
	got, err := w.router.CountView(context.Background(), selection)
	if err != nil {
		w.refused(selection, err)
		return
	}
	w.incomplete(selection, got.Scattered)
	if want := w.members(where, nil, got.Missing); int(got.Count) != len(want) {
		w.Fatalf("%d of %q; want %q", got.Count, where.text, want)
	}
}

func (w *viewWorld) CountWhere(*rapid.T) {
	where := w.where()
	got, err := w.router.CountWhere(context.Background(), w.keyspace, where.text, cairn.Freshness{})
	if err != nil {
		w.refused(cairn.Selection{}, err)
		return
	}
	want := 0
	for _, v := range w.entries {
		if where.is(v) {
			want++
		}
	}
	if int(got) != want {
		w.Fatalf("%d of %q; want %d", got, where.text, want)
	}
}

func (w *viewWorld) Group(*rapid.T) {
	where := w.where()
	query := cairn.GroupQuery{
		Selection: w.selection(where),
		By:        rapid.SampledFrom([][]string{{"colour"}, {"live", "size"}, {"weight"}}).Draw(w.T, "by"),
		Top:       rapid.IntRange(0, 4).Draw(w.T, "top"),
	}
	got, err := w.router.GroupView(context.Background(), query)
	if err != nil {
		w.refused(query.Selection, err)
		return
	}
	w.incomplete(query.Selection, got.Scattered)
	var want []cairn.Group
	for _, key := range w.members(where, query.By, got.Missing) {
		var of []cairn.Value
		for _, name := range query.By {
			of = append(of, w.entries[key][name])
		}
		if last := len(want) - 1; last >= 0 && slices.EqualFunc(want[last].Values, of, sameValue) {
			want[last].Count++
			continue
		}
		want = append(want, cairn.Group{Values: of, Count: 1})
	}
	if query.Top > 0 {
		slices.SortStableFunc(want, func(a, b cairn.Group) int { return b.Count - a.Count })
		want = want[:min(query.Top, len(want))]
	}
	if !slices.EqualFunc(got.Groups, want, func(a, b cairn.Group) bool {
		return a.Count == b.Count && slices.EqualFunc(a.Values, b.Values, sameValue)
	}) {
		w.Fatalf("groups %v; want %v", got.Groups, want)
	}
}

func sameValue(a, b cairn.Value) bool { return a.Compare(b) == 0 }

func (w *viewWorld) Aggregate(*rapid.T) {
	where, name := w.where(), rapid.SampledFrom([]string{"size", "weight", "colour"}).Draw(w.T, "attribute")
	selection := w.selection(where)
	got, err := w.router.AggregateView(context.Background(), selection, name)
	if err != nil {
		w.refused(selection, err)
		return
	}
	w.incomplete(selection, got.Scattered)
	var want cairn.Aggregation
	sum := int64(0)
	for _, key := range w.members(where, []string{name}, got.Missing) {
		value, present := w.entries[key][name]
		if !present {
			continue
		}
		if want.Count++; want.Count == 1 {
			want.Min = value
		}
		want.Max = value
		want.Floats += value.Float()
		sum += value.Int()
	}
	a := got.Aggregation
	if a.Count != want.Count || !sameValue(a.Min, want.Min) || !sameValue(a.Max, want.Max) {
		w.Fatalf("%s: %+v; want %+v", name, a, want)
	}
	switch value, err := a.Sum(); {
	case want.Count == 0:
	case name == "colour":
		if cairn.ReasonOf(err) != "AGGREGATE_TYPE" {
			w.Fatalf("a sum of strings: %v, %v", value, err)
		}
	case name == "size" && (err != nil || value.Int() != sum):
		w.Fatalf("sum %v, %v; want %d", value, err, sum)
	case name == "weight" && (err != nil || value.Float() != want.Floats): // exact in binary
		w.Fatalf("sum %v, %v; want %v", value, err, want.Floats)
	}
}

func (w *viewWorld) Explain(*rapid.T) {
	key := w.key()
	got, err := w.router.ExplainView(context.Background(), theView, key, cairn.Freshness{})
	if err != nil {
		w.refused(cairn.Selection{}, err)
		return
	}
	v, found := w.entries[string(key)]
	if got.Membership.Found != found || got.Membership.Member != (found && w.filter.is(v)) || got.Cluster != w.owner(string(key)) ||
		got.Version != w.view.Serving.Number || got.Filter != w.filter.text {
		w.Fatalf("%s is %v: %+v", key, v, got)
	}
	for _, decision := range got.Membership.Deciding {
		if decision.Attribute != 0 && got.Attributes[decision.Attribute] == "" {
			w.Fatalf("attribute %d has no name: %+v", decision.Attribute, got)
		}
	}
}

func (w *viewWorld) Export(*rapid.T) {
	clusters := w.bed.Map().Catalog().Clusters()
	name := clusters[rapid.IntRange(0, len(clusters)-1).Draw(w.T, "cluster")].Name
	m := w.topology.Map()
	var got []string
	err := w.router.ExportView(context.Background(), theView, name, func(piece cairn.ExportPiece) error {
		for _, key := range piece.Keys {
			got = append(got, string(key))
		}
		return nil
	})
	var want []string
	for _, key := range w.members(conditions[0], nil, nil) {
		if w.owner(key) == name {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	if w.down[name] != bed.None && err != nil {
		return // what it says of its map can't be had
	}
	if m != w.bed.Map() && w.topology.Map() == m {
		return // nothing told the router that its map is behind
	}
	if err != nil && (cairn.ReasonOf(err) != "CLUSTER_OWNS_NOTHING" || len(want) > 0) || err == nil && !slices.Equal(got, want) {
		w.Fatalf("%s exports %q, %v; want %q", name, got, err, want)
	}
}

func (w *viewWorld) Progress(*rapid.T) {
	got := w.router.ViewProgress(context.Background(), theView)[0]
	if got.Err != nil {
		w.refused(cairn.Selection{Partial: true}, got.Err)
		return
	}
	if len(w.down) > 0 {
		w.incomplete(cairn.Selection{Partial: true}, cairn.Scattered{Missing: got.Missing})
		return
	}
	w.topology.CatchUp()
	if got = w.router.ViewProgress(context.Background(), theView)[0]; got.Err != nil {
		w.Fatal(got.Err)
	}
	members := len(w.members(conditions[0], nil, nil))
	if got.Serving != w.view.Serving.Number || int(got.Members) != members || int(got.Bytes) != 8*members ||
		int(got.Done) != len(w.entries) || got.Total != got.Done || len(got.Missing) > 0 || got.Refusal != "" {
		w.Fatalf("%+v of %d entries and %d members", got, len(w.entries), members)
	}
}
