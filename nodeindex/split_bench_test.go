package nodeindex

import (
	"fmt"
	"testing"
	"time"

	"cairn"
)

// BenchmarkSplit splits a shard with three views into halves, all of whose entries are in
// the file: that is for how long its cluster's writes wait.
func BenchmarkSplit(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			var sum, used time.Duration
			for b.Loop() {
				b.StopTimer()
				m := benchMove(b, n)
				m.source.checkpoint()
				fillBench(b, m.source.x)
				a := m.a
				a.Revision = 20
				whole := m.a.Shards[0]
				left, right := whole, whole
				left.ID, left.Epoch, left.End = whole.ID+1000, 20, []byte{0x80}
				right.ID, right.Epoch, right.Start = whole.ID+1001, 20, []byte{0x80}
				a.Shards = append([]cairn.Shard{left, right}, m.a.Shards[1:]...)
				command, _ := m.source.x.Diff(a)
				b.StartTimer()
				began, before := time.Now(), cpu()
				if result := m.source.apply(command); result.Err != nil {
					b.Fatal(result.Err)
				}
				sum, used = sum+time.Since(began), used+cpu()-before
			}
			b.ReportMetric(float64(sum.Microseconds())/1000/float64(b.N), "pause-ms")
			b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "cpu-ms")
		})
	}
}
