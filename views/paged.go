package views

import "unsafe" // for Sizeof alone

// pageSize is how many items a page has: what the first change after a
// snapshot copies.
const pageSize = 128

// paged is an array by number that grows as it is written, with nothing kept
// for ranges never written. It is copy-on-write by generation: a copy of the
// struct taken before the generation ends never changes after.
type paged[T any] struct {
	generation uint64 // that made the slice of pages
	pages      []*itemPage[T]
}

type itemPage[T any] struct {
	generation uint64
	items      [pageSize]T
}

// get is the item of a number, the zero T where none was written.
func (p *paged[T]) get(number uint32) (item T) {
	if index := int(number / pageSize); index < len(p.pages) && p.pages[index] != nil {
		return p.pages[index].items[number%pageSize]
	}
	return item
}

// at is where to write the item of a number. It is good until the generation
// ends.
func (p *paged[T]) at(number uint32, generation uint64) *T {
	index := int(number / pageSize)
	if p.generation != generation || index >= len(p.pages) {
		pages := make([]*itemPage[T], max(len(p.pages), index+1), max(cap(p.pages), index+1+index/8))
		copy(pages, p.pages)
		p.pages, p.generation = pages, generation
	}
	switch page := p.pages[index]; {
	case page == nil:
		p.pages[index] = &itemPage[T]{generation: generation}
	case page.generation != generation:
		p.pages[index] = &itemPage[T]{generation: generation, items: page.items}
	}
	return &p.pages[index].items[number%pageSize]
}

// bytes is the memory that the pages take, without what items refer to.
func (p *paged[T]) bytes() int64 {
	total := int64(cap(p.pages)) * 8
	for _, page := range p.pages {
		if page != nil {
			total += int64(unsafe.Sizeof(*page))
		}
	}
	return total
}
