package router

import (
	"strings"

	"cairn"
	"cairn/views/page"
)

// attribute is an attribute of the question's keyspace by its name. It must be
// indexed unless it is only shown.
func (q *question) attribute(field, name string, shown bool) (cairn.AttributeSpec, error) {
	spec, found := q.declared.Schema.ByName(name)
	switch {
	case !found:
		return spec, cairn.Invalid(field, "ATTRIBUTE_UNKNOWN", "keyspace %s has no attribute %q%s", q.declared.Name, name, q.declared.Schema.Suggest(name))
	case spec.Unindexed && !shown:
		return spec, cairn.Invalid(field, "ATTRIBUTE_UNINDEXED", "attribute %s is declared without an index, so it can only be shown", name)
	}
	return spec, nil
}

// attributes are the ids of attributes by their names, each once.
func (q *question) attributes(field string, names []string, shown bool) ([]cairn.AttributeID, error) {
	ids := make([]cairn.AttributeID, 0, len(names))
	for i, name := range names {
		spec, err := q.attribute(field, name, shown)
		if err != nil {
			return nil, err
		}
		for _, earlier := range names[:i] {
			if earlier == name {
				return nil, cairn.Invalid(field, "ATTRIBUTE_TWICE", "attribute %s is named twice", name)
			}
		}
		ids = append(ids, spec.ID)
	}
	return ids, nil
}

// sort is the order that names stand for; of none, the view's own.
func (q *question) sort(names []string) ([]cairn.SortField, error) {
	if len(names) == 0 {
		return q.version.Sort, nil
	}
	if len(names) > cairn.MaxSortFields {
		return nil, cairn.Invalid("order_by", "SORT_TOO_LONG", "%d attributes; a sort has at most %d", len(names), cairn.MaxSortFields)
	}
	fields := make([]cairn.SortField, 0, len(names))
	for _, name := range names {
		name, descending := strings.CutPrefix(name, "-")
		spec, err := q.attribute("order_by", name, false)
		if err != nil {
			return nil, err
		}
		for _, earlier := range fields {
			if earlier.Attribute == spec.ID {
				return nil, cairn.Invalid("order_by", "SORT_TWICE", "%s is in the sort twice", name)
			}
		}
		fields = append(fields, cairn.SortField{Attribute: spec.ID, Descending: descending})
	}
	return fields, nil
}

// typesOf are the types of a sort's attributes.
func (q *question) typesOf(fields []cairn.SortField) []cairn.Type {
	types := make([]cairn.Type, len(fields))
	for i, field := range fields {
		if spec, found := q.declared.Schema.ByID(field.Attribute); found {
			types[i] = spec.Type
		}
	}
	return types
}

// shown are the attributes that a page shows.
func (q *question) shown(names []string) ([]cairn.AttributeID, error) {
	if len(names) > 0 {
		return q.attributes("fields", names, true)
	}
	if len(q.view.Fields) > 0 {
		return q.view.Fields, nil
	}
	all := q.declared.Schema.Attributes()
	ids := make([]cairn.AttributeID, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	return ids, nil
}

// binding is what a cursor belongs to.
func (q *question) binding(where string, orderBy []string) page.Binding {
	return page.Binding{View: q.view.UID, Version: q.version.Number, Query: page.QueryHash(where, strings.Join(orderBy, ","))}
}
