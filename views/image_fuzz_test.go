package views

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// repaired is an image whose frames have the sums that they should have, so
// that what is changed in it gets past them.
func repaired(image []byte) []byte {
	out := bytes.Clone(image)
	var sum uint32
	for at := len(imageMagic); at+frameHeader <= len(out); {
		header := out[at : at+frameHeader]
		end := at + frameHeader + int(binary.LittleEndian.Uint32(header[1:]))
		if end > len(out) {
			break
		}
		sum = frameSum(sum, header[:5], out[at+frameHeader:end])
		binary.LittleEndian.PutUint32(header[5:], sum)
		at = end
	}
	return out
}

// FuzzLoad reads what may be an image, as it is and with its sums made right.
// It is refused as such or is projections that can be asked, changed and
// written; where nobody tampered with the sums, they agree as well.
func FuzzLoad(f *testing.F) {
	for _, entries := range []int{0, 1, 40, 200} {
		w, _ := filled(f, entries)
		f.Add(save(f, w.views.Snapshot()))
	}
	w, _ := filled(f, 2)
	definitions := plain(w.definitions)
	f.Fuzz(func(t *testing.T, image []byte) {
		if r := loadFuzzed(t, image, definitions); r != nil {
			if err := use(t, r, definitions).Check(); err != nil {
				t.Error(err)
			}
		}
		if r := loadFuzzed(t, repaired(image), definitions); r != nil {
			use(t, r, definitions)
		}
	})
}

func loadFuzzed(t *testing.T, image []byte, definitions []Definition) *Restored {
	t.Helper()
	r, err := Load(bytes.NewReader(image), testSchema, nil, definitions)
	if err == nil {
		return r
	}
	if kind := cairn.KindOf(err); kind != cairn.KindCorrupt && cairn.ReasonOf(err) != "IMAGE_SCHEMA" && cairn.ReasonOf(err) != "IMAGE_FORMAT" {
		t.Error(err)
	}
	return nil
}

// use does something with all that was restored.
func use(t *testing.T, r *Restored, definitions []Definition) *Views {
	t.Helper()
	r.Forget(roaring.BitmapOf(1, 5))
	if err := r.Put(5, cairn.Key("a key that no image has"), nil); err != nil {
		t.Fatal(err)
	}
	v, err := r.withShards(map[cairn.ShardID]*roaring.Bitmap{1: r.views.present.entries.read().Clone()})
	if err != nil {
		t.Fatal(err)
	}
	for v.Build(1000) {
		continue
	}
	s := v.Snapshot()
	for _, d := range definitions {
		p, err := s.Page(Query{Selection: Selection{View: d.View, Version: d.Version}, Limit: 3, Offset: 1, Fields: v.present.ids})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range p.Rows {
			v.Delete(row.Ordinal, 1)
		}
	}
	if err := s.Save(new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestFlippedBitsBehindTheSums changes each byte of an image and makes the
// sums right: what Load does not refuse must be of use.
func TestFlippedBitsBehindTheSums(t *testing.T) {
	w, _ := filled(t, 25)
	image := save(t, w.views.Snapshot())
	definitions := plain(w.definitions)
	refused := 0
	for i := range image {
		changed := bytes.Clone(image)
		changed[i] ^= 1 << (i % 8)
		if r := loadFuzzed(t, repaired(changed), definitions); r != nil {
			use(t, r, definitions)
		} else {
			refused++
		}
	}
	if refused < len(image)/4 {
		t.Errorf("%d of %d refused", refused, len(image))
	}
}

// TestHostileImagesTakeLittleMemory reads images that say much in few bytes.
func TestHostileImagesTakeLittleMemory(t *testing.T) {
	write := func(entries *roaring.Bitmap, rest func(w *imageWriter)) []byte {
		var out bytes.Buffer
		w := newImageWriter(&out)
		w.begin(sectionHeader)
		v := New(testSchema)
		v.present.entries = &bitmap{count: int(entries.GetCardinality())}
		w.header(&v.present, 1<<20, 1<<20)
		w.end()
		w.begin(sectionEntries)
		w.bitmap(entries)
		w.end()
		rest(w)
		return out.Bytes()
	}
	all := roaring.New()
	all.AddRange(0, 1<<32)
	keys := func(w *imageWriter) {
		w.begin(sectionKeys)
		for range 128 {
			w.uvarint(1)
		}
		_, _ = w.Write(make([]byte, 128))
		w.end()
	}
	block := roaring.New()
	block.AddRange(0, 128)
	for name, image := range map[string][]byte{
		"all ordinals, no key":   write(all, func(*imageWriter) {}),
		"all ordinals, few keys": write(all, keys),
		"many codes": write(block, func(w *imageWriter) {
			keys(w)
			w.begin(sectionAttribute)
			w.uvarint(1<<32 - 1)
			w.end()
		}),
		"many texts in order": write(block, func(w *imageWriter) {
			keys(w)
			w.begin(sectionAttribute)
			w.uvarint(0)
			w.uvarint(1<<32 - 1)
			w.end()
		}),
		"a large frame": append([]byte(imageMagic), 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Load(bytes.NewReader(image), testSchema, nil, nil)
		runtime.ReadMemStats(&after)
		requireKind(t, err, cairn.KindCorrupt, "IMAGE_CORRUPT")
		if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
			t.Errorf("%s: %d bytes of memory for an image of %d", name, n, len(image))
		}
	}
}
