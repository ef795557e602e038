package views

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkChunk is what a chunk of 128 numbers costs, by their width.
func BenchmarkChunk(b *testing.B) {
	for _, width := range []int{1, 3, 5, 8} {
		var c column
		for slot := range uint32(chunkSize) {
			c.set(slot, rand.Uint64()&reach(width), 1)
		}
		chunk := c.chunks.get(0)
		b.Run(fmt.Sprintf("within/width=%d", chunk.width), func(b *testing.B) {
			for b.Loop() {
				chunk.within(span{1, reach(width) / 2})
			}
		})
		b.Run(fmt.Sprintf("tally/width=%d", chunk.width), func(b *testing.B) {
			var t tally
			for b.Loop() {
				t.add(chunk, [chunkWords]uint64{0x1111111111111111, 0x1111111111111111})
			}
		})
	}
}
