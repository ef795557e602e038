package catalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"cairn"
)

// Refilter is a standing view whose filter a plan gives another meaning.
type Refilter struct {
	// View is the view's name, Keyspace its keyspace's.
	View, Keyspace string
	// Before and After are the filters; empty ones let every entry in.
	Before, After string
}

// view plans one declared view, when all declared keyspaces are planned.
func (p *planner) view(spec *ViewSpec) error {
	before, exists := p.now.ViewByName(spec.Name)
	if exists {
		if of, _ := p.now.KeyspaceByUID(before.Keyspace); of.Name != spec.Keyspace {
			return refuse("keyspace", "KEYSPACE_CHANGED",
				"the name is that of a view of keyspace %s; names are unique over all keyspaces, and a view's keyspace can't be changed: choose another name, or delete the view", of.Name)
		}
	}
	keyspace, found := p.keyspaces[spec.Keyspace]
	if !found {
		return refuse("keyspace", "KEYSPACE_NOT_FOUND", "there is no keyspace %q; apply a Keyspace first, or in the same file", spec.Keyspace)
	}
	if keyspace.Deleting {
		return refuse("keyspace", "KEYSPACE_DELETING", "keyspace %s is being deleted", keyspace.Name)
	}
	if !exists {
		before = &View{UID: p.means.NewUID(), Name: spec.Name, Keyspace: keyspace.UID, NextVersion: 1}
	}
	after := *before
	var err error
	if after.Fields, err = fieldIDs(spec.Fields, keyspace); err != nil {
		return err
	}
	refilters, err := p.version(spec, keyspace, &after)
	if err != nil {
		return err
	}
	change := &ResourceChange{}
	if exists {
		// By the schema as it stands, which has what a version given up sorts by.
		standing, _ := p.now.KeyspaceByUID(before.Keyspace)
		change.viewFields(before.Spec(standing), spec)
	} else {
		change.viewFields(&ViewSpec{}, spec)
	}
	if exists && refilters {
		p.plan.Refilters = append(p.plan.Refilters, Refilter{spec.Name, spec.Keyspace, before.Filter(), spec.Filter})
	}
	if !exists || len(change.Fields) > 0 {
		p.plan.SetViews = append(p.plan.SetViews, &after)
		p.touch(KeyspaceName(keyspace.Name), keyspace.ModRevision)
	}
	p.record(ViewName(spec.Name), exists, before.Revision, change)
	return nil
}

// version gives a view the version that a declaration asks for: one that it
// has, if that is the same, or a new one. It tells whether the filter means
// something else than the one declared before.
func (p *planner) version(spec *ViewSpec, keyspace *Keyspace, view *View) (refilters bool, err error) {
	next := &ViewVersion{Filter: spec.Filter}
	if next.Sort, err = sortFields(spec.Sort, keyspace.Schema); err != nil {
		return false, err
	}
	var canonical string
	if next.FilterAttributes, canonical, err = p.checkFilter(spec.Filter, keyspace.Schema); err != nil {
		return false, err
	}
	sameFilter := func(version *ViewVersion) bool {
		if version.Filter == next.Filter {
			return true
		}
		if version.Filter == "" || next.Filter == "" {
			return false
		}
		_, of, err := p.checkFilter(version.Filter, keyspace.Schema)
		return err == nil && of == canonical
	}
	same := func(version *ViewVersion) bool {
		return version != nil && slices.Equal(version.Sort, next.Sort) && sameFilter(version)
	}
	refilters = view.Declared() != nil && !sameFilter(view.Declared())
	switch {
	case same(view.Serving):
		view.Building = nil
	case same(view.Building):
	default:
		// A version that is still being built is given up for this one.
		next.Number = view.NextVersion
		view.NextVersion++
		view.Building = next
	}
	view.Spelling = ""
	if view.Declared().Filter != spec.Filter {
		view.Spelling = spec.Filter
	}
	return refilters, nil
}

// checkFilter is Means.CheckFilter, and knows the empty filter.
func (p *planner) checkFilter(expression string, schema *cairn.Schema) (attributes []cairn.AttributeID, canonical string, err error) {
	if expression == "" {
		return nil, "", nil
	}
	if p.means.CheckFilter == nil {
		return nil, "", &cairn.Error{Kind: cairn.KindUnimplemented, Reason: "FILTER_UNSUPPORTED", Field: "filter"}
	}
	attributes, canonical, err = p.means.CheckFilter(expression, schema)
	if err != nil {
		return nil, "", err
	}
	attributes = slices.Compact(slices.Sorted(slices.Values(attributes)))
	return attributes, canonical, nil
}

