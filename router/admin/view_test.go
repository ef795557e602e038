package admin_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn"
	"cairn/router/admin"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/etcdstore"
	"cairn/views/filter"
)

func checkFilter(expression string, schema *cairn.Schema) ([]cairn.AttributeID, string, error) {
	f, err := filter.Parse(expression, schema, filter.View, time.Time{})
	if err != nil {
		return nil, "", err
	}
	var out []cairn.AttributeID
	for _, a := range f.Attributes() {
		out = append(out, a.ID)
	}
	return out, f.String(), nil
}

func view(name, filter string, sort ...string) catalog.Resource {
	return catalog.Resource{View: &catalog.ViewSpec{Name: name, Keyspace: "runways", Filter: filter, Sort: sort}}
}

func TestViews(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	desired := []catalog.Resource{view("paved", `surface == "asphalt"`, "-surface"), view("all", ""), hashed("runways", 300), cluster("north", "a")}
	shown, err := a.Apply(ctx, desired, admin.ApplyOptions{ValidateOnly: true})
	if err != nil || len(shown.Changes) != 4 || shown.Changes[3].Name != "views/paved" {
		t.Fatalf("%+v, %v", shown, err)
	}
	applied, err := a.Apply(ctx, desired, admin.ApplyOptions{Plan: shown.Plan})
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.GetView(ctx, "paved")
	if err != nil || v.Revision != applied.Revision || v.Declaration.Keyspace != "runways" || v.Declaration.Sort[0] != "-surface" || v.Problem != "" {
		t.Errorf("%+v, %v", v, err)
	}
	again := apply(t, a, desired...)
	for _, c := range again.Changes {
		if c.Action != catalog.Unchanged {
			t.Errorf("again: %+v", c)
		}
	}
	page, more, err := a.ListViews(ctx, "", 1)
	if err != nil || !more || len(page) != 1 || page[0].Name != "all" {
		t.Errorf("%+v, %v, %v", page, more, err)
	}
	page, more, err = a.ListViews(ctx, "all", 1)
	if err != nil || more || len(page) != 1 || page[0].Name != "paved" {
		t.Errorf("%+v, %v, %v", page, more, err)
	}

	err = a.DeleteKeyspace(ctx, "runways")
	if cairn.ReasonOf(err) != "IN_USE" || !strings.Contains(err.Error(), "views: all, paved") {
		t.Errorf("in use: %v", err)
	}
	if k, err := a.GetKeyspace(ctx, "runways"); err != nil || k.Deleting {
		t.Errorf("it refuses writes: %+v, %v", k, err)
	}
	for _, name := range []string{"all", "paved"} {
		if err := a.DeleteView(ctx, name); err != nil {
			t.Error(err)
		}
	}
	if err := a.DeleteView(ctx, "all"); cairn.ReasonOf(err) != "VIEW_NOT_FOUND" {
		t.Errorf("deleted: %v", err)
	}
	if _, err := a.GetView(ctx, "all"); cairn.KindOf(err) != cairn.KindNotFound {
		t.Errorf("deleted: %v", err)
	}
	x.entries = nil
	if err := a.DeleteKeyspace(ctx, "runways"); err != nil {
		t.Error(err)
	}
}

// interloper is a store into which something else is committed first.
type interloper struct {
	*etcdstore.Store
	before func()
}

func (s *interloper) Commit(ctx context.Context, change shardmap.Change) (uint64, error) {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	return s.Store.Commit(ctx, change)
}

// TestViewAgainstItsKeyspace has a view declared while the attribute that it
// uses, or its keyspace, goes: one of the two must lose.
func TestViewAgainstItsKeyspace(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), hashed("runways", 4))
	bare := hashed("runways", 4)
	bare.Keyspace.Attributes = nil
	paved := view("paved", `surface == "asphalt"`)
	late := func(before func()) *admin.Admin {
		return x.admin(func(c *admin.Config) { c.Store = &interloper{x.store, before} })
	}

	declares := func() { apply(t, a, paved) }
	if _, err := late(declares).Apply(ctx, []catalog.Resource{bare}, admin.ApplyOptions{}); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("the attribute went from under a view: %v", err)
	}
	_, err := a.Apply(ctx, []catalog.Resource{bare}, admin.ApplyOptions{})
	if e, _ := errors.AsType[*cairn.Error](err); e == nil || e.Reason != "IN_USE" || e.Field != "keyspaces/runways.attributes.surface" {
		t.Errorf("in use: %v", err)
	}
	if err := a.DeleteView(ctx, "paved"); err != nil {
		t.Fatal(err)
	}
	removes := func() { apply(t, a, bare) }
	if _, err := late(removes).Apply(ctx, []catalog.Resource{paved}, admin.ApplyOptions{}); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("a view of an attribute that is gone: %v", err)
	}
	declares = func() { apply(t, a, view("all", "")) }
	if err := late(declares).DeleteKeyspace(ctx, "runways"); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("the keyspace went from under a view: %v", err)
	}
	if err := a.DeleteView(ctx, "all"); err != nil {
		t.Fatal(err)
	}
	deletes := func() {
		if err := a.DeleteKeyspace(ctx, "runways"); err != nil {
			t.Error(err)
		}
	}
	if _, err := late(deletes).Apply(ctx, []catalog.Resource{view("all", "")}, admin.ApplyOptions{}); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("a view of a keyspace that is gone: %v", err)
	}
}

