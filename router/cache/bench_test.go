package cache_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cairn"
	"cairn/router/cache"
)

// BenchmarkGet finds keys among a million, from as many goroutines as -cpu says: in
// random order, which is mostly the time to wait for memory, and by a zipf distribution.
// A map of Go's that has as much to say beside it.
func BenchmarkGet(b *testing.B) {
	const entries = 1_000_000
	c := cache.New(cache.Options{Bytes: 1 << 30, Bound: time.Hour})
	s, _ := c.Open(things)
	s.Begin(cairn.Answer{Index: 10, Revision: 3})
	keys, beside := make([]cairn.Key, entries), make(map[string]*cairn.Located, entries)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "customer-%011d", i)
		c.Fill(s, keys[i], found(12, 7))
		beside[string(keys[i])] = found(12, 7).Located
	}
	random := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(random, 1.1, 1, entries-1)
	for _, way := range []struct {
		name string
		next func() uint64
	}{
		{"uniform", func() uint64 { return random.Uint64N(entries) }},
		{"zipf", zipf.Uint64},
	} {
		// One beside the other, as a key that has just come in a request is at hand.
		picks := make([]cairn.Key, 1<<18)
		var room []byte
		for i := range picks {
			room = append(room, keys[way.next()]...)
			picks[i] = room[len(room)-len(keys[0]):]
		}
		for _, level := range []cairn.Level{cairn.Eventual, cairn.AtLeast} {
			b.Run(fmt.Sprintf("%s/%s", way.name, level), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					ask := asked("", level, 10)
					for i := rand.IntN(len(picks)); pb.Next(); i++ {
						ask.Key = picks[i%len(picks)]
						if _, outcome := c.Get(ask); outcome != cache.Hit {
							b.Errorf("outcome %d", outcome)
							return
						}
					}
				})
			})
		}
		b.Run(way.name+"/map", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(len(picks)); pb.Next(); i++ {
					if beside[string(picks[i%len(picks)])].Stamp.Index != 12 {
						b.Error("another index")
						return
					}
				}
			})
		})
	}
}
