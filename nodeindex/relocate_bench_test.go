package nodeindex

import (
	"fmt"
	"testing"
	"time"

	"cairn"
)

// BenchmarkRelocate has about half of the entries of a shard with three views change
// nodes, all of which are in the file: that is for how long its writes wait beside the
// protocol, and all others of the cluster's.
func BenchmarkRelocate(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			var sum, used time.Duration
			var leaving uint64
			for b.Loop() {
				b.StopTimer()
				m := benchMove(b, n)
				m.source.checkpoint()
				fillBench(b, m.source.x)
				m.moving.Relocation = drained
				leaving = m.source.x.Status().Shards[0].NodeEntries[1]
				m.fence(b, 1, true)
				a := m.a
				a.Revision, a.Shards = 20, []cairn.Shard{m.a.Shards[0]}
				a.Shards[0].Epoch, a.Shards[0].Move = 20, m.moving.Move
				command, _ := m.source.x.Diff(a)
				b.StartTimer()
				began, before := time.Now(), cpu()
				if result := m.source.apply(command); result.Err != nil {
					b.Fatal(result.Err)
				}
				sum, used = sum+time.Since(began), used+cpu()-before
				if left := m.source.x.Status().Shards[0].NodeEntries[1]; left != 0 {
					b.Fatalf("%d entries are left", left)
				}
			}
			b.ReportMetric(float64(sum.Microseconds())/1000/float64(b.N), "pause-ms")
			b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "cpu-ms")
			b.ReportMetric(float64(leaving), "leaving")
		})
	}
}
