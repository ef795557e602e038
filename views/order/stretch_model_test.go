package order

import (
	"slices"

	"pgregory.net/rapid"
)

// found is what the model's digests say of members: how many there are, how many of them
// another view has, and the sum of their ordinals.
type found struct {
	members, others int
	sum             uint64
}

type foundKey struct{ of, other View }

// compareStretches reads parts of a view in parts and in digests, by leaves and by groups.
func (h held) compareStretches(t *rapid.T, v View, want []uint32) {
	other := View(rapid.IntRange(0, 9).Draw(t, "other"))
	from := rapid.IntRange(0, len(want)).Draw(t, "from")
	to := rapid.IntRange(0, len(want)).Draw(t, "to")
	begin, end := h.reader.At(v, from), h.reader.At(v, to)
	want = want[from:max(from, to)]
	isOther := func(ordinal uint32) bool { return slices.Contains(h.members[other], ordinal) }

	expected := found{members: len(want)}
	var both []uint32
	for _, ordinal := range want {
		expected.sum += uint64(ordinal)
		if isOther(ordinal) {
			expected.others++
			both = append(both, ordinal)
		}
	}
	var room [MostInPart]uint32
	read := func(also ...View) (ordinals []uint32) {
		for p := range begin.Parts(end, also) {
			some := p.Ordinals(&room)
			if len(some) == 0 || len(some) != p.Len() {
				t.Fatalf("a part of %d ordinals says %d", len(some), p.Len())
			}
			ordinals = append(ordinals, some...)
		}
		return ordinals
	}
	if got := read(); !slices.Equal(got, want) {
		t.Fatalf("view %d from %d to %d has %v, want %v", v, from, to, got, want)
	}
	if got := read(other); !slices.Equal(got, both) {
		t.Fatalf("views %d and %d from %d to %d have %v, want %v", v, other, from, to, got, both)
	}
	digests := Digests[found]{Key: foundKey{v, other}, Leaves: rapid.Bool().Draw(t, "leaves"),
		Add: func(to *found, p *Part) {
			to.members += p.Len()
			to.others += p.Count(other)
			for _, ordinal := range p.Ordinals(&room) {
				to.sum += uint64(ordinal)
			}
		},
		Join: func(to, from *found) {
			to.members, to.others, to.sum = to.members+from.members, to.others+from.others, to.sum+from.sum
		},
	}
	// With a bound it gets there some time or other: what was made is kept.
	if rapid.Bool().Draw(t, "bounded") {
		digests.Most = 3
		for range want {
			if _, done := digests.Between(begin, end); done {
				break
			}
		}
		digests.Most = 0
	}
	if got, done := digests.Between(begin, end); !done || got != expected {
		t.Fatalf("view %d from %d to %d digests to %+v (%v), want %+v", v, from, to, got, done, expected)
	}
}
