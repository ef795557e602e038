package views

import (
	"iter"
	"slices"
	"strings"
)

// dictionary numbers the distinct strings of one attribute. A code stands for
// its string as long as any entry has it, and for another one later. Copies
// taken before a generation ends never change after.
type dictionary struct {
	texts  paged[string]
	order  codeOrder
	counts []uint32 // the writer's: how many entries have each code
	free   []uint32 // the writer's: codes to use again
}

// find is the code of a string.
func (d *dictionary) find(text string) (code uint32, found bool) {
	block, index, found := d.seek(text)
	if !found {
		return 0, false
	}
	return d.order.blocks[block].codes[index], true
}

// seek is where a string is in the order, or belongs.
func (d *dictionary) seek(text string) (block, index int, found bool) {
	block, found = slices.BinarySearchFunc(d.order.blocks, text, func(b *codeBlock, text string) int {
		return strings.Compare(d.texts.get(b.codes[0]), text)
	})
	if found {
		return block, 0, true
	}
	block = max(block-1, 0)
	if len(d.order.blocks) == 0 {
		return 0, 0, false
	}
	index, found = slices.BinarySearchFunc(d.order.blocks[block].codes, text, func(code uint32, text string) int {
		return strings.Compare(d.texts.get(code), text)
	})
	return block, index, found
}

// take is the code of a string for one more entry.
func (d *dictionary) take(text string, generation uint64) uint32 {
	block, index, found := d.seek(text)
	if found {
		code := d.order.blocks[block].codes[index]
		d.counts[code]++
		return code
	}
	var code uint32
	if last := len(d.free) - 1; last >= 0 {
		code, d.free = d.free[last], d.free[:last]
		d.counts[code] = 1
	} else {
		code = uint32(len(d.counts))
		d.counts = append(d.counts, 1)
	}
	*d.texts.at(code, generation) = strings.Clone(text)
	d.order.insert(block, index, code, generation)
	return code
}

// release takes a code from one entry, and reports whether it was the last.
func (d *dictionary) release(code uint32, generation uint64) (last bool) {
	if d.counts[code]--; d.counts[code] > 0 {
		return false
	}
	block, index, _ := d.seek(d.texts.get(code))
	d.order.remove(block, index, generation)
	*d.texts.at(code, generation) = ""
	d.free = append(d.free, code)
	return true
}

// distinct is how many strings there are.
func (d *dictionary) distinct() int { return d.order.size }

// between yields the codes of the strings from low on and before high, in
// order; all from low on if it is not bounded.
func (d *dictionary) between(low, high string, bounded bool) iter.Seq[uint32] {
	return func(yield func(code uint32) bool) {
		block, index, _ := d.seek(low)
		for ; block < len(d.order.blocks); block, index = block+1, 0 {
			for _, code := range d.order.blocks[block].codes[index:] {
				if bounded && d.texts.get(code) >= high {
					return
				}
				if !yield(code) {
					return
				}
			}
		}
	}
}

// all yields the codes of all strings, in their order.
func (d *dictionary) all() iter.Seq[uint32] { return d.between("", "", false) }

// bytes is about how much memory the dictionary takes.
func (d *dictionary) bytes() int64 {
	total := d.texts.bytes() + int64(4*(cap(d.counts)+cap(d.free)))
	for _, block := range d.order.blocks {
		total += 48 + int64(4*cap(block.codes))
		for _, code := range block.codes {
			total += int64(len(d.texts.get(code)))
		}
	}
	return total
}

// codeBlockSize is how many codes a block of an order has at most.
const codeBlockSize = 512

// codeOrder is the codes ascending by their strings, in blocks that are never
// empty.
type codeOrder struct {
	generation uint64
	blocks     []*codeBlock
	size       int
}

type codeBlock struct {
	generation uint64
	codes      []uint32
}

// edit readies a block for being written to.
func (o *codeOrder) edit(block int, generation uint64) *codeBlock {
	if o.generation != generation {
		o.blocks, o.generation = slices.Clone(o.blocks), generation
	}
	if block == len(o.blocks) {
		o.blocks = append(o.blocks, &codeBlock{generation: generation})
	}
	if b := o.blocks[block]; b.generation != generation {
		o.blocks[block] = &codeBlock{generation: generation, codes: slices.Clone(b.codes)}
	}
	return o.blocks[block]
}

func (o *codeOrder) insert(block, index int, code uint32, generation uint64) {
	b := o.edit(block, generation)
	b.codes = slices.Insert(b.codes, index, code)
	o.size++
	if len(b.codes) <= codeBlockSize {
		return
	}
	half := &codeBlock{generation: generation, codes: slices.Clone(b.codes[codeBlockSize/2:])}
	b.codes = b.codes[:codeBlockSize/2]
	o.blocks = slices.Insert(o.blocks, block+1, half)
}

func (o *codeOrder) remove(block, index int, generation uint64) {
	b := o.edit(block, generation)
	b.codes = slices.Delete(b.codes, index, index+1)
	o.size--
	if len(b.codes) == 0 {
		o.blocks = slices.Delete(o.blocks, block, block+1)
	}
}
