package nodeindex

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cairn"
)

// BenchmarkSnapshot has an index of 1,000,000 entries with views, with
// CAIRN_BENCH_LARGE=1 of 10,000,000 too, write a snapshot while writes and reads
// go on, and another one receive and install it while reads go on. Reported are
// the longest pause of an Apply and of a locate beside each.
func BenchmarkSnapshot(b *testing.B) {
	sizes := []int{1_000_000}
	if os.Getenv("CAIRN_BENCH_LARGE") != "" {
		sizes = append(sizes, 10_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("entries=%dM", n/1_000_000), func(b *testing.B) {
			dir := b.TempDir()
			fillForRestart(b, dir, n)
			path := filepath.Join(b.TempDir(), "snapshot")
			b.Run("write", func(b *testing.B) { benchmarkWriteSnapshot(b, dir, path) })
			b.Run("install", func(b *testing.B) { benchmarkInstall(b, path) })
		})
	}
}

func benchmarkWriteSnapshot(b *testing.B, dir, path string) {
	x, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	if err := x.KeepKeys(b.Context()); err != nil {
		b.Fatal(err)
	}
	index := x.Checkpointed().Index
	var bytes int64
	pauses := besides(b, x, func() {
		index++
		command := x.Prepare(testTime, []*cairn.WriteRequest{{Keyspace: testKeyspace, Mutations: []cairn.Mutation{put(testKey(int(index) * 7919 % 1_000_000))}}})
		x.Apply(index, 1, command)
	}, func() {
		for b.Loop() {
			snapshot, err := x.WriteSnapshot(path)
			if err != nil {
				b.Fatal(err)
			}
			bytes = snapshot.Bytes
		}
	})
	b.SetBytes(bytes)
	pauses.report(b)
}

func benchmarkInstall(b *testing.B, path string) {
	var received, installed time.Duration
	var worst pauses
	for b.Loop() {
		b.StopTimer()
		x, err := Open(b.TempDir(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		p := besides(b, x, nil, func() {
			start := time.Now()
			file, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			in, err := x.Receive()
			if err == nil {
				_, err = io.CopyBuffer(struct{ io.Writer }{in}, struct{ io.Reader }{file}, make([]byte, 32<<10))
			}
			if err == nil {
				_, err = in.Finish()
			}
			received += time.Since(start)
			start = time.Now()
			if err == nil {
				err = x.Install(in)
			}
			if err != nil {
				b.Fatal(err)
			}
			installed += time.Since(start)
			file.Close()
		})
		worst.read, worst.apply = max(worst.read, p.read), max(worst.apply, p.apply)
		b.StopTimer()
		if err := x.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	worst.report(b)
	b.ReportMetric(float64(received.Milliseconds())/float64(b.N), "receive-ms/op")
	b.ReportMetric(float64(installed.Milliseconds())/float64(b.N), "install-ms/op")
}

// pauses are the longest an Apply and a locate took.
type pauses struct{ apply, read time.Duration }

func (p pauses) report(b *testing.B) {
	b.ReportMetric(float64(p.apply.Microseconds())/1000, "apply-max-ms")
	b.ReportMetric(float64(p.read.Microseconds())/1000, "read-max-ms")
}

// besides measures applying, one command every millisecond, and locating
// beside something.
func besides(b *testing.B, x *Index, apply func(), something func()) pauses {
	b.Helper()
	var p pauses
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	keep := func(longest *time.Duration, do func()) {
		running.Go(func() {
			for ctx.Err() == nil {
				start := time.Now()
				do()
				*longest = max(*longest, time.Since(start))
				time.Sleep(time.Millisecond)
			}
		})
	}
	if apply != nil {
		keep(&p.apply, apply)
	}
	request := cairn.LocateRequest{Read: cairn.Read{Keyspace: testKeyspace}, WithAttributes: true, Keys: []cairn.Key{cairn.Key(testKey(77))}}
	keep(&p.read, func() {
		var reply cairn.LocateReply
		if err := x.Locate(&request, &reply); err != nil {
			b.Error(err)
		}
	})
	something()
	stop()
	running.Wait()
	return p
}
