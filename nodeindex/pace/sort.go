package pace

import "slices"

// run is how many items are sorted in one go, or merged between looks: some hundred
// microseconds' work at most.
const run = 1024

// SortFunc sorts as slices.SortFunc does, with rests. It needs as much room again
// as the items take.
func SortFunc[E any](p *Pacer, items []E, compare func(a, b E) int) {
	for some := range slices.Chunk(items, run) {
		slices.SortFunc(some, compare)
		p.Look()
	}
	if len(items) <= run {
		return
	}
	from, to := items, make([]E, len(items))
	for width := run; width < len(items); width *= 2 {
		for at := 0; at < len(items); at += 2 * width {
			middle, end := min(at+width, len(items)), min(at+2*width, len(items))
			merge(p, to[at:end], from[at:middle], from[middle:end], compare)
		}
		from, to = to, from
	}
	if &from[0] != &items[0] {
		copy(items, from)
	}
}

// merge puts what is in two sorted lists into one that is as long as both.
func merge[E any](p *Pacer, to, a, b []E, compare func(a, b E) int) {
	for i := range to {
		if len(b) == 0 || len(a) > 0 && compare(a[0], b[0]) <= 0 {
			to[i], a = a[0], a[1:]
		} else {
			to[i], b = b[0], b[1:]
		}
		if i%run == 0 {
			p.Look()
		}
	}
}
