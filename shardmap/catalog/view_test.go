package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn"
)

func newView(name, filter string, sort ...string) Resource {
	return Resource{View: &ViewSpec{Name: name, Keyspace: "runways", Filter: filter, Sort: sort}}
}

// flip makes every version that is being built the one that serves.
func flip(t interface{ Fatal(...any) }, c *Catalog, revision uint64) *Catalog {
	var edit Edit
	for _, v := range c.Views() {
		if v.Building == nil {
			continue
		}
		next := *v
		next.Serving, next.Building, next.Revision = v.Building, nil, revision
		edit.SetViews = append(edit.SetViews, &next)
	}
	after, err := c.With(edit)
	if err != nil {
		t.Fatal(err)
	}
	return after
}

// runways is a catalog with a keyspace for views, and the keyspace.
func runways(t *testing.T) (*Catalog, Resource) {
	keyspace := newKeyspace("runways", AttributeSpec{Name: "surface", Type: cairn.TypeString}, AttributeSpec{Name: "length", Type: cairn.TypeInt},
		AttributeSpec{Name: "lighted", Type: cairn.TypeBool}, AttributeSpec{Name: "ident", Type: cairn.TypeString, Unindexed: true})
	c, _ := apply(t, &Catalog{}, 1, newCluster("north", "a"), keyspace)
	return c, keyspace
}

// TestVersions follows one view through its declarations.
func TestVersions(t *testing.T) {
	c, _ := runways(t)
	fields := newView("long", "lighted", "-length")
	fields.View.Fields = []string{"ident"}
	for i, step := range []struct {
		what              string
		declare           Resource
		flip              bool
		serving, building uint64
		action            Action
		changed           string // fields
		refilters         bool
	}{
		{"new", newView("long", "lighted"), false, 0, 1, Create, "keyspace filter", false},
		{"same", newView("long", "lighted"), false, 0, 1, Unchanged, "", false},
		{"another before it is built", newView("long", "!lighted"), false, 0, 2, Update, "filter", true},
		{"back, which no index may have", newView("long", "lighted"), true, 3, 0, Update, "filter", true},
		{"sort", newView("long", "lighted", "-length"), false, 3, 4, Update, "sort", false},
		{"what serves", newView("long", "lighted"), false, 3, 0, Update, "sort", false},
		{"sort again", newView("long", "lighted", "-length"), true, 5, 0, Update, "sort", false},
		{"direction", newView("long", "lighted", "length"), false, 5, 6, Update, "sort", false},
		{"fields and what serves", fields, false, 5, 0, Update, "sort fields", false},
		{"fields alone", newView("long", "lighted", "-length"), false, 5, 0, Update, "fields", false},
		{"spelled otherwise", newView("long", "lighted == true", "-length"), false, 5, 0, Update, "filter", false},
		{"spelled so again", newView("long", "lighted == true", "-length"), false, 5, 0, Unchanged, "", false},
		{"all", newView("long", ""), false, 5, 7, Update, "filter sort", true},
		{"true of all", newView("long", "true"), true, 8, 0, Update, "filter", true},
	} {
		revision := uint64(10 + i)
		after, p := apply(t, c, revision, step.declare)
		if step.flip {
			after = flip(t, after, revision)
		}
		c = after
		v, found := c.ViewByName("long")
		if !found {
			t.Fatal("no view")
		}
		var serving, building uint64
		if v.Serving != nil {
			serving = v.Serving.Number
		}
		if v.Building != nil {
			building = v.Building.Number
		}
		var changed []string
		for _, f := range p.Changes[0].Fields {
			changed = append(changed, f.Field)
		}
		if serving != step.serving || building != step.building || p.Changes[0].Action != step.action || strings.Join(changed, " ") != step.changed {
			t.Errorf("%s: serving %d, building %d, %s %q; want %+v", step.what, serving, building, p.Changes[0].Action, changed, step)
		}
		if (len(p.Refilters) == 1) != step.refilters {
			t.Errorf("%s: refilters %+v", step.what, p.Refilters)
		}
		k, _ := c.KeyspaceByName("runways")
		if diff := cmp.Diff(step.declare.View, v.Spec(k)); diff != "" {
			t.Errorf("%s: %s", step.what, diff)
		}
		if step.action != Unchanged && !p.Touches("keyspaces/runways") {
			t.Errorf("%s: touches %v", step.what, p.Touched)
		}
	}
}

