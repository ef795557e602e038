package cairn

import (
	"cmp"
	"slices"
	"strings"
)

// Suggest is what may have been meant by a name that no attribute has, as the
// end of a sentence: "; did you mean length or width?", or nothing.
func (s *Schema) Suggest(name string) string {
	near := s.nearest(name)
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near, " or ") + "?"
}

// nearest are the names of attributes that a wrong one may stand for, at most
// three, the likeliest first.
func (s *Schema) nearest(name string) []string {
	const mostNames, longest = 3, 63
	if len(name) > longest {
		return nil
	}
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	lower := strings.ToLower(name)
	for _, attribute := range s.byName {
		distance := editDistance(lower, strings.ToLower(attribute.Name))
		switch {
		case distance <= max(1, len(name)/3):
			found = append(found, candidate{attribute.Name, distance})
		case len(name) >= 3 && strings.Contains(strings.ToLower(attribute.Name), lower):
			found = append(found, candidate{attribute.Name, longest})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name))
	})
	var names []string
	for _, each := range found[:min(len(found), mostNames)] {
		names = append(names, each.name)
	}
	return names
}

// editDistance is the optimal string alignment distance: how many insertions,
// deletions, replacements and exchanges of neighbours lie between a and b.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
