package views

import (
	"cmp"

	"cairn"
)

// comparer orders entries of a state by a sort, and by key where all its
// values are equal.
type comparer struct {
	state  *state
	sort   []SortField
	fields []int // where the sort's attributes stand
}

// Compare orders two entries.
func (c *comparer) Compare(a, b uint32) int {
	for i, field := range c.fields {
		if order := c.state.attributes[field].compare(a, b, c.sort[i].Descending); order != 0 {
			return order
		}
	}
	if order := c.state.keys.get(a).Compare(c.state.keys.get(b)); order != 0 {
		return order
	}
	// A key has one entry that is seen, but may have another that is hidden
	// and not swept yet.
	return cmp.Compare(a, b)
}

// Prefix is the prefix of an entry's first sort value, or of its key.
func (c *comparer) Prefix(ordinal uint32) uint64 { return c.prefixFrom(0, ordinal) }

// prefixFrom is the prefix of an entry's sort value in a field, or of its key
// behind the last.
func (c *comparer) prefixFrom(field int, ordinal uint32) uint64 {
	if field == len(c.fields) {
		return textPrefix(c.state.keys.get(ordinal))
	}
	return c.state.attributes[c.fields[field]].prefix(ordinal, c.sort[field].Descending)
}

// position is a place in an order: sort values and a key.
type position struct {
	*comparer
	values []cairn.Value
	key    cairn.Key
}

// Compare orders an entry and the position.
func (p position) Compare(ordinal uint32) int {
	for i, field := range p.fields {
		if order := p.state.attributes[field].compareWith(ordinal, p.values[i], p.sort[i].Descending); order != 0 {
			return order
		}
	}
	return p.state.keys.get(ordinal).Compare(p.key)
}

// Prefix is the position's own.
func (p position) Prefix() uint64 {
	if len(p.fields) == 0 {
		return textPrefix(p.key)
	}
	return p.state.attributes[p.fields[0]].prefixOf(p.values[0], p.sort[0].Descending)
}
