package nodeindex

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"cairn"
)

// BenchmarkMove moves a shard with three views between two indexes in one
// process, with neither a log nor a network between. It reports how long the copy
// takes, read and staged, with the processor time at the target and the part that
// checkpoints have of it; that of a rebuild of the same views out of entries; and
// the pause, from the fence to the activation, with 1,000 writes still to be
// handed over.
func BenchmarkMove(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			var sum moveTimes
			for b.Loop() {
				b.StopTimer()
				m := benchMove(b, n)
				b.StartTimer()
				sum.add(m.measure(b, n))
			}
			per := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(b.N) }
			b.ReportMetric(per(sum.copied), "copy-ms")
			b.ReportMetric(per(sum.read), "read-ms")
			b.ReportMetric(per(sum.target), "target-cpu-ms")
			b.ReportMetric(per(sum.checkpoints), "checkpoint-cpu-ms")
			b.ReportMetric(per(sum.rebuild), "rebuild-cpu-ms")
			b.ReportMetric(per(sum.longest), "longest-command-ms")
			b.ReportMetric(per(sum.pause), "pause-ms")
			b.ReportMetric(per(sum.activation), "activation-ms")
		})
	}
}

type moveTimes struct {
	copied, read, target, checkpoints, rebuild, longest, pause, activation time.Duration
}

func (t *moveTimes) add(o moveTimes) {
	t.copied, t.read, t.target, t.checkpoints = t.copied+o.copied, t.read+o.read, t.target+o.target, t.checkpoints+o.checkpoints
	t.rebuild, t.longest, t.pause, t.activation = t.rebuild+o.rebuild, t.longest+o.longest, t.pause+o.pause, t.activation+o.activation
}

// benchMove is a source with a shard of n entries, all of them in its file, and
// views.
func benchMove(b *testing.B, n int) *moveTest {
	b.Helper()
	m := openMove(b, 1, Options{})
	m.source.x.db.NoSync, m.target.x.db.NoSync = true, true
	m.a.Revision++
	m.a.Keyspaces[0].Schema, m.a.Views = restartSchema(b), restartViews
	m.source.assign(m.a)
	random := rand.New(rand.NewPCG(1, 2))
	mutations := make([]cairn.Mutation, 0, 1000)
	for i := range n {
		if mutations = append(mutations, restartEntry(random, i)); len(mutations) == cap(mutations) || i == n-1 {
			m.source.write(mutations...)
			mutations = mutations[:0]
		}
	}
	return m
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func (m *moveTest) measure(b *testing.B, n int) (t moveTimes) {
	b.Helper()
	// stage is how long the target takes with a part, and a checkpoint if one is
	// due.
	stage := func(part []byte) (staged cairn.Staged) {
		before := cpu()
		commands, err := m.target.x.PrepareStage(m.moving, part)
		if err != nil {
			b.Fatal(err)
		}
		for _, command := range commands {
			began := time.Now()
			result := m.target.apply(command)
			if result.Err != nil {
				b.Fatal(result.Err)
			}
			t.longest = max(t.longest, time.Since(began))
			staged = result.Staged
		}
		t.target += cpu() - before
		before = cpu()
		for m.target.x.Work() {
		}
		t.target += cpu() - before
		if _, bytes := m.target.x.Pending(); bytes > 64<<20 {
			before := cpu()
			m.target.checkpoint()
			t.checkpoints += cpu() - before
		}
		return staged
	}
	m.source.checkpoint()
	began := time.Now()
	for staged := (cairn.Staged{}); !staged.Complete; {
		reading := time.Now()
		part, err := m.source.x.CopyShard(m.moving, staged.Last)
		if err != nil {
			b.Fatal(err)
		}
		t.read += time.Since(reading)
		staged = stage(part.Data)
		if staged.Copied == part.Index && len(staged.Last) > 0 {
			fillBench(b, m.target.x) // the first part brings the views
		}
	}
	t.copied = time.Since(began)

	random := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		var mutations []cairn.Mutation
		for range 10 {
			mutations = append(mutations, restartEntry(random, random.IntN(n)))
		}
		m.source.write(mutations...)
	}
	began = time.Now()
	fence := m.fence(b, 1, true)
	staged, _, err := m.target.x.StagedFor(m.moving)
	for err == nil && staged.Sealed == 0 {
		var part cairn.TailPart
		if part, err = m.source.x.TailShard(m.moving, staged.Through); err == nil {
			staged = stage(part.Data)
		}
	}
	if err != nil || staged.Digest != fence.Digest {
		b.Fatalf("%+v, %+v, %v", staged, fence, err)
	}
	_, target := m.commit(b, 20)
	activating := time.Now()
	m.target.assign(target)
	t.activation, t.pause = time.Since(activating), time.Since(began)
	if entries := m.target.x.Status().Entries; entries < uint64(n) {
		b.Fatalf("%d entries have arrived", entries)
	}

	m.target.checkpoint()
	m.target.close()
	m.target.open(Options{})
	before := cpu()
	fillBench(b, m.target.x)
	t.rebuild = cpu() - before
	return t
}

// fillBench makes the views of an index that can be made.
func fillBench(b *testing.B, x *Index) {
	b.Helper()
	if x.CheckpointWanted() {
		c, err := x.Freeze()
		if err != nil {
			b.Fatal(err)
		}
		index, term := c.Position()
		if err := c.Write(CheckpointMeta{Index: index, Term: term}); err != nil {
			b.Fatal(err)
		}
	}
	if err := x.FillViews(b.Context()); err != nil {
		b.Fatal(err)
	}
	for x.Work() {
	}
}
