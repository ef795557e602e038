package nodeindex

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cairn"
	"cairn/nodeindex/durable"
)

// BenchmarkLarge is of an index with 1,000,000 entries that came in random order
// of their keys, with CAIRN_BENCH_LARGE=1 of 20,000,000: what its file takes
// after loading and compacting it, by the bytes of its entries (key, nodes,
// version, attributes); how long it takes from opening it to the first locate when
// nothing of the file is in memory; and a locate of a random key, when all of the
// file is in memory and when nothing was a moment ago.
func BenchmarkLarge(b *testing.B) {
	n := 1_000_000
	if os.Getenv("CAIRN_BENCH_LARGE") != "" {
		n = 20_000_000
	}
	dir := b.TempDir()
	raw := fillLarge(b, dir, n)
	b.Run("size", func(b *testing.B) {
		before, after, err := Compact(durable.Disk{}, dir)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() { // there is nothing to repeat
		}
		b.ReportMetric(float64(before)/float64(raw), "loaded/raw")
		b.ReportMetric(float64(after)/float64(raw), "compacted/raw")
		b.ReportMetric(float64(raw)/float64(n), "raw-B/entry")
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			forget(b, dir)
			b.StartTimer()
			x := openLarge(b, dir)
			locateLarge(b, x, 1, n)
			b.StopTimer()
			closeLarge(b, x)
			b.StartTimer()
		}
	})
	for _, cached := range []bool{true, false} {
		name := "locate/file=on-disk"
		if cached {
			name = "locate/file=in-memory"
		}
		b.Run(name, func(b *testing.B) {
			if cached {
				if _, err := os.ReadFile(filepath.Join(dir, FileName)); err != nil {
					b.Fatal(err)
				}
			} else {
				forget(b, dir)
			}
			x := openLarge(b, dir)
			defer closeLarge(b, x)
			random := rand.New(rand.NewPCG(5, 6))
			for b.Loop() {
				locateLarge(b, x, random.Uint64N(uint64(n)), n)
			}
		})
	}
}

// fillLarge is how many bytes the entries have.
func fillLarge(b *testing.B, dir string, n int) (raw int64) {
	b.Helper()
	x := openLarge(b, dir)
	x.db.NoSync = true
	a := testAssignment(b, cairn.SchemeHash, 64)
	a.Keyspaces[0].Replicas = 1
	command, _ := x.Diff(a)
	r := replica{t: b, dir: dir, x: x}
	r.apply(command)
	mutations := make([]cairn.Mutation, 0, 10_000)
	for i := range n {
		m := put(benchKey(uint64(i)), size(int64(i)), name("customer"))
		entry := cairn.Entry{Key: m.Key, Attributes: m.Attributes, Version: cairn.Version{Epoch: 1, Index: uint64(i)}}
		raw += int64(len(appendRecord(nil, testKeyspace, &entry, nil))) - 5 + 1 // no length, no sum; one node
		mutations = append(mutations, m)
		if len(mutations) == cap(mutations) || i == n-1 {
			r.write(mutations...)
			mutations = mutations[:0]
		}
		if (i+1)%1_000_000 == 0 {
			r.checkpoint()
		}
	}
	r.checkpoint()
	closeLarge(b, x)
	return raw
}

func openLarge(b *testing.B, dir string) *Index {
	b.Helper()
	x, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	return x
}

func closeLarge(b *testing.B, x *Index) {
	b.Helper()
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
}

func locateLarge(b *testing.B, x *Index, i uint64, n int) {
	b.Helper()
	req := cairn.LocateRequest{Read: cairn.Read{Keyspace: testKeyspace}, Keys: []cairn.Key{cairn.Key(benchKey(i))}}
	var reply cairn.LocateReply
	if err := x.Locate(&req, &reply); err != nil || reply.Results[0].State != cairn.Found {
		b.Fatal(fmt.Sprintf("entry %d of %d:", i, n), err, reply.Results)
	}
}

// forget has the kernel drop what it keeps in memory of an index's files.
func forget(b *testing.B, dir string) {
	b.Helper()
	const dontNeed = 4 // POSIX_FADV_DONTNEED, posix_fadvise(2)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return err
		}
		if _, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, file.Fd(), 0, 0, dontNeed, 0, 0); errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond)
}
