package router

import (
	"cmp"
	"math"
	"slices"

	"cairn"
)

// nearEnough is how many rows a page passes over itself: fewer bytes than
// another two questions to each cluster would be worth.
const nearEnough = 256

// mostNarrowings bounds the search where writes move the rows faster than it
// narrows.
const mostNarrowings = 64

// seek finds a place before the page of the query's offset, over several
// clusters, that all rows up to it can be counted for: p.after, with p.skip
// rows to pass over from there. No cluster sends the rows in between.
//
// It narrows a window of rows in each cluster by pivots: the row that each
// cluster has at its share of the offset, the weighted median of them all, and
// how many rows each has up to that one. Aimed somewhat low, the pivot lies
// before the offset almost always where keys are spread by hash, and then
// about the square root of the offset is left; where they are not, the
// windows still lose a good part of what is to be passed over or of the rest
// each time (compare Frederickson and Johnson 1982, selection in sorted
// lists).
func (p *paging) seek() error {
	offset := p.query.Offset
	if offset <= nearEnough {
		p.skip = offset
		return nil
	}
	replaced, err := p.countRows()
	for tries := 0; err == nil && !replaced && !p.beyond && tries < mostNarrowings; tries++ {
		window := 0
		for _, part := range p.parts {
			window += part.window()
		}
		// What lies before the windows is passed over already.
		if p.skip = offset - p.before(); p.skip <= max(nearEnough, p.limit) || p.skip >= window {
			return nil
		}
		replaced, err = p.step(window)
	}
	if replaced {
		// Its rows have another order: what was found means nothing there.
		return p.seek()
	}
	p.skip = offset - p.before()
	return err
}

// step narrows the windows once.
func (p *paging) step(window int) (replaced bool, err error) {
	pivot, replaced, err := p.pivot(window)
	if err != nil || replaced {
		return replaced, err
	}
	if pivot != nil {
		if replaced, err = p.narrow(pivot); err != nil || replaced {
			return replaced, err
		}
	}
	// A part that came new, by a newer map, has no window yet; without a pivot
	// the windows are of rows that are gone.
	if pivot == nil || slices.ContainsFunc(p.parts, func(part *viewPart) bool { return part.missing == nil && !part.bounded }) {
		return p.countRows()
	}
	return false, nil
}

// window is how many rows a part may have on either side of the offset.
func (p *viewPart) window() int { return max(0, p.high-p.low) }

// before is how many rows lie before the windows.
func (p *paging) before() (rows int) {
	for _, part := range p.parts {
		if part.missing == nil {
			rows += part.low
		}
	}
	return rows
}

// countRows opens every part's window to all its rows.
func (p *paging) countRows() (replaced bool, err error) {
	p.after = nil
	replaced, err = p.gather(func(part *viewPart) {
		part.request.Asked, part.request.OrderBy, part.request.Fields = cairn.AskCount, nil, nil
	})
	if err != nil || replaced {
		return replaced, err
	}
	rows := 0
	for _, part := range p.parts {
		if part.reply != nil {
			part.low, part.high, part.bounded = 0, int(part.reply.Count), true
			rows += part.high
		}
	}
	p.beyond = p.query.Offset >= rows
	return false, nil
}

// candidate is a row that stands for a window.
type candidate struct {
	at     cairn.Position
	weight int
}

// pivot is a row to narrow the windows by; nil if there is none.
func (p *paging) pivot(window int) (_ *cairn.Position, replaced bool, err error) {
	aim := float64(p.skip) - 2*math.Sqrt(float64(p.skip))
	replaced, err = p.gather(func(part *viewPart) {
		rank := part.low + int(float64(part.window())*aim/float64(window))
		part.request.Offset, part.request.Limit, part.request.Fields = max(0, min(rank, part.high-1)), 1, nil
	})
	if err != nil || replaced {
		return nil, replaced, err
	}
	candidates := make([]candidate, 0, len(p.parts))
	total := 0
	for _, part := range p.parts {
		if weight := part.window(); part.reply != nil && weight > 0 && len(part.reply.Rows) > 0 {
			candidates = append(candidates, candidate{part.reply.Rows[0].Position, weight})
			total += weight
		}
	}
	slices.SortFunc(candidates, func(a, b candidate) int { return cmp.Or(p.order.Compare(a.at, b.at), cmp.Compare(a.weight, b.weight)) })
	passed := 0
	for i := range candidates {
		if passed += candidates[i].weight; 2*passed >= total {
			return &candidates[i].at, false, nil
		}
	}
	return nil, false, nil
}

// narrow cuts the windows off at a pivot, on the side where the offset is not.
func (p *paging) narrow(pivot *cairn.Position) (replaced bool, err error) {
	replaced, err = p.gather(func(part *viewPart) {
		part.request.Asked, part.request.After, part.request.Fields = cairn.AskRank, pivot, nil
	})
	if err != nil || replaced {
		return replaced, err
	}
	rank := 0
	for _, part := range p.parts {
		if part.reply != nil {
			rank += int(part.reply.Count)
		}
	}
	passed := rank <= p.query.Offset
	if passed {
		p.after = pivot
	}
	for _, part := range p.parts {
		switch {
		case part.reply == nil:
		case passed:
			part.low = int(part.reply.Count)
		default:
			part.high = min(part.high, int(part.reply.Count))
		}
	}
	return false, nil
}