// sortFields finds the attributes of a sort in a schema.
func sortFields(names []string, schema *cairn.Schema) ([]cairn.SortField, error) {
	var out []cairn.SortField
	for i, name := range names {
		name, descending := strings.CutPrefix(name, "-")
		field := "sort[" + strconv.Itoa(i) + "]"
		attribute, err := findAttribute(field, name, schema)
		if err != nil {
			return nil, err
		}
		if attribute.Unindexed {
			return nil, cairn.Invalid(field, "ATTRIBUTE_UNINDEXED", "attribute %s has index: none; a view can't be sorted by it", name)
		}
		out = append(out, cairn.SortField{Attribute: attribute.ID, Descending: descending})
	}
	return out, nil
}

// fieldIDs finds the attributes that a view shows.
func fieldIDs(names []string, keyspace *Keyspace) ([]cairn.AttributeID, error) {
	var out []cairn.AttributeID
	for i, name := range names {
		attribute, err := findAttribute("fields["+strconv.Itoa(i)+"]", name, keyspace.Schema)
		if err != nil {
			return nil, err
		}
		out = append(out, attribute.ID)
	}
	return out, nil
}

func findAttribute(field, name string, schema *cairn.Schema) (cairn.AttributeSpec, error) {
	attribute, found := schema.ByName(name)
	if found {
		return attribute, nil
	}
	if near := schema.Suggest(name); near != "" {
		return attribute, cairn.Invalid(field, "ATTRIBUTE_UNKNOWN", "the keyspace has no attribute %q%s", name, near)
	}
	names := make([]string, 0, len(schema.Attributes()))
	for _, a := range schema.Attributes() {
		names = append(names, a.Name)
	}
	return attribute, cairn.Invalid(field, "ATTRIBUTE_UNKNOWN", "the keyspace has no attribute %q; it has %s", name, cmp.Or(strings.Join(names, ", "), "none"))
}

// viewFields notes how a view's declaration changes.
func (c *ResourceChange) viewFields(before, after *ViewSpec) {
	c.field("keyspace", before.Keyspace, after.Keyspace)
	c.field("filter", before.Filter, after.Filter)
	c.field("sort", strings.Join(before.Sort, ", "), strings.Join(after.Sort, ", "))
	c.field("fields", strings.Join(before.Fields, ", "), strings.Join(after.Fields, ", "))
}

// checkAttributes refuses to remove an attribute that a view will still use,
// or its index. A version that serves counts until another one has taken its
// place.
func (p *planner) checkAttributes() error {
	for _, keyspace := range p.plan.UpdateKeyspaces {
		standing, _ := p.now.KeyspaceByUID(keyspace.UID)
		for _, before := range standing.Schema.Attributes() {
			after, stays := keyspace.Schema.ByID(before.ID)
			if stays && (before.Unindexed || !after.Unindexed) {
				continue
			}
			for _, view := range p.now.ViewsOf(keyspace.UID) {
				for _, set := range p.plan.SetViews {
					if set.UID == view.UID {
						view = set
					}
				}
				if err := view.checkAttribute(KeyspaceName(keyspace.Name)+".attributes."+before.Name, before, stays); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// checkAttribute refuses, if v uses it, the end of an attribute or, if it
// stays, of its index.
func (v *View) checkAttribute(field string, attribute cairn.AttributeSpec, stays bool) error {
	if stays {
		field += ".index"
	}
	what, uses := v.Declared().queries(attribute.ID)
	if !uses && !stays && slices.Contains(v.Fields, attribute.ID) {
		what, uses = "fields", true
	}
	if uses {
		return refuse(field, "IN_USE", "view %s has %s in its %s; change or delete the view first", v.Name, attribute.Name, what)
	}
	if what, uses = v.Serving.queries(attribute.ID); uses {
		return refuse(field, "IN_USE", "the version of view %s that still serves has %s in its %s; wait until version %d is built", v.Name, attribute.Name, what, v.Building.Number)
	}
	return nil
}