func TestViewsAreRefused(t *testing.T) {
	c, _ := runways(t)
	c, _ = apply(t, c, 2, newKeyspace("roads"), newView("long", "lighted"))
	view := func(change func(*ViewSpec)) Resource {
		r := newView("short", "")
		change(r.View)
		return r
	}
	marked, _ := c.KeyspaceByName("roads")
	deleting := *marked
	deleting.Deleting = true
	c, err := c.With(Edit{SetKeyspaces: []*Keyspace{&deleting}})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		desired Resource
		field   string
		reason  string
		says    string
	}{
		"name":                      {newView("Short", ""), "views/Short.name", "NAME_MALFORMED", ""},
		"no keyspace":               {view(func(s *ViewSpec) { s.Keyspace = "" }), "views/short.keyspace", "KEYSPACE_MISSING", ""},
		"keyspace's name":           {view(func(s *ViewSpec) { s.Keyspace = "A b" }), "views/short.keyspace", "NAME_MALFORMED", ""},
		"no such keyspace":          {view(func(s *ViewSpec) { s.Keyspace = "rivers" }), "views/short.keyspace", "KEYSPACE_NOT_FOUND", ""},
		"keyspace going":            {view(func(s *ViewSpec) { s.Keyspace = "roads" }), "views/short.keyspace", "KEYSPACE_DELETING", ""},
		"keyspace changed":          {Resource{View: &ViewSpec{Name: "long", Keyspace: "roads"}}, "views/long.keyspace", "KEYSPACE_CHANGED", "runways"},
		"filter too long":           {newView("short", strings.Repeat(" ", MaxFilterBytes+1)), "views/short.filter", "FILTER_TOO_LONG", ""},
		"filter not UTF-8":          {newView("short", "\xff"), "views/short.filter", "FILTER_SYNTAX", ""},
		"filter of blanks":          {newView("short", " "), "views/short.filter", "FILTER_EMPTY", ""},
		"filter broken":             {newView("short", "lighted &&\n  & 1"), "views/short.filter", "FILTER_SYNTAX", "2:3"},
		"filter's attribute":        {newView("short", "lighted && width > 1"), "views/short.filter", "ATTRIBUTE_UNKNOWN", "1:12"},
		"filter's type":             {newView("short", "length == \"a\""), "views/short.filter", "FILTER_TYPE", "1:"},
		"filter without an index":   {newView("short", `ident == "a"`), "views/short.filter", "ATTRIBUTE_UNINDEXED", "1:1"},
		"filter with now":           {newView("short", `now == timestamp("2026-01-01T00:00:00Z")`), "views/short.filter", "FILTER_NOW", "1:1"},
		"five sort fields":          {newView("short", "", "a", "b", "c", "d", "e"), "views/short.sort", "SORT_TOO_LONG", "4"},
		"sort twice":                {newView("short", "", "length", "-length"), "views/short.sort[1]", "ATTRIBUTE_TWICE", "length"},
		"sort by nothing":           {newView("short", "", "-"), "views/short.sort[0]", "ATTRIBUTE_NAME", ""},
		"sort by what is not":       {newView("short", "", "length", "-width"), "views/short.sort[1]", "ATTRIBUTE_UNKNOWN", "it has ident, length, lighted, surface"},
		"sort by what has no index": {newView("short", "", "ident"), "views/short.sort[0]", "ATTRIBUTE_UNINDEXED", ""},
		"fields twice":              {view(func(s *ViewSpec) { s.Fields = []string{"ident", "ident"} }), "views/short.fields[1]", "ATTRIBUTE_TWICE", ""},
		"unknown field":             {view(func(s *ViewSpec) { s.Fields = []string{"width"} }), "views/short.fields[0]", "ATTRIBUTE_UNKNOWN", ""},
		"two kinds":                 {Resource{View: &ViewSpec{Name: "a"}, Cluster: &ClusterSpec{}}, "resources", "RESOURCE_EMPTY", ""},
	} {
		_, err := c.Plan([]Resource{test.desired}, means)
		if err == nil || cairn.ReasonOf(err) != test.reason || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v, want %s", name, err, test.reason)
			continue
		}
		if e := err.(*cairn.Error); e.Field != test.field {
			t.Errorf("%s: field %q, want %q (%v)", name, e.Field, test.field, err)
		}
	}
	if _, err := c.Plan([]Resource{newView("short", "lighted")}, Means{NewUID: cairn.NewUID}); cairn.KindOf(err) != cairn.KindUnimplemented {
		t.Errorf("without CEL: %v", err)
	}
}

