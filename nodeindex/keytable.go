package nodeindex

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
	"unsafe"

	"cairn"
	"cairn/nodeindex/pace"
)

// keyTable holds what stands under each key of one keyspace's bucket, as one
// checkpoint left it. Finding a key in a B+tree takes about ten waits for
// memory, one after another; here it takes two or three. A table is immutable:
// the next checkpoint's shares the pages that did not change.
type keyTable struct {
	seed maphash.Seed
	// pages by the first bits of the keys' hashes, a power of two of them.
	pages []keyPage
	shift int // of a hash, to its page
	count int
	bytes int64
}

// keyPage is some entries, in no order: their number n (2 bytes), n tags (2
// bytes each: the last bits of the hashes), n ends (4 bytes each: where in
// what follows each entry ends), and the entries: the length of the key (2
// bytes), the key, the value. Nil has none.
type keyPage []byte

// keysAPage is how many entries a page has on average, at the most, before the
// table is made anew with twice as many.
const keysAPage = 12

// keyChange is what a checkpoint makes of a key; a nil value takes it away.
type keyChange struct {
	key, value []byte
}

// newKeyTable makes a table of about count entries, each of which it copies;
// it may go through all of them twice. It is nil if they take more than most
// bytes, or if all ends with false.
func newKeyTable(count int, most int64, all func(yield func(key, value []byte) bool) bool) *keyTable {
	pageBits := bits.Len(uint(count / (keysAPage / 2)))
	t := &keyTable{seed: maphash.MakeSeed(), pages: make([]keyPage, 1<<pageBits), shift: 64 - pageBits}
	t.bytes = int64(len(t.pages)) * int64(unsafe.Sizeof(t.pages[0]))
	drafts := make([]keyDraft, len(t.pages))
	var pacer pace.Pacer
	whole := all(func(key, value []byte) bool {
		pacer.Step()
		hash := maphash.Bytes(t.seed, key)
		t.bytes += drafts[hash>>t.shift].add(uint16(hash), key, value)
		t.count++
		return t.bytes <= most
	})
	if !whole || t.bytes > most {
		return nil
	}
	if t.count > keysAPage*len(t.pages) {
		return newKeyTable(t.count, most, all)
	}
	for i := range drafts {
		pacer.Step()
		t.pages[i] = drafts[i].page()
		drafts[i] = keyDraft{}
	}
	return t
}

// find is what stands under a key, nil if nothing does.
func (t *keyTable) find(key []byte) []byte {
	hash := maphash.Bytes(t.seed, key)
	return t.pages[hash>>t.shift].find(uint16(hash), key)
}

// together is how many keys findAll asks memory for at once.
const together = 32

// findAll is find for many keys; values is as long as keys. A find waits for memory two or
// three times, each time for where the next wait is; many keys' waits, none of which needs
// another's outcome, pass together. What it returns means nothing; it is there so that the
// reads are not left out.
func (t *keyTable) findAll(keys []cairn.Key, values [][]byte) (sum int) {
	var pages [together]keyPage
	var tags [together]uint16
	var first [together]int
	var bodies [together][]byte
	for len(keys) > 0 {
		n := min(len(keys), together)
		for i, key := range keys[:n] {
			hash := maphash.Bytes(t.seed, key)
			pages[i], tags[i] = t.pages[hash>>t.shift], uint16(hash)
		}
		for _, p := range pages[:n] {
			sum += p.entries()
		}
		for i, p := range pages[:n] {
			entries := p.entries()
			if first[i] = p.next(tags[i], 0, entries); first[i] < entries {
				bodies[i] = p.body(first[i], entries)
			} else {
				bodies[i] = nil
			}
		}
		for _, body := range bodies[:n] {
			if len(body) > 0 {
				sum += int(body[len(body)-1])
			}
		}
		for i, body := range bodies[:n] {
			if values[i] = nil; body == nil {
				continue
			}
			if found, value := split(body); bytes.Equal(found, keys[i]) {
				values[i] = value
			} else {
				values[i] = pages[i].findFrom(first[i]+1, tags[i], keys[i])
			}
		}
		keys, values = keys[n:], values[n:]
	}
	return sum
}

func (p keyPage) find(tag uint16, key []byte) []byte { return p.findFrom(0, tag, key) }

// findFrom looks at the entries from a place on.
func (p keyPage) findFrom(from int, tag uint16, key []byte) []byte {
	n := p.entries()
	for i := p.next(tag, from, n); i < n; i = p.next(tag, i+1, n) {
		if found, value := p.entry(i, n); bytes.Equal(found, key) {
			return value
		}
	}
	return nil
}

// next is the first of n entries, from i on, that may have a tag, and n if none has. It
// looks at four tags at once, without a branch for each, of which none could be foreseen.
func (p keyPage) next(tag uint16, i, n int) int {
	const each, high = 0x0001_0001_0001_0001, 0x8000_8000_8000_8000
	for ; i < n; i += 4 {
		// Behind the last tag there are the ends, which are longer than four tags with
		// the entries behind them.
		apart := binary.LittleEndian.Uint64(p[2+2*i:]) ^ each*uint64(tag)
		// The lowest bit is of a part that is 0; above it some may be of parts that are not.
		if same := (apart - each) &^ apart & high; same != 0 {
			return min(i+bits.TrailingZeros64(same)/16, n)
		}
	}
	return n
}

