package views

import "unsafe" // for Sizeof alone

// column is one number a ordinal, or none: the values of one attribute as
// their ranks (see rank), or the codes of its strings.
type column struct {
	blocks paged[*block]
	// changed is the last generation in which a number changed.
	changed uint64
}

// get is the number of an ordinal, and whether it has one.
func (c *column) get(ordinal uint32) (uint64, bool) {
	b := c.blocks.get(ordinal / blockSize)
	if slot := ordinal % blockSize; b != nil && b.has(slot) {
		return b.get(slot), true
	}
	return 0, false
}

// gathered is how many numbers are read at a time.
const gathered = 64

// gather reads the numbers of up to gathered ordinals, and has a bit for each that has
// one. It does nothing else in between: numbers far apart are waits for memory, and those
// go on at the same time if the processor can look ahead.
func (c *column) gather(ordinals []uint32, numbers *[gathered]uint64) (present uint64) {
	for i, ordinal := range ordinals {
		b, slot := c.blocks.get(ordinal/blockSize), ordinal%blockSize
		if b != nil && b.has(slot) {
			numbers[i%gathered] = b.get(slot)
			present |= 1 << i
		}
	}
	return present
}

// gatherPresent is gather without those that have no number: it is how many have one.
func (c *column) gatherPresent(ordinals []uint32, numbers *[gathered]uint64) (n int) {
	for _, ordinal := range ordinals {
		b, slot := c.blocks.get(ordinal/blockSize), ordinal%blockSize
		if b != nil && b.has(slot) {
			numbers[n%gathered] = b.get(slot)
			n++
		}
	}
	return n
}

// set gives an ordinal a number.
func (c *column) set(ordinal uint32, number uint64, generation uint64) {
	c.changed = generation
	place := c.blocks.at(ordinal/blockSize, generation)
	switch old := *place; {
	case old == nil:
		*place = &block{generation: generation, base: number, least: number, most: number}
	case !old.fits(number):
		*place = old.widened(number, generation)
	default:
		*place = old.owned(generation)
	}
	(*place).put(ordinal%blockSize, number)
}

// unset takes the number of an ordinal away.
func (c *column) unset(ordinal uint32, generation uint64) {
	c.changed = generation
	place := c.blocks.at(ordinal/blockSize, generation)
	if *place == nil {
		return
	}
	b := (*place).owned(generation)
	b.unset(ordinal % blockSize)
	*place = b
	if b.count == 0 {
		*place = nil
	}
}

// eachRun calls do with blocks of a column and ordinals that have numbers there,
// as passing.runs has them.
func (c *column) eachRun(of passing, do func(b *block, ordinals []uint32)) {
	of.runs(func(at uint32, ordinals []uint32) {
		if b := c.blocks.get(at); b != nil {
			if ordinals = b.having(ordinals); len(ordinals) > 0 {
				do(b, ordinals)
			}
		}
	})
}

// bytes is the memory that a column takes.
func (c *column) bytes() int64 {
	total := c.blocks.bytes()
	for _, page := range c.blocks.pages {
		if page == nil {
			continue
		}
		for _, b := range page.items {
			if b != nil {
				total += int64(unsafe.Sizeof(*b)) + int64(b.width()*blockSize)
			}
		}
	}
	return total
}
