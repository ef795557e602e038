package cairn

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// AttributeSpec declares one attribute.
type AttributeSpec struct {
	ID   AttributeID
	Name string
	Type Type
	// Unindexed attributes are carried with the entry but not queryable.
	Unindexed bool
}

// Schema is a keyspace's attributes. It is immutable; the zero Schema has
// none.
type Schema struct {
	byName []AttributeSpec // ascending by name
	byID   []AttributeSpec // ascending by id
}

// MaxAttributes is how many attributes a keyspace may declare.
const MaxAttributes = 256

var attributeName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// reservedNames are CEL's literals, operators and reserved words, and the
// functions of filters: a filter could never name an attribute called so.
var reservedNames = func() map[string]bool {
	reserved := map[string]bool{}
	for word := range strings.FieldsSeq(`true false null in as break const continue else for function if import let loop
		package namespace return var void while now has`) {
		reserved[word] = true
	}
	return reserved
}()

// NewSchema makes a schema. Each attribute needs a type, an id and a name of
// its own that is a CEL identifier of at most 63 letters, digits and
// underscores, and none that filters reserve (ATTRIBUTE_RESERVED).
func NewSchema(attributes []AttributeSpec) (*Schema, error) {
	if len(attributes) > MaxAttributes {
		return nil, Invalid("attributes", "ATTRIBUTES_TOO_MANY", "%d attributes; a keyspace has at most %d", len(attributes), MaxAttributes)
	}
	s := &Schema{byName: slices.Clone(attributes), byID: slices.Clone(attributes)}
	slices.SortFunc(s.byName, func(a, b AttributeSpec) int { return strings.Compare(a.Name, b.Name) })
	for i, a := range s.byName {
		field := "attributes." + a.Name
		if !attributeName.MatchString(a.Name) {
			return nil, Invalid(field, "ATTRIBUTE_NAME", "%q is not a name; use letters, digits and underscores, at most 63, not a digit first", a.Name)
		}
		if reservedNames[a.Name] {
			return nil, Invalid(field, "ATTRIBUTE_RESERVED", "the word %s has a meaning of its own in filters, which could not name the attribute; choose another name", a.Name)
		}
		if i > 0 && s.byName[i-1].Name == a.Name {
			return nil, Invalid(field, "ATTRIBUTE_TWICE", "declared twice")
		}
		if a.Type == TypeNull || int(a.Type) >= len(typeNames) {
			return nil, Invalid(field+".type", "TYPE_UNKNOWN", "the types are %s", strings.Join(typeNames[1:], ", "))
		}
	}
	slices.SortFunc(s.byID, func(a, b AttributeSpec) int { return cmp.Compare(a.ID, b.ID) })
	for i, a := range s.byID {
		if a.ID == 0 || i > 0 && s.byID[i-1].ID == a.ID {
			return nil, Errorf(KindInternal, "ATTRIBUTE_ID", "attribute %s has no id of its own", a.Name)
		}
	}
	return s, nil
}

// Attributes are the declared attributes in ascending order of name.
func (s *Schema) Attributes() []AttributeSpec { return s.byName }

// ByName finds an attribute by its name.
func (s *Schema) ByName(name string) (AttributeSpec, bool) {
	i, found := slices.BinarySearchFunc(s.byName, name, func(a AttributeSpec, name string) int { return strings.Compare(a.Name, name) })
	if !found {
		return AttributeSpec{}, false
	}
	return s.byName[i], true
}

// ByID finds an attribute by its id.
func (s *Schema) ByID(id AttributeID) (AttributeSpec, bool) {
	// Ids count from 1 and attributes are seldom removed: mostly this is the place.
	if at := int(id) - 1; at >= 0 && at < len(s.byID) && s.byID[at].ID == id {
		return s.byID[at], true
	}
	return s.searchID(id)
}

func (s *Schema) searchID(id AttributeID) (AttributeSpec, bool) {
	at, found := slices.BinarySearchFunc(s.byID, id, func(a AttributeSpec, id AttributeID) int { return cmp.Compare(a.ID, id) })
	if !found {
		return AttributeSpec{}, false
	}
	return s.byID[at], true
}
