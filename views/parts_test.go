package views

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

// TestBitmap compares bitmaps of several generations with sets.
func TestBitmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &bitmaps{generation: 1}
		var b *bitmap
		set := map[uint32]bool{}
		type frozen struct {
			b   *bitmap
			set map[uint32]bool
		}
		var snapshots []frozen
		for range rapid.IntRange(1, 12).Draw(t, "generations") {
			for range rapid.SampledFrom([]int{1, 5, 200, 400}).Draw(t, "changes") {
				ordinal := rapid.Uint32Range(0, 500).Draw(t, "ordinal") * 700
				b = w.edit(b)
				w.set(b, ordinal, !set[ordinal])
				if set[ordinal] = !set[ordinal]; !set[ordinal] {
					delete(set, ordinal)
				}
				if b.contains(ordinal) != set[ordinal] {
					t.Fatalf("contains(%d) is %v", ordinal, !set[ordinal])
				}
			}
			w.freeze()
			snapshots = append(snapshots, frozen{b, maps.Clone(set)})
		}
		for i, s := range snapshots {
			want := roaring.BitmapOf(slices.Collect(maps.Keys(s.set))...)
			if !s.b.read().Equals(want) || s.b.size() != len(s.set) {
				t.Fatalf("snapshot %d has %v (%d), want %v", i, s.b.read(), s.b.size(), want)
			}
		}
	})
}

// TestColumn compares a column, its scans and its tallies with a map.
func TestColumn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c, before column
		numbers, numbersBefore := map[uint32]uint64{}, map[uint32]uint64{}
		high := ^uint64(0) >> (8 * rapid.IntRange(0, 7).Draw(t, "bytes fewer"))
		low := rapid.Uint64Max(^high).Draw(t, "low")
		number := rapid.Uint64Range(low, low+high)
		for generation := uint64(1); generation <= 2; generation++ {
			before, numbersBefore = c, maps.Clone(numbers)
			for range rapid.IntRange(0, 300).Draw(t, "changes") {
				ordinal := rapid.Uint32Range(0, 300).Draw(t, "ordinal") * 97 % 3_000
				if rapid.Bool().Draw(t, "far") {
					ordinal += blockSize * pageSize
				}
				if rapid.IntRange(0, 4).Draw(t, "unset") == 0 {
					c.unset(ordinal, generation)
					delete(numbers, ordinal)
					continue
				}
				numbers[ordinal] = number.Draw(t, "number")
				c.set(ordinal, numbers[ordinal], generation)
			}
		}
		one, two := number.Draw(t, "one"), number.Draw(t, "two")
		compareColumn(t, &before, numbersBefore, span{min(one, two), max(one, two)})
		compareColumn(t, &c, numbers, span{min(one, two), max(one, two)})
	})
}

func compareColumn(t *rapid.T, c *column, numbers map[uint32]uint64, s span) {
	all, within := roaring.New(), roaring.New()
	count, least, most, sum := 0, ^uint64(0), uint64(0), cairn.IntSum{}
	for ordinal, number := range numbers {
		if got, has := c.get(ordinal); !has || got != number {
			t.Fatalf("%d has %d (%v), want %d", ordinal, got, has, number)
		}
		all.Add(ordinal)
		if number < s.low || number > s.high {
			continue
		}
		within.Add(ordinal)
		count, least, most = count+1, min(least, number), max(most, number)
		sum = sum.Add(cairn.IntSum{Low: number})
	}
	var room denseSets
	in := tester{span: s}
	if got := room.narrow(c, nil, in.keep); !got.Equals(within) {
		t.Fatalf("within %v are %v, want %v", s, got, within)
	}
	more := all.Clone()
	more.AddRange(0, 4_000) // ordinals without a number, too
	if got := room.narrow(c, more, in.keep); !got.Equals(within) {
		t.Fatalf("narrowed to %v are %v, want %v", s, got, within)
	}
	if got := c.pick(all, &in); !got.Equals(within) {
		t.Fatalf("picked %v, want %v", got, within)
	}
	got := tally{kind: cairn.TypeInt}
	c.eachRun(untested(within), got.add)
	if got.count != count || count > 0 && (got.least != least || got.most != most || got.sum != sum) {
		t.Fatalf("tally %+v, want %d from %d to %d, in all %v", got, count, least, most, sum)
	}
	byBlocks := tally{kind: cairn.TypeInt}
	for at := range uint32(len(c.blocks.pages) * pageSize) {
		var which blockBits
		for slot := range uint32(blockSize) {
			if within.Contains(at*blockSize + slot) {
				which.set(slot)
			}
		}
		if which != (blockBits{}) {
			var known blockTally
			known.look(c.blocks.get(at), &which, cairn.TypeInt)
			byBlocks.merge(&known)
		}
	}
	byBlocks.floats, got.floats = compensated{}, compensated{} // ranks of ints are not those of floats
	if byBlocks != got {
		t.Fatalf("tally by blocks %+v, by ordinals %+v", byBlocks, got)
	}
}

