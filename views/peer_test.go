package views

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// peer is a program around the C implementation of roaring bitmaps.
func peer(t *testing.T) string {
	t.Helper()
	leaveOut := t.Skip
	if os.Getenv("CI") != "" {
		leaveOut = t.Fatal // .ci/run installs it
	}
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		leaveOut("NOT COMPARED WITH C: there is no gcc (apt-get install gcc libc6-dev libroaring-dev)")
	}
	if err := exec.Command(gcc, "-x", "c", "-include", "roaring/roaring.h", "-fsyntax-only", os.DevNull).Run(); err != nil {
		leaveOut("NOT COMPARED WITH C: there is no roaring/roaring.h (apt-get install libroaring-dev)")
	}
	program := filepath.Join(t.TempDir(), "peer")
	build := func(flags ...string) ([]byte, error) {
		flags = append(flags, "-Wall", "-Werror", "-o", program, filepath.Join("testdata", "peer.c"), "-lroaring")
		return exec.Command(gcc, flags...).CombinedOutput()
	}
	// Libraries before 1.1 can't be asked to look at all of a bitmap.
	if _, err := build("-DVALIDATE"); err != nil {
		if out, err := build(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Log("this libroaring has no roaring_bitmap_internal_validate: compared by content alone")
	}
	return program
}

// TestMembersAreReadByC writes the members of views in roaring's portable
// format, has them read and written by another implementation, and compares.
func TestMembersAreReadByC(t *testing.T) {
	program := peer(t)
	compare := func(name string, written []byte, members *roaring.Bitmap) {
		t.Helper()
		in, out := filepath.Join(t.TempDir(), "in"), filepath.Join(t.TempDir(), "out")
		if err := os.WriteFile(in, written, 0o600); err != nil {
			t.Fatal(err)
		}
		said, err := exec.Command(program, in, out).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, said)
		}
		sum := uint64(14695981039346656037)
		for it := members.Iterator(); it.HasNext(); {
			sum = (sum ^ uint64(it.Next())) * 1099511628211
		}
		if want := fmt.Sprintln(members.GetCardinality(), members.Minimum(), members.Maximum(), sum); string(said) != want {
			t.Errorf("%s: it reads %s, not %s", name, said, want)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		again := roaring.New()
		if _, err := again.ReadFrom(bytes.NewReader(data)); err != nil || again.Validate() != nil || !again.Equals(members) {
			t.Errorf("%s: what it writes differs (%v, %v)", name, err, again.Validate())
		}
	}

	b, err := NewBuilder(benchSchema, nil, benchDefinitions())
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(11, 12))
	shards := map[cairn.ShardID]*roaring.Bitmap{0: roaring.New(), 1: roaring.New()}
	// Blocks that are full, nearly so, and with few entries; and a last one.
	for _, block := range []struct {
		number uint32
		share  float64
	}{{0, 1}, {1, 0.5}, {7, 0.001}, {300, 0.01}} {
		for low := range uint32(1 << 16) {
			if random.Float64() >= block.share {
				continue
			}
			ordinal := block.number<<16 | low
			if err := b.Add(ordinal, benchKey(int(ordinal)), benchAttributes(random)); err != nil {
				t.Fatal(err)
			}
			shards[cairn.ShardID(low%2)].Add(ordinal)
		}
	}
	r, err := b.Finish(nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.withShards(shards)
	if err != nil {
		t.Fatal(err)
	}
	before := v.Snapshot()
	for range 60 { // fewer than are joined at once
		v.Delete(random.Uint32N(1<<17)|1, 1)
	}
	v.HideShard(0)
	for name, s := range map[string]*Snapshot{"as put": before, "changed and masked": v.Snapshot()} {
		for _, view := range []cairn.UID{viewRecent, viewRich, viewAll} {
			members, _, err := s.Export(view, 1)
			if err != nil {
				t.Fatal(err)
			}
			written, err := members.ToBytes()
			if err != nil {
				t.Fatal(err)
			}
			compare(fmt.Sprintf("%s, view %d", name, view), written, members)
			var streamed bytes.Buffer
			if _, err := members.WriteTo(&streamed); err != nil || !bytes.Equal(streamed.Bytes(), written) {
				t.Errorf("streamed, it is not what it is at once (%v)", err)
			}
			optimized := members.Clone()
			optimized.RunOptimize()
			if written, err = optimized.ToBytes(); err != nil {
				t.Fatal(err)
			}
			compare(fmt.Sprintf("%s, view %d with runs", name, view), written, members)
		}
	}
}
