package shardmap

import (
	"cmp"
	"math/bits"
	"slices"

	"cairn"
)

// ids tells where each shard of a keyspace begins. That says where it stands
// in the tree however the tree changes, and mostly never changes itself: a
// split or merge leaves the left shard its id.
//
// It is sparse, since ids are never used again: pages of 64 consecutive ids in
// blocks of 128 pages. It is immutable; with copies a page and its way up.
type ids struct {
	blocks []idBlock // ascending by number; none empty
}

type idBlock struct {
	number uint64
	pages  *[pagesPerBlock]*idPage
}

const (
	idsPerPage    = 64
	pagesPerBlock = 128
	idsPerBlock   = idsPerPage * pagesPerBlock
)

// idPage holds the starts of the present ids one after another.
type idPage struct {
	present uint64
	offsets []uint32 // one more than present ids
	flat    []byte
}

// idEdit sets where a shard begins, or removes it.
type idEdit struct {
	id     cairn.ShardID
	start  []byte
	remove bool
}

func (x ids) find(number uint64) (int, bool) {
	return slices.BinarySearchFunc(x.blocks, number, func(b idBlock, number uint64) int { return cmp.Compare(b.number, number) })
}

// get is where a shard begins, and whether there is one of that id.
func (x ids) get(id cairn.ShardID) ([]byte, bool) {
	i, found := x.find(uint64(id) / idsPerBlock)
	if !found {
		return nil, false
	}
	page := x.blocks[i].pages[id%idsPerBlock/idsPerPage]
	if page == nil {
		return nil, false
	}
	return page.get(uint(id % idsPerPage))
}

func (p *idPage) get(bit uint) ([]byte, bool) {
	if p.present&(1<<bit) == 0 {
		return nil, false
	}
	i := bits.OnesCount64(p.present & (1<<bit - 1))
	return p.flat[p.offsets[i]:p.offsets[i+1]], true
}

// with is x with edits made, which are ascending by id and of distinct ids.
func (x ids) with(edits []idEdit) ids {
	blocks := slices.Clone(x.blocks)
	for len(edits) > 0 {
		number := uint64(edits[0].id) / idsPerBlock
		n := countWhile(edits, func(e idEdit) bool { return uint64(e.id)/idsPerBlock == number })
		i, found := slices.BinarySearchFunc(blocks, number, func(b idBlock, number uint64) int { return cmp.Compare(b.number, number) })
		pages := new([pagesPerBlock]*idPage)
		if found {
			*pages = *blocks[i].pages
		}
		editPages(pages, edits[:n])
		empty := *pages == [pagesPerBlock]*idPage{}
		switch {
		case found && empty:
			blocks = slices.Delete(blocks, i, i+1)
		case found:
			blocks[i].pages = pages
		case !empty:
			blocks = slices.Insert(blocks, i, idBlock{number, pages})
		}
		edits = edits[n:]
	}
	return ids{blocks}
}

func editPages(pages *[pagesPerBlock]*idPage, edits []idEdit) {
	for len(edits) > 0 {
		number := edits[0].id % idsPerBlock / idsPerPage
		n := countWhile(edits, func(e idEdit) bool { return e.id%idsPerBlock/idsPerPage == number })
		pages[number] = pages[number].with(edits[:n])
		edits = edits[n:]
	}
}

// with is a page, nil for an empty one, with edits of its ids made.
func (p *idPage) with(edits []idEdit) *idPage {
	var starts [idsPerPage][]byte
	var present uint64
	if p != nil {
		present = p.present
		for rest := present; rest != 0; rest &= rest - 1 {
			bit := uint(bits.TrailingZeros64(rest))
			starts[bit], _ = p.get(bit)
		}
	}
	for _, e := range edits {
		bit := uint(e.id % idsPerPage)
		if e.remove {
			present &^= 1 << bit
		} else {
			present |= 1 << bit
			starts[bit] = e.start
		}
	}
	if present == 0 {
		return nil
	}
	size := 0
	for rest := present; rest != 0; rest &= rest - 1 {
		size += len(starts[bits.TrailingZeros64(rest)])
	}
	out := &idPage{present: present, offsets: make([]uint32, 1, bits.OnesCount64(present)+1), flat: make([]byte, 0, size)}
	for rest := present; rest != 0; rest &= rest - 1 {
		out.flat = append(out.flat, starts[bits.TrailingZeros64(rest)]...)
		out.offsets = append(out.offsets, uint32(len(out.flat)))
	}
	return out
}

func countWhile[T any](items []T, holds func(T) bool) int {
	n := 0
	for n < len(items) && holds(items[n]) {
		n++
	}
	return n
}