func TestProgress(t *testing.T) {
	a, x := start(t)
	apply(t, a, cluster("north", "a"), hashed("runways", 4), view("all", ""), view("paved", ""), view("rough", ""))
	said := x.admin(func(c *admin.Config) {
		c.Progress = func(_ context.Context, names ...string) []cairn.ViewProgress {
			if !slices.Equal(names, []string{"all", "paved", "rough"}) {
				t.Errorf("asked about %q, not about all of a page at once", names)
			}
			return []cairn.ViewProgress{
				{Building: 1, Done: 3, Total: 9},
				{Err: cairn.Errorf(cairn.KindUnavailable, "", "nobody answers")},
				{Refusal: "too much memory", Missing: []cairn.MissingCluster{{Cluster: "south", Err: cairn.Errorf(cairn.KindUnavailable, "", "down")}}},
			}
		}
	})
	page, _, err := said.ListViews(bounded(t), "", 10)
	if err != nil || len(page) != 3 {
		t.Fatal(page, err)
	}
	if page[0].Progress.Done != 3 || page[0].Problem != "" || !strings.Contains(page[1].Problem, "nobody answers") ||
		page[2].Problem != "too much memory; cluster south could not be asked: down" {
		t.Errorf("%+v", page)
	}
}

// TestMembership counts what a change of a filter does to the members.
func TestMembership(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), hashed("runways", 4), view("some", `surface == "asphalt" // paved`), view("all", ""))
	counts := map[string]uint64{
		"":                                103,
		`surface == "asphalt" // paved`:   20,
		`surface in ["asphalt", "grass"]`: 137,
		"(surface == \"asphalt\" // paved\n) && (surface in [\"asphalt\", \"grass\"]\n)": 17,
	}
	var failure error
	counted := x.admin(func(c *admin.Config) {
		c.CountWhere = func(_ context.Context, keyspace, where string) (uint64, error) {
			n, known := counts[where]
			if !known || keyspace != "runways" {
				t.Errorf("asked to count %q of %s", where, keyspace)
			}
			return n, failure
		}
	})
	validate := func(resource catalog.Resource) admin.ResourceChange {
		t.Helper()
		shown, err := counted.Apply(ctx, []catalog.Resource{resource}, admin.ApplyOptions{ValidateOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if other, err := a.Apply(ctx, []catalog.Resource{resource}, admin.ApplyOptions{ValidateOnly: true}); err != nil || other.Plan != shown.Plan {
			t.Errorf("what was counted is in the plan: %s, %v", other.Plan, err)
		}
		return shown.Changes[0]
	}
	wider := view("some", `surface in ["asphalt", "grass"]`)
	if c := validate(wider); c.Membership != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "no view of keyspace runways is built yet") {
		t.Errorf("nothing is built: %+v", c)
	}
	all, _ := x.store.Map().Catalog().ViewByName("all")
	change, err := shardmap.Flip(x.store.Map(), all.UID, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.store.Commit(ctx, change); err != nil {
		t.Fatal(err)
	}
	if c := validate(wider); c.Membership == nil || *c.Membership != (admin.Membership{Gained: 120, Lost: 3}) || len(c.Warnings) != 0 {
		t.Errorf("wider: %+v", c)
	}
	if c := validate(view("some", "")); c.Membership == nil || *c.Membership != (admin.Membership{Gained: 83}) {
		t.Errorf("all: %+v", c)
	}
	for what, other := range map[string]catalog.Resource{
		"another sort": view("some", `surface == "asphalt" // paved`, "surface"), "spelled otherwise": view("some", `"asphalt" == surface`), "new": view("new", `surface == "asphalt"`),
	} {
		if c := validate(other); c.Membership != nil || len(c.Warnings) != 0 {
			t.Errorf("%s: %+v", what, c)
		}
	}
	failure = cairn.Errorf(cairn.KindUnavailable, "", "nobody answers")
	if c := validate(wider); c.Membership != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "counting its members: nobody answers") {
		t.Errorf("not counted: %+v", c)
	}
	if applied := apply(t, counted, wider); applied.Changes[0].Membership != nil || len(applied.Changes[0].Warnings) != 0 {
		t.Errorf("applied: %+v", applied)
	}
}