// TestAttributesInUse removes attributes, and their indexes, that views use.
func TestAttributesInUse(t *testing.T) {
	c, keyspace := runways(t)
	shows := newView("shows", "")
	shows.View.Fields = []string{"ident", "lighted"}
	c, _ = apply(t, c, 2, newView("long", `surface == "asphalt"`, "-length"), shows)
	without := func(name string) Resource {
		spec := *keyspace.Keyspace
		spec.Attributes = nil
		for _, a := range keyspace.Keyspace.Attributes {
			if a.Name != name {
				spec.Attributes = append(spec.Attributes, a)
			}
		}
		return Resource{Keyspace: &spec}
	}
	unindexed := func(name string) Resource {
		r := without(name)
		r.Keyspace.Attributes = append(r.Keyspace.Attributes, AttributeSpec{Name: name, Type: map[string]cairn.Type{
			"surface": cairn.TypeString, "length": cairn.TypeInt, "lighted": cairn.TypeBool}[name], Unindexed: true})
		return r
	}
	refused := func(what, field, view string, desired ...Resource) {
		t.Helper()
		_, err := c.Plan(desired, means)
		if cairn.ReasonOf(err) != "IN_USE" || !strings.Contains(err.Error(), "view "+view) {
			t.Errorf("%s: got %v", what, err)
			return
		}
		if e := err.(*cairn.Error); e.Field != "keyspaces/runways.attributes."+field {
			t.Errorf("%s: field %q", what, e.Field)
		}
	}
	refused("filter", "surface", "long", without("surface"))
	refused("filter's index", "surface.index", "long", unindexed("surface"))
	refused("sort", "length", "long", without("length"))
	refused("sort's index", "length.index", "long", unindexed("length"))
	refused("fields", "ident", "shows", without("ident"))
	refused("with the view in the same file", "length", "long", without("length"), newView("long", `surface == "asphalt"`, "-length"))
	if _, err := c.Plan([]Resource{unindexed("lighted")}, means); err != nil {
		t.Errorf("what is only shown needs no index: %v", err)
	}
	// Given up before it was built: nothing uses it any more.
	if _, err := c.Plan([]Resource{without("length"), newView("long", `surface == "asphalt"`)}, means); err != nil {
		t.Errorf("both at once: %v", err)
	}
	c = flip(t, c, 3)
	_, err := c.Plan([]Resource{without("length"), newView("long", `surface == "asphalt"`)}, means)
	if cairn.ReasonOf(err) != "IN_USE" || !strings.Contains(err.Error(), "wait until version 2 is built") {
		t.Errorf("while it serves: %v", err)
	}
	c, _ = apply(t, c, 4, newView("long", `surface == "asphalt"`))
	if _, err := c.Plan([]Resource{without("length")}, means); cairn.ReasonOf(err) != "IN_USE" {
		t.Errorf("while it still serves: %v", err)
	}
	c = flip(t, c, 5)
	if _, err := c.Plan([]Resource{without("length")}, means); err != nil {
		t.Errorf("unused: %v", err)
	}
}

func drawView(t *rapid.T, name string) Resource {
	return newView(name, rapid.SampledFrom([]string{"", "a == 1", "1 == a", "has(b) && has(a)", "has(a)&&has(b)", `c == "x"`}).Draw(t, "filter"),
		rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2, rapid.ID).Draw(t, "sort")...)
}

// versionsGrow checks that a version's number never stands for another filter
// or sort.
func versionsGrow(t *rapid.T, before, after *Catalog) {
	for _, v := range after.Views() {
		old, found := before.ViewByUID(v.UID)
		if !found {
			continue
		}
		for _, now := range v.Versions() {
			for _, was := range old.Versions() {
				if now.Version == was.Version && !cmp.Equal(now, was) {
					t.Fatalf("version %+v was %+v", now, was)
				}
			}
			if now.Version < old.NextVersion && now.Version != old.Declared().Number && (old.Serving == nil || now.Version != old.Serving.Number) {
				t.Fatalf("version %d came back", now.Version)
			}
		}
	}
}

func TestViewRecordsAreReadable(t *testing.T) {
	c, _ := runways(t)
	c, _ = apply(t, c, 2, newView("long", `lighted && length > 8000`, "-length"))
	v, _ := c.ViewByName("long")
	if text := string(EncodeView(v)); !strings.Contains(text, `"filter":"lighted && length > 8000"`) {
		t.Error(text)
	}
}

func FuzzDecodeView(f *testing.F) {
	f.Add([]byte(`{"uid":"00000000000000ff","name":"long","keyspace":"00000000000000fe","fields":[3],"spelling":"a","serving":{"number":1,"filter":"a > 1","filter_attributes":[2],"sort":[{"attribute":1,"descending":true}]},"building":{"number":3},"next_version":4}`))
	f.Add([]byte(`{"uid":"00000000000000ff","name":"long","keyspace":"00000000000000fe","building":{"number":1,"sort":[{"attribute":1},{"attribute":1}]},"next_version":2}`))
	f.Add([]byte(`{"uid":"00000000000000ff","name":"long","keyspace":"00000000000000fe","next_version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := DecodeView(data, 9)
		if err != nil {
			if cairn.KindOf(err) != cairn.KindCorrupt {
				t.Fatal(err)
			}
			return
		}
		again, err := DecodeView(EncodeView(v), 9)
		if err != nil || string(EncodeView(again)) != string(EncodeView(v)) {
			t.Fatalf("read back as %+v, %v", again, err)
		}
	})
}
