package changelog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn"
)

// world is a change log beside what it must hold: the index's log, of which
// everything after the last checkpoint is replayed when it is opened again.
type world struct {
	t       *rapid.T
	dir     string
	options Options
	log     *Log

	records []Record // of the index's log, all there ever were
	index   uint64   // applied
	saved   uint64   // the last checkpoint's
	lost    []error
	copies  int
}

func (w *world) open() {
	log, err := Open(w.dir, w.saved, w.options)
	if err != nil {
		w.t.Fatalf("open: %v", err)
	}
	w.log = log
	// The index's log is replayed.
	for i := range w.records {
		if w.records[i].Index > w.saved {
			log.Append(&w.records[i])
		}
	}
}

// read reads a keyspace's records after an index to the end, in parts.
func (w *world) read(keyspace cairn.UID, after uint64, bytes int) ([]Record, error) {
	r := w.log.Reader(keyspace, after)
	var all []Record
	for r.At() < w.index {
		at := r.At()
		part, revision, err := r.Read(w.index, bytes)
		if err != nil {
			return nil, err
		}
		if len(part) > 0 && (part[0].Index <= at || part[len(part)-1].Index > r.At()) {
			w.t.Fatalf("a part from log index %d to %d, read after %d to %d", part[0].Index, part[len(part)-1].Index, at, r.At())
		}
		if revision > r.At() { // here every record's revision is its index
			w.t.Fatalf("a part up to log index %d has revision %d", r.At(), revision)
		}
		all = append(all, part...)
	}
	return all, nil
}

// check reads from everywhere.
func (w *world) check(bytes int) {
	floor := w.log.Floor()
	for keyspace := cairn.UID(1); keyspace <= 3; keyspace++ {
		for after := uint64(0); after <= w.index; after += 1 + w.index/7 {
			got, err := w.read(keyspace, after, bytes)
			if errors.Is(err, ErrGone) && after < floor {
				continue
			}
			if err != nil {
				w.t.Fatalf("after log index %d of a log from %d: %v", after, floor, err)
			}
			want := slices.DeleteFunc(slices.Clone(w.records), func(r Record) bool { return r.Keyspace != keyspace || r.Index <= after })
			if !slices.EqualFunc(got, want, equal) {
				w.t.Fatalf("keyspace %d after log index %d has %d records\n%v\nwanted %d\n%v", keyspace, after, len(got), got, len(want), want)
			}
		}
	}
}

func equal(a, b Record) bool {
	return a.Kind == b.Kind && a.Keyspace == b.Keyspace && a.Index == b.Index && a.Revision == b.Revision && a.Time == b.Time && slices.Equal(a.Payload, b.Payload)
}

// TestModel does what an index does, with crashes that lose any part of what
// was not synced: every change after the floor is read as it was appended, from
// wherever a reader begins, and nothing synced is given up but by the bounds.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: t, dir: filepath.Join(tempDir(t), "changes")}
		w.options = Options{
			Bytes:        int64(rapid.SampledFrom([]int{1 << 30, 3000, 20_000}).Draw(t, "bytes")),
			SegmentBytes: int64(rapid.SampledFrom([]int{200, 1000, 100_000}).Draw(t, "segment")),
			Age:          time.Hour,
			Lost:         func(err error) { w.lost = append(w.lost, err) },
		}
		w.open()
		t.Repeat(map[string]func(*rapid.T){
			"apply": func(t *rapid.T) {
				w.index += uint64(rapid.IntRange(1, 3).Draw(t, "entries"))
				for range rapid.IntRange(0, 3).Draw(t, "requests") {
					r := Record{
						Kind: Changes, Keyspace: cairn.UID(rapid.IntRange(1, 3).Draw(t, "keyspace")),
						Index: w.index, Revision: w.index, Time: int64(len(w.records)) * 1_000_000,
						Payload: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload"),
					}
					w.records = append(w.records, r)
					w.log.Append(&r)
				}
			},
			"checkpoint": func(t *rapid.T) {
				saved := uint64(rapid.IntRange(int(w.saved), int(w.index)).Draw(t, "saved"))
				w.log.Sync(saved)
				w.saved = saved
			},
			"sync and crash": func(*rapid.T) {
				w.log.Sync(w.index) // and the checkpoint was not written
				w.restart()
			},
			"crash": func(t *rapid.T) {
				w.log.flush()
				before := w.log.Floor()
				w.tear(t)
				w.restart()
				if floor := w.log.Floor(); floor > before && w.options.Bytes == 1<<30 {
					t.Fatalf("kept from log index %d before a crash, from %d after", before, floor)
				}
			},
			"install": func(*rapid.T) {
				w.index += 5
				w.saved, w.records = w.index, nil
				w.log.Restart(w.index)
			},
			"install and crash": func(*rapid.T) {
				w.index += 5 // the file has it, the change log has not heard
				w.saved, w.records = w.index, nil
				w.restart()
			},
			"": func(t *rapid.T) {
				w.check(rapid.SampledFrom([]int{1, 500, 1 << 20}).Draw(t, "part"))
				if len(w.lost) > 0 {
					t.Fatalf("told that changes were lost: %v", w.lost)
				}
			},
		})
		_ = w.log.Close()
	})
}

