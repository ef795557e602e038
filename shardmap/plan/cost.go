package plan

import (
	"math"

	"cairn"
)

// costUnit is how many units of cost one of the measure's is: costs are whole
// numbers of thousandths, so that their sums are the same in any order.
const costUnit = 1000

// maxCost bounds what all shards together cost, with room to add and subtract.
const maxCost = 1 << 62

// maxEntries bounds those of one shard, far above what an index can hold, so
// that the entries of all can be summed too.
const maxEntries = 1 << 40

// cost is what a load costs, in thousandths of the measure's unit, at least
// one: shards of which nothing is known are evened out by their number. It
// refuses (KindInvalid, LOAD_OUT_OF_RANGE) what is not a number, below 0 or too
// large to be summed.
//
// Each product is rounded by itself: a processor that adds to a product without
// rounding it would make another plan.
func (m Measure) cost(l Load) (uint64, error) {
	if l.Entries > maxEntries {
		return 0, cairn.Invalid("entries", "LOAD_OUT_OF_RANGE", "%d entries; a shard has at most %d", l.Entries, uint64(maxEntries))
	}
	var whole uint64
	for _, part := range []struct {
		field         string
		amount, price float64
	}{
		{"entries", float64(l.Entries), m.Entry},
		{"bytes", float64(l.Bytes), m.Byte},
		{"reads", l.Reads, m.Read},
		{"writes", l.Writes, m.Write},
	} {
		product := math.Round(float64(part.amount*part.price) * costUnit)
		if !(part.amount >= 0 && product <= maxCost/4) {
			return 0, cairn.Invalid(part.field, "LOAD_OUT_OF_RANGE", "%v at %v each; a load is a number, 0 or more, that can be summed", part.amount, part.price)
		}
		whole += uint64(product)
	}
	return max(whole, 1), nil
}
