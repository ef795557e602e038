package views

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"runtime"
	"slices"
	"sync"
	"unicode/utf8"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// Load reads an image that Save wrote, of a schema's attributes and the owner's
// columns as with New, for definitions that need not be those
// of then: a definition that the image has, by uid, version, filter and sort,
// is complete; any other is as after Define, to be built; and what the image
// has besides is passed over.
//
// Nothing of the image is used before it is known to be what a writer may
// write: sums, bounds, that bitmaps are bitmaps, that each entry has a key,
// that values are of their types, that codes have texts, that orders have each
// entry once and are in order, all of it compared. That members are those that
// the filter has, and that no two entries with different sort values have one
// key, is the writer's word, which the sums protect. No more memory is taken
// than the image gives reason to: some hundred times its length where it is
// made to do harm, and what the entries need where it is not.
//
// It uses as many goroutines as there are processors, and is done with them
// when it returns. It reads no further than the image goes. It refuses
//
//   - an image that is broken (KindCorrupt, IMAGE_CORRUPT)
//   - one of a later format (KindPrecondition, IMAGE_FORMAT)
//   - one of another schema: other indexed attributes, by id and type
//     (KindPrecondition, IMAGE_SCHEMA); build the projections from the entries
//   - a definition that Define refuses, as Define does
//
// and passes on that reading fails (KindUnavailable, IMAGE_UNREADABLE).
func Load(image io.Reader, schema *cairn.Schema, columns []cairn.AttributeSpec, definitions []Definition) (*Restored, error) {
	l := &loader{imageReader: newImageReader(image), views: New(schema, columns...), jobs: newJobs(nil)}
	l.ties = sync.OnceValue(func() *ties { return tiesOf(&l.views.present.keys, &l.blocks) })
	defer func() { _ = l.jobs.wait() }() // for the earlier returns
	for _, part := range []func(){l.header, l.entries, l.keys, l.attributes} {
		if part(); l.err != nil {
			return nil, l.err
		}
	}
	for i := range definitions {
		if err := l.views.Define(definitions[i]); err != nil {
			return nil, err
		}
	}
	for _, part := range []func(){l.members, l.orders, l.end} {
		if part(); l.err != nil {
			return nil, l.err
		}
	}
	if err := l.jobs.wait(); err != nil {
		return nil, err
	}
	l.views.setMembers(l.restored)
	return newRestored(l.views), nil
}

// loader is an image on the way to being projections.
type loader struct {
	*imageReader
	views *Views
	jobs  *jobs
	// size is how many entries there are; blocks are who they are.
	size                int
	blocks              paged[mask]
	viewsLeft, ordersOf int
	restored            map[int]*roaring.Bitmap // members by slot
	ties                func() *ties            // made when first asked for
}

// jobs runs functions, as many at once as there are processors.
type jobs struct {
	running sync.WaitGroup
	slots   chan struct{}
	// stop tells whether to give up; nil is never.
	stop  func() bool
	mutex sync.Mutex
	err   error // the first
}

func newJobs(stop func() bool) *jobs {
	return &jobs{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), stop: stop}
}

var errStopped = cairn.Errorf(cairn.KindUnavailable, "BUILD_STOPPED", "whoever builds the projections has no use for them any more")

// start runs a function as soon as it can, unless there is no need any more.
func (j *jobs) start(do func() error) {
	j.slots <- struct{}{}
	j.running.Go(func() {
		defer func() { <-j.slots }()
		if !j.stopped() {
			j.fail(do())
		}
	})
}

// fail notes an error.
func (j *jobs) fail(err error) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.err == nil {
		j.err = err
	}
}

// stopped tells whether to give up, and has wait say so.
func (j *jobs) stopped() bool {
	if j.stop == nil || !j.stop() {
		return false
	}
	j.fail(errStopped)
	return true
}

// wait waits for all of them and is the first error.
func (j *jobs) wait() error {
	j.running.Wait()
	return j.err
}

func (l *loader) header() {
	l.open(sectionHeader)
	if format := l.uvarint(); format != imageFormat {
		l.stop(cairn.Errorf(cairn.KindPrecondition, "IMAGE_FORMAT", "an image of format %d; this version reads %d; build the projections from the entries", format, imageFormat))
		return
	}
	l.size = l.count(1<<32, "entries")
	attributes := l.views.present.attributes
	same := l.count(cairn.MaxAttributes, "attributes") == len(attributes)
	for i := 0; same && i < len(attributes); i++ {
		id, kind := l.uvarint(), l.uvarint()
		same = id == uint64(attributes[i].spec.ID) && kind == uint64(attributes[i].spec.Type)
	}
	if !same {
		l.stop(cairn.Errorf(cairn.KindPrecondition, "IMAGE_SCHEMA", "an image of other attributes than the keyspace has; build the projections from the entries"))
		return
	}
	l.viewsLeft = l.count(1<<20, "views")
	l.ordersOf = l.count(1<<20, "orders")
}

func (l *loader) entries() {
	l.open(sectionEntries)
	entries := l.bitmap()
	if l.err == nil && int(entries.GetCardinality()) != l.size {
		l.fail("%d entries, counted as %d", entries.GetCardinality(), l.size)
	}
	w := &l.views.bitmaps
	l.views.present.entries = w.edit(nil)
	w.replace(l.views.present.entries, entries)
}