func tempDir(t *rapid.T) string {
	dir, err := os.MkdirTemp("", "changelog-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// restart goes on with a copy of the files as they are.
func (w *world) restart() {
	w.copies++
	dir := filepath.Join(filepath.Dir(w.dir), fmt.Sprintf("changes-%d", w.copies))
	if err := os.CopyFS(dir, os.DirFS(w.dir)); err != nil {
		w.t.Fatal(err)
	}
	_ = w.log.Close()
	w.dir = dir
	w.open()
}

// tear loses some of what the last segment got since it was synced. What was
// synced is known by the last mark in it, without which all of it may be lost.
func (w *world) tear(t *rapid.T) {
	if len(w.log.segments) == 0 {
		return
	}
	last := w.log.segments[len(w.log.segments)-1]
	file, err := os.OpenFile(last.path(w.dir), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	certain := int64(headerLength)
	end, err := scan(file, headerLength, last.size, func(offset int64, r Record) bool {
		if r.Kind == synced {
			certain = offset + frameLength + fixedLength
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	at := int64(rapid.IntRange(int(certain), int(end)).Draw(t, "torn"))
	switch rapid.IntRange(0, 2).Draw(t, "how") {
	case 0:
		err = file.Truncate(at)
	case 1:
		_, err = file.WriteAt(make([]byte, end-at), at)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestDamage flips a bit anywhere: what is read is right, or it is said that it
// is gone, and why.
func TestDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: t, dir: filepath.Join(tempDir(t), "changes")}
		w.options = Options{SegmentBytes: 1000, Lost: func(err error) { w.lost = append(w.lost, err) }}
		w.open()
		for i := range 60 {
			w.index++
			r := Record{Kind: Changes, Keyspace: cairn.UID(i%3 + 1), Index: w.index, Revision: w.index, Time: int64(i), Payload: make([]byte, i)}
			w.records = append(w.records, r)
			w.log.Append(&r)
			if i%20 == 10 {
				w.log.Sync(w.index)
				w.saved = w.index
			}
		}
		w.log.flush()
		s := w.log.segments[rapid.IntRange(0, len(w.log.segments)-1).Draw(t, "segment")]
		content, err := os.ReadFile(s.path(w.dir))
		if err != nil {
			t.Fatal(err)
		}
		content[rapid.IntRange(0, len(content)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if err := os.WriteFile(s.path(w.dir), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "restarted") {
			w.restart()
		}
		for range 2 {
			w.checkDamaged()
		}
		_ = w.log.Close()
	})
}

// checkDamaged reads all there is, which may be found gone on the way.
func (w *world) checkDamaged() {
	for after := uint64(0); after <= w.index; after += 7 {
		got, err := w.read(1, after, 1)
		want := slices.DeleteFunc(slices.Clone(w.records), func(r Record) bool { return r.Keyspace != 1 || r.Index <= after })
		switch {
		case errors.Is(err, ErrGone):
		case err != nil:
			w.t.Fatalf("after log index %d: %v", after, err)
		case !slices.EqualFunc(got, want, equal):
			w.t.Fatalf("after log index %d: %d records, wanted %d", after, len(got), len(want))
		}
	}
}
