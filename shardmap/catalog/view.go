package catalog

import "cairn"

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
	// Revision is that of the last change to the record; an index that has
	// noted it knows these versions.
	Revision uint64
}

// ViewVersion is one definition of a view.
type ViewVersion struct {
	// Number counts the definitions that the view has had, from 1.
	Number uint64
	Filter string
	Sort   []cairn.SortField
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

// ViewSpec is a view as declared. Attributes are named.
type ViewSpec struct {
	Name     string
	Keyspace string
	Filter   string
	// Sort has attributes' names, with a minus in front for descending.
	Sort   []string
	Fields []string
}