// keys reads the key of every entry, and notes who they are as it goes: an
// image of which the bitmap says much in few bytes ends here.
func (l *loader) keys() {
	l.open(sectionKeys)
	generation := l.views.bitmaps.generation
	lengths := make([]int, imageBlock)
	for block, present := range blocksOf(l.views.present.entries.read()) {
		n, total := present.count(), 0
		for i := range n {
			lengths[i] = l.count(cairn.MaxKeyLength, "bytes of a key")
			total += lengths[i]
			if lengths[i] == 0 {
				l.fail("an entry without a key")
			}
		}
		text := l.bytes(total)
		if l.err != nil {
			return
		}
		l.views.present.keys.setBlock(block, present, lengths[:n], text, generation)
		*l.blocks.at(block, generation) = present
	}
}

func (l *loader) attributes() {
	s := &l.views.present
	for i := range s.attributes {
		a := &s.attributes[i]
		l.open(sectionAttribute)
		if a.spec.Type == cairn.TypeString {
			l.dictionary(&a.dictionary)
		}
		if l.column(a); l.err != nil {
			return
		}
	}
	l.views.indexValues(&l.blocks, l.jobs)
}

// dictionary reads the texts and their order.
func (l *loader) dictionary(d *dictionary) {
	generation := l.views.bitmaps.generation
	used := 0
	for left := l.count(1<<32-1, "codes"); left > 0 && l.err == nil; left-- {
		length := l.count(cairn.MaxStringLength+1, "bytes of a text")
		if length == 0 {
			d.add("", false, generation)
			continue
		}
		text := string(l.bytes(length - 1))
		if !utf8.ValidString(text) {
			l.fail("a text that is not UTF-8")
		}
		d.add(text, true, generation)
		used++
	}
	if n := l.count(1<<32-1, "texts in order"); n != used {
		l.fail("%d texts, %d in order", used, n)
		return
	}
	codes := l.ordinals(used)
	free := make(map[uint32]bool, len(d.free))
	for _, code := range d.free {
		free[code] = true
	}
	for i, code := range codes {
		if int(code) >= len(d.counts) || free[code] || i > 0 && d.texts.get(codes[i-1]) >= d.texts.get(code) {
			l.fail("texts out of order")
			return
		}
	}
	d.arrange(codes, generation)
}

// column reads who has a value, and the values.
func (l *loader) column(a *attribute) {
	generation := l.views.bitmaps.generation
	var numbers [imageBlock]uint64
	for block, who := range eachBlock(&l.blocks) {
		present := who
		first := l.byte()
		width := int(first & blockWidth)
		switch first &^ blockWidth {
		case blockNone:
			continue
		case blockAll:
		case blockSome:
			bits := l.bytes(8 * blockWords)
			for i := range present {
				if bits != nil {
					present[i] = binary.LittleEndian.Uint64(bits[8*i:])
				}
			}
			if present == (mask{}) || !present.within(&who) {
				l.fail("a value without an entry")
			}
			width = int(l.byte())
		default:
			l.fail("a block that begins with %#x", first)
		}
		if l.err != nil {
			return
		}
		some := numbers[:present.count()]
		if l.packed(width, some); l.err != nil {
			return
		}
		if !a.accept(some) {
			l.fail("a number that no %s has", a.spec.Type)
			return
		}
		a.column.setBlock(block, present, some, generation)
	}
	if !a.dictionary.inUse() {
		l.fail("a text that no entry has, or a value without one")
	}
}

// ordinals reads so many ordinals or codes, for each of which the image has
// more than this already.
func (l *loader) ordinals(n int) []uint32 {
	out := make([]uint32, 0, n)
	var numbers [imageBlock]uint64
	for n > 0 && l.err == nil {
		some := numbers[:min(n, imageBlock)]
		l.packed(int(l.byte()), some)
		for _, number := range some {
			if number >= everyOrdinal {
				l.fail("an ordinal beyond 32 bits")
			}
			out = append(out, uint32(number))
		}
		n -= len(some)
	}
	if l.err != nil {
		return nil
	}
	return out
}

// members reads the views, and keeps the members of those that are defined as
// they were.
func (l *loader) members() {
	l.restored = map[int]*roaring.Bitmap{}
	entries := l.views.present.entries.read()
	for range l.viewsLeft {
		l.open(sectionView)
		uid, version := cairn.UID(l.uvarint()), l.uvarint()
		sum := l.bytes(sha256.Size)
		if l.err != nil {
			return
		}
		slot, w, found := l.views.present.find(uid, version)
		if !found {
			l.skip()
			continue
		}
		if want := w.fingerprint(); !slices.Equal(sum, want[:]) {
			l.skip()
			continue
		}
		members := l.bitmap()
		if l.err == nil && (l.restored[slot] != nil || members.AndCardinality(entries) != members.GetCardinality()) {
			l.fail("members of view %s version %d that are no entries", uid, version)
		}
		l.restored[slot] = members
	}
}

func (l *loader) end() {
	l.open(sectionEnd)
	if l.more() || !l.last {
		l.fail("there is more in its end")
	}
}
