package views

import (
	"time"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// accept reports whether all of some numbers, of which there is at least one,
// are those of values of the attribute. Codes are counted.
func (a *attribute) accept(numbers []uint64) bool {
	least, most := numbers[0], numbers[0]
	for _, number := range numbers {
		least, most = min(least, number), max(most, number)
	}
	switch a.spec.Type {
	case cairn.TypeString:
		if most >= uint64(len(a.dictionary.counts)) {
			return false
		}
		for _, code := range numbers {
			a.dictionary.counts[code]++
		}
		return true
	case cairn.TypeBool:
		return most <= 1
	case cairn.TypeFloat:
		// What is no number is beyond either infinity, so these two tell.
		_, low := cairn.Float(floatOfRank(least))
		_, high := cairn.Float(floatOfRank(most))
		if low != nil || high != nil {
			return false
		}
		for _, number := range numbers {
			if number == signBit-1 {
				return false // negative zero has the rank of zero
			}
		}
		return true
	case cairn.TypeTimestamp:
		_, low := cairn.Timestamp(time.UnixMicro(intOfRank(least)))
		_, high := cairn.Timestamp(time.UnixMicro(intOfRank(most)))
		return low == nil && high == nil
	default:
		return true
	}
}

// bitmapsOfValues makes the bitmap of each value, by its number in the column.
func (a *attribute) bitmapsOfValues(entries *paged[mask]) []*roaring.Bitmap {
	codes := 2
	if a.spec.Type == cairn.TypeString {
		codes = len(a.dictionary.counts)
	}
	out := make([]*roaring.Bitmap, codes)
	waiting := make([][]uint32, codes)
	flush := func(code uint64) {
		if out[code] == nil {
			out[code] = roaring.New()
		}
		out[code].AddMany(waiting[code])
		waiting[code] = waiting[code][:0]
	}
	var numbers [imageBlock]uint64
	for block := range eachBlock(entries) {
		present, _ := a.column.block(block, &numbers)
		n := 0
		present.each(func(slot uint32) {
			code := numbers[n]
			n++
			waiting[code] = append(waiting[code], block*imageBlock+slot)
			if len(waiting[code]) == 4096 {
				flush(code)
			}
		})
	}
	for code := range waiting {
		if len(waiting[code]) > 0 {
			flush(uint64(code))
		}
	}
	return out
}

// setValues puts the bitmaps of values in their places.
func (a *attribute) setValues(values []*roaring.Bitmap, w *bitmaps) {
	for code, b := range values {
		if b == nil {
			continue
		}
		place := a.values.at(uint32(code), w.generation)
		*place = w.edit(nil)
		w.replace(*place, b)
	}
}
