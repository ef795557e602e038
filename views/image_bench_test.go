package views

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// imageSizes are how many entries the benchmarks of images and of bulk
// building have; ten million take a few gigabytes, and so are asked for.
func imageSizes() []int {
	if os.Getenv("CAIRN_BENCH_LARGE") != "" {
		return []int{1_000_000, 10_000_000}
	}
	return []int{1_000_000}
}

// benchShards are the shards of fill.
func benchShards(entries int) map[cairn.ShardID]*roaring.Bitmap {
	out := map[cairn.ShardID]*roaring.Bitmap{}
	for i := range 16 {
		b := roaring.New()
		for ordinal := i; ordinal < entries; ordinal += 16 {
			b.Add(uint32(ordinal))
		}
		out[cairn.ShardID(i)] = b
	}
	return out
}

// counting counts what is written.
type counting struct{ bytes int64 }

func (c *counting) Write(data []byte) (int, error) {
	c.bytes += int64(len(data))
	return len(data), nil
}

// BenchmarkImage saves and loads the projections of six attributes and three
// views.
func BenchmarkImage(b *testing.B) {
	for _, entries := range imageSizes() {
		shards := benchShards(entries)
		var image bytes.Buffer
		b.Run(fmt.Sprintf("save/entries=%d", entries), func(b *testing.B) {
			keys, records := benchEntriesOf(entries)
			v, err := buildBench(b, keys, records).withShards(shards)
			if err != nil {
				b.Fatal(err)
			}
			s := v.Snapshot()
			var n counting
			cpu := processorTime()
			for b.Loop() {
				n.bytes = 0
				if err := s.Save(&n); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(n.bytes)
			b.ReportMetric((processorTime()-cpu).Seconds()/float64(b.N), "cpu-s/op")
			b.ReportMetric(float64(n.bytes)/float64(entries), "B/entry")
			image.Reset()
			if err := s.Save(&image); err != nil {
				b.Fatal(err)
			}
		})
		runtime.GC()
		b.Run(fmt.Sprintf("load/entries=%d", entries), func(b *testing.B) {
			b.SetBytes(int64(image.Len()))
			cpu := processorTime()
			for b.Loop() {
				r, err := Load(bytes.NewReader(image.Bytes()), benchSchema, nil, benchDefinitions())
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.withShards(shards); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((processorTime()-cpu).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

// processorTime is how long the process has run on any processor: what tells
// more than the time of day where others use the machine, too.
func processorTime() time.Duration { return usedTime(syscall.RUSAGE_SELF) }

// threadTime is the same of the thread.
func threadTime() time.Duration { return usedTime(syscall.RUSAGE_THREAD) }

func usedTime(of int) time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(of, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
