package catalog

import (
	"slices"

	"cairn"
)

// View is a view as it stands.
type View struct {
	UID      cairn.UID
	Name     string
	Keyspace cairn.UID
	// Fields are the attributes that a page shows when nothing is said, as
	// declared; empty for all of the keyspace's.
	Fields []cairn.AttributeID
	// Serving is the version that answers, nil until the first is built.
	// Building is the one that every owning cluster is building; one write to
	// the store makes it the serving one when all have. At least one is there.
	Serving, Building *ViewVersion
	// Spelling is the filter as it was declared last where it means the same as
	// Declared().Filter, which the indexes have, and is only written in another
	// way; else it is empty.
	Spelling string
	// NextVersion is the next number to be given out: one that was given up
	// before it served is not used again, since an index may have built it.
	NextVersion uint64
	// Revision is that of the last change to the record; an index that has
	// noted it knows these versions.
	Revision uint64
}

// ViewVersion is one definition of a view.
type ViewVersion struct {
	// Number counts the definitions that the view has had, from 1.
	Number uint64
	Filter string
	// FilterAttributes are those that Filter names, ascending. They are kept
	// because only who has CEL can tell.
	FilterAttributes []cairn.AttributeID
	Sort             []cairn.SortField
}

// queries tells whether the version can't do without an attribute that is
// indexed, and what for.
func (v *ViewVersion) queries(attribute cairn.AttributeID) (what string, uses bool) {
	switch {
	case v == nil:
		return "", false
	case slices.Contains(v.FilterAttributes, attribute):
		return "filter", true
	case slices.ContainsFunc(v.Sort, func(f cairn.SortField) bool { return f.Attribute == attribute }):
		return "sort", true
	}
	return "", false
}

// Declared is the version that was declared last.
func (v *View) Declared() *ViewVersion {
	if v.Building != nil {
		return v.Building
	}
	return v.Serving
}

// Versions are what the owning clusters keep, as their indexes need to know
// it.
func (v *View) Versions() []cairn.View {
	var out []cairn.View
	for _, version := range []*ViewVersion{v.Serving, v.Building} {
		if version != nil {
			out = append(out, cairn.View{
				UID: v.UID, Name: v.Name, Keyspace: v.Keyspace,
				Version: version.Number, Filter: version.Filter, Sort: version.Sort,
			})
		}
	}
	return out
}

// Filter is the filter as it was declared last.
func (v *View) Filter() string {
	if v.Spelling != "" {
		return v.Spelling
	}
	return v.Declared().Filter
}

// Spec is v as it would be declared, given its keyspace.
func (v *View) Spec(keyspace *Keyspace) *ViewSpec {
	return &ViewSpec{
		Name: v.Name, Keyspace: keyspace.Name, Filter: v.Filter(),
		Sort: sortNames(v.Declared().Sort, keyspace.Schema), Fields: attributeNames(v.Fields, keyspace.Schema),
	}
}

func sortNames(sort []cairn.SortField, schema *cairn.Schema) []string {
	var out []string
	for _, field := range sort {
		a, _ := schema.ByID(field.Attribute) // what a view uses can't be removed
		if field.Descending {
			a.Name = "-" + a.Name
		}
		out = append(out, a.Name)
	}
	return out
}

func attributeNames(ids []cairn.AttributeID, schema *cairn.Schema) []string {
	var out []string
	for _, id := range ids {
		a, _ := schema.ByID(id) // as above
		out = append(out, a.Name)
	}
	return out
}

// ViewSpec is a view as declared. Attributes are named.
type ViewSpec struct {
	Name     string
	Keyspace string
	Filter   string
	// Sort has attributes' names, with a minus in front for descending.
	Sort   []string
	Fields []string
}
