package views

import (
	"slices"

	"cairn"
)

// arenaSize is how many ordinals have their keys in one arena.
const arenaSize = 128

// keys are the keys of ordinals, in arenas of arenaSize ordinals each: four
// bytes an ordinal beside the keys themselves.
type keys struct {
	arenas paged[*arena]
}

type arena struct {
	generation uint64
	ends       [arenaSize]uint32 // of each key in text
	text       []byte
}

func (a *arena) bounds(slot uint32) (start, end uint32) {
	if slot > 0 {
		start = a.ends[slot-1]
	}
	return start, a.ends[slot]
}

// get is the key of an ordinal, nil where it has none. It is not to be
// modified.
func (k *keys) get(ordinal uint32) cairn.Key {
	a := k.arenas.get(ordinal / arenaSize)
	if a == nil {
		return nil
	}
	start, end := a.bounds(ordinal % arenaSize)
	if start == end {
		return nil
	}
	return cairn.Key(a.text[start:end:end])
}

// set gives an ordinal a key; an empty one takes it away.
func (k *keys) set(ordinal uint32, key cairn.Key, generation uint64) {
	place := k.arenas.at(ordinal/arenaSize, generation)
	old := *place
	if old == nil {
		old = &arena{}
	}
	slot := ordinal % arenaSize
	start, end := old.bounds(slot)
	next := old
	if old.generation != generation {
		next = &arena{generation: generation, ends: old.ends}
	}
	if int(end) == len(old.text) && start == end {
		// Behind its end the text is the writer's, so growing it changes no
		// snapshot; and ordinals are mostly given out in ascending order.
		text := old.text
		text = append(text, key...)
		if slot == arenaSize-1 {
			text = slices.Clip(slices.Clone(text))
		}
		next.text = text
	} else {
		text := make([]byte, 0, len(old.text)-int(end-start)+len(key))
		text = append(text, old.text[:start]...)
		text = append(text, key...)
		text = append(text, old.text[end:]...)
		next.text = text
	}
	grown := uint32(len(key)) - (end - start) // modulo 2^32, as are the sums
	for i := slot; i < arenaSize; i++ {
		next.ends[i] += grown
	}
	*place = next
	if len(next.text) == 0 {
		*place = nil
	}
}

// bytes is the memory that the keys take, themselves included.
func (k *keys) bytes() int64 {
	total := k.arenas.bytes()
	for _, page := range k.arenas.pages {
		if page == nil {
			continue
		}
		for _, a := range page.items {
			if a != nil {
				total += 8 + 4*arenaSize + 24 + int64(cap(a.text))
			}
		}
	}
	return total
}
