package views

import (
	"encoding/binary"
	"math/bits"
)

// appendPacked appends numbers, at most imageBlock and at least one of them,
// as their least and their distances from it in as many bytes as the largest
// needs. Flags go into the first byte beside that width.
func appendPacked(out []byte, flags byte, numbers []uint64) []byte {
	least, most := numbers[0], numbers[0]
	for _, number := range numbers {
		least, most = min(least, number), max(most, number)
	}
	width := (bits.Len64(most-least) + 7) / 8
	out = append(out, flags|byte(width))
	out = binary.AppendUvarint(out, least)
	at := len(out)
	for _, number := range numbers {
		// Eight bytes each time, of which the next number overwrites those
		// that this one does not need.
		out = binary.LittleEndian.AppendUint64(out[:at], number-least)
		at += width
	}
	return out[:at]
}

// unpack reads the distances of numbers from the least of them.
func unpack(data []byte, width int, least uint64, numbers []uint64) {
	switch width {
	case 0:
		for i := range numbers {
			numbers[i] = least
		}
		return
	case 1:
		for i := range numbers {
			numbers[i] = least + uint64(data[i])
		}
		return
	}
	mask, at, i := ^uint64(0)>>(64-8*width), 0, 0
	for ; i < len(numbers) && at+8 <= len(data); i++ {
		numbers[i] = least + binary.LittleEndian.Uint64(data[at:])&mask
		at += width
	}
	for ; i < len(numbers); i++ {
		var last [8]byte
		copy(last[:], data[at:at+width])
		numbers[i] = least + binary.LittleEndian.Uint64(last[:])
		at += width
	}
}

// packed reads what appendPacked wrote, the first byte of which is read
// already, for so many numbers. It fails where a number is beyond 64 bits.
func (r *imageReader) packed(width int, numbers []uint64) {
	if width > 8 {
		r.fail("numbers of %d bytes", width)
	}
	least := r.uvarint()
	data := r.bytes(width * len(numbers))
	if r.err != nil {
		return
	}
	unpack(data, width, least, numbers)
	for _, number := range numbers {
		if number < least {
			r.fail("a number beyond 64 bits")
			return
		}
	}
}