// TestDictionary compares a dictionary of many strings with a map of counts.
func TestDictionary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d, before dictionary
		codes := map[string][]uint32{}
		var was []string
		for generation := uint64(1); generation <= 3; generation++ {
			before, was = d, slices.Sorted(maps.Keys(codes))
			for i := range rapid.SampledFrom([]int{10, 100, 1500}).Draw(t, "strings") {
				text := fmt.Sprintf("%x", uint32(i)*rapid.Uint32Range(1, 3).Draw(t, "factor")*2654435761)
				if held := codes[text]; len(held) > 0 && i%3 == 0 {
					if last := d.release(held[0], generation); last != (len(held) == 1) {
						t.Fatalf("%s was the last: %v", text, last)
					}
					if codes[text] = held[1:]; len(held) == 1 {
						delete(codes, text)
					}
					continue
				}
				codes[text] = append(codes[text], d.take(text, generation))
			}
		}
		compareDictionary(t, &before, was)
		compareDictionary(t, &d, slices.Sorted(maps.Keys(codes)))
		for text, held := range codes {
			if code, found := d.find(text); !found || code != held[0] || d.counts[code] != uint32(len(held)) {
				t.Fatalf("%s is %d (%v), want %d", text, code, found, held[0])
			}
		}
	})
}

func compareDictionary(t *rapid.T, d *dictionary, want []string) {
	texts := func(low, high string, bounded bool) (out []string) {
		for code := range d.between(low, high, bounded) {
			out = append(out, d.texts.get(code))
		}
		return out
	}
	if got := texts("", "", false); !slices.Equal(got, want) || d.distinct() != len(want) {
		t.Fatalf("%d strings, want %d", len(got), len(want))
	}
	from, _ := slices.BinarySearch(want, "5")
	to, _ := slices.BinarySearch(want, "9a")
	if got := texts("5", "9a", true); !slices.Equal(got, want[from:to]) {
		t.Fatalf("between are %v, want %v", got, want[from:to])
	}
}

// TestKeys compares keys of several generations with maps.
func TestKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var k keys
		held := map[uint32]string{}
		type frozen struct {
			k    keys
			held map[uint32]string
		}
		var snapshots []frozen
		for generation := uint64(1); generation <= 4; generation++ {
			for range rapid.IntRange(0, 60).Draw(t, "changes") {
				ordinal := rapid.Uint32Range(100, 140).Draw(t, "ordinal")
				key := rapid.StringN(0, 9, -1).Draw(t, "key")
				k.set(ordinal, cairn.Key(key), generation)
				held[ordinal] = key
			}
			snapshots = append(snapshots, frozen{k, maps.Clone(held)})
		}
		for _, s := range snapshots {
			for ordinal := uint32(90); ordinal < 150; ordinal++ {
				if got := string(s.k.get(ordinal)); got != s.held[ordinal] {
					t.Fatalf("%d has %q, want %q", ordinal, got, s.held[ordinal])
				}
			}
		}
	})
}