func (p keyPage) entries() int {
	if p == nil {
		return 0
	}
	return int(binary.LittleEndian.Uint16(p))
}

// entry is the i-th of n.
func (p keyPage) entry(i, n int) (key, value []byte) { return split(p.body(i, n)) }

// body is the bytes of an entry.
func (p keyPage) body(i, n int) []byte {
	ends := p[2+2*n : 2+6*n]
	first, end := 0, int(binary.LittleEndian.Uint32(ends[4*i:]))
	if i > 0 {
		first = int(binary.LittleEndian.Uint32(ends[4*i-4:]))
	}
	return p[2+6*n:][first:end:end]
}

// split is the key and the value of an entry's bytes.
func split(body []byte) (key, value []byte) {
	length := int(binary.LittleEndian.Uint16(body))
	return body[2 : 2+length : 2+length], body[2+length:]
}

// keyDraft is a page in the making.
type keyDraft struct {
	tags []uint16
	ends []uint32
	body []byte
}

// add copies an entry and returns the bytes that it takes.
func (d *keyDraft) add(tag uint16, key, value []byte) int64 {
	d.tags = append(d.tags, tag)
	d.body = binary.LittleEndian.AppendUint16(d.body, uint16(len(key)))
	d.body = append(append(d.body, key...), value...)
	d.ends = append(d.ends, uint32(len(d.body)))
	return entrySize(key, value)
}

// entrySize is how many bytes an entry takes in a page.
func entrySize(key, value []byte) int64 { return int64(2 + 4 + 2 + len(key) + len(value)) }

func (d *keyDraft) page() keyPage {
	if len(d.tags) == 0 {
		return nil
	}
	p := make(keyPage, 0, 2+6*len(d.tags)+len(d.body))
	p = binary.LittleEndian.AppendUint16(p, uint16(len(d.tags)))
	for _, tag := range d.tags {
		p = binary.LittleEndian.AppendUint16(p, tag)
	}
	for _, end := range d.ends {
		p = binary.LittleEndian.AppendUint32(p, end)
	}
	return append(p, d.body...)
}

// with is the table after changes, of which a later one of a key prevails. It
// is nil if it would take more than most bytes.
func (t *keyTable) with(changes []keyChange, most int64) *keyTable {
	var pacer pace.Pacer
	order := make([]placedChange, len(changes))
	for i := range changes {
		pacer.Step()
		order[i] = placedChange{hash: maphash.Bytes(t.seed, changes[i].key), at: i, keyChange: changes[i]}
	}
	pace.SortFunc(&pacer, order, func(a, b placedChange) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(b.at, a.at))
	})
	next := *t
	next.pages = slices.Clone(t.pages)
	var draft keyDraft
	for ; len(order) > 0; pacer.Step() {
		number, n := order[0].hash>>t.shift, 1
		for n < len(order) && order[n].hash>>t.shift == number {
			n++
		}
		next.change(number, latest(order[:n]), &draft)
		order = order[n:]
	}
	if next.bytes > most {
		return nil
	}
	if next.count > keysAPage*len(next.pages) {
		return newKeyTable(next.count, most, next.all)
	}
	return &next
}

// placedChange is a change by where it belongs. Ordered by hash, those of a page are
// together, and so are those of a key, here the latest of them first.
type placedChange struct {
	hash uint64
	at   int // among the changes
	keyChange
}

func (c *placedChange) tag() uint16 { return uint16(c.hash) }

// latest leaves the first change of each key. It works in place.
func latest(order []placedChange) []placedChange {
	kept := order[:0]
	for _, c := range order {
		known := false
		for i := len(kept) - 1; i >= 0 && kept[i].hash == c.hash && !known; i-- {
			known = bytes.Equal(kept[i].key, c.key)
		}
		if !known {
			kept = append(kept, c)
		}
	}
	return kept
}

// change makes a page anew after changes of different keys. Only the draft's room is
// used.
func (t *keyTable) change(number uint64, changes []placedChange, draft *keyDraft) {
	draft.tags, draft.ends, draft.body = draft.tags[:0], draft.ends[:0], draft.body[:0]
	for _, c := range changes {
		if c.value != nil {
			t.bytes += draft.add(c.tag(), c.key, c.value)
		}
	}
	old := t.pages[number]
	entries := old.entries()
	for i := range entries {
		tag := binary.LittleEndian.Uint16(old[2+2*i:])
		key, value := old.entry(i, entries)
		if slices.ContainsFunc(changes, func(c placedChange) bool { return c.tag() == tag && bytes.Equal(c.key, key) }) {
			t.bytes -= entrySize(key, value)
		} else {
			draft.add(tag, key, value)
		}
	}
	t.count += len(draft.tags) - entries
	t.pages[number] = draft.page()
}

// all yields every entry, in no order, and tells whether to go on.
func (t *keyTable) all(yield func(key, value []byte) bool) bool {
	for _, p := range t.pages {
		for i, n := 0, p.entries(); i < n; i++ {
			if !yield(p.entry(i, n)) {
				return false
			}
		}
	}
	return true
}
