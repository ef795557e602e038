package views

import (
	"cmp"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// top selects the first entries of a set in an order. It compares prefixes of
// the sort values, and whole entries only where those are equal.
type top struct {
	order *comparer
	// places are those of the codes of the first attribute in the order of
	// their values, if they fit a byte: the prefix then has room for the
	// second, without which the prefixes of few values would all be equal.
	places []uint64
	after  *position
	size   int
	heap   []ranked // the last on top
}

type ranked struct {
	prefix  uint64
	ordinal uint32
}

func newTop(order *comparer, size int) *top {
	t := &top{order: order, size: size, heap: make([]ranked, 0, size)}
	if len(order.fields) > 0 {
		t.places = order.state.attributes[order.fields[0]].places()
	}
	return t
}

// places are where the codes of an attribute stand among its values; nil if
// there are too many for a byte.
func (a *attribute) places() []uint64 {
	const most = 250
	if !a.indexed || a.dictionary.distinct() > most {
		return nil
	}
	out := make([]uint64, max(len(a.dictionary.counts), 2))
	for place, code := range a.allCodes() {
		out[code] = uint64(place)
	}
	return out
}

// prefix is 8 bytes such that where those of two entries differ, the entries
// are in their order.
func (t *top) prefix(ordinal uint32) uint64 {
	if t.places == nil {
		return t.order.Prefix(ordinal)
	}
	const absent = 255
	place := uint64(absent)
	if code, present := t.order.state.attributes[t.order.fields[0]].column.get(ordinal); present {
		if place = t.places[code]; t.order.sort[0].Descending {
			place = absent - 1 - place
		}
	}
	return place<<56 | t.order.prefixFrom(1, ordinal)>>8
}

func (t *top) compare(a, b ranked) int {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix)
	}
	return t.order.Compare(a.ordinal, b.ordinal)
}

// of is the first entries of a set, in order.
func (t *top) of(set *roaring.Bitmap) []uint32 {
	if t.size == 0 {
		return nil
	}
	var least uint64
	if t.after != nil && t.places == nil {
		least = t.after.Prefix()
	}
	var batch [512]uint32
	for it := set.ManyIterator(); ; {
		n := it.NextMany(batch[:])
		if n == 0 {
			break
		}
		for _, ordinal := range batch[:n] {
			prefix := t.prefix(ordinal)
			if prefix < least || len(t.heap) == t.size && prefix > t.heap[0].prefix {
				continue
			}
			if t.after != nil && (prefix == least || t.places != nil) && t.after.Compare(ordinal) <= 0 {
				continue
			}
			t.offer(ranked{prefix, ordinal})
		}
	}
	slices.SortFunc(t.heap, t.compare)
	out := make([]uint32, len(t.heap))
	for i, each := range t.heap {
		out[i] = each.ordinal
	}
	return out
}

// offer takes an entry in if it is before the last, which then goes.
func (t *top) offer(r ranked) {
	if len(t.heap) < t.size {
		t.heap = append(t.heap, r)
		for i := len(t.heap) - 1; i > 0; {
			parent := (i - 1) / 2
			if t.compare(t.heap[i], t.heap[parent]) <= 0 {
				return
			}
			t.heap[i], t.heap[parent] = t.heap[parent], t.heap[i]
			i = parent
		}
		return
	}
	if t.compare(r, t.heap[0]) >= 0 {
		return
	}
	t.heap[0] = r
	for i := 0; ; {
		last := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(t.heap); child++ {
			if t.compare(t.heap[child], t.heap[last]) > 0 {
				last = child
			}
		}
		if last == i {
			return
		}
		t.heap[i], t.heap[last] = t.heap[last], t.heap[i]
		i = last
	}
}
