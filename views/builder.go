package views

import "cairn"

// Builder makes projections out of entries that come in order of their
// ordinals.
type Builder struct{ views *Views }

// NewBuilder begins to make projections of a schema's attributes and the
// owner's columns.
func NewBuilder(schema *cairn.Schema, columns ...cairn.AttributeSpec) *Builder {
	return &Builder{New(schema, columns...)}
}

// Add adds an entry whose ordinal is above those before.
func (b *Builder) Add(ordinal uint32, key cairn.Key, attributes cairn.Attributes, columns ...cairn.Attribute) {
	b.views.Put(ordinal, noShard, key, attributes, columns...)
}

// Finish builds views over the entries. It is refused as Define is.
func (b *Builder) Finish(definitions []Definition) (*Restored, error) {
	for i := range definitions {
		if err := b.views.Define(definitions[i]); err != nil {
			return nil, err
		}
	}
	for b.views.Build(1 << 20) {
	}
	return &Restored{b.views}, nil
}
