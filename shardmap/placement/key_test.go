package placement_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"cairn"
	"cairn/shardmap/placement"

	"pgregory.net/rapid"
)

// Stored shard bounds depend on these: they must never change.
func TestHashIsForGood(t *testing.T) {
	for _, test := range []struct{ key, affinity, want string }{
		{"a", "", "d24ec4f1a98c6e5b"},
		{":b", ":", "ef46db3751d8e999"},
		{"a:b", ":", "d24ec4f1a98c6e5b"},
	} {
		p := cairn.Placement{Scheme: cairn.SchemeHash, Affinity: test.affinity}
		if got := hex.EncodeToString(placement.Key(p, cairn.Key(test.key), nil)); got != test.want {
			t.Errorf("key %q, affinity %q: %s; want %s", test.key, test.affinity, got, test.want)
		}
	}
}

func TestAffinity(t *testing.T) {
	for _, test := range []struct{ key, delimiter, want string }{
		{"user:1", "", "user:1"},
		{"user:1", ":", "user"},
		{"user:1:2", ":", "user"},
		{"user", ":", "user"},
		{":1", ":", ""},
		{"a::b", "::", "a"},
		{"a:b::c", "::", "a:b"},
		{"a:", "::", "a:"},
		{"a:::b", "::", "a"},
	} {
		p := cairn.Placement{Scheme: cairn.SchemeHash, Affinity: test.delimiter}
		if got := placement.Affinity(p, cairn.Key(test.key)); string(got) != test.want {
			t.Errorf("key %q, delimiter %q: %q; want %q", test.key, test.delimiter, got, test.want)
		}
	}
}

func FuzzKey(f *testing.F) {
	f.Add([]byte("user:1"), "")
	f.Add([]byte("user:1"), ":")
	f.Add([]byte("a\x00\xffb::c"), "::")
	f.Fuzz(func(t *testing.T, key []byte, affinity string) {
		if len(key) == 0 {
			return
		}
		ranged := placement.Key(cairn.Placement{Scheme: cairn.SchemeRange}, key, nil)
		if !bytes.Equal(ranged, key) {
			t.Fatalf("range: %x; want the key, %x", ranged, key)
		}
		p := cairn.Placement{Scheme: cairn.SchemeHash, Affinity: affinity}
		hashed := placement.Key(p, key, nil)
		if err := placement.Validate(cairn.SchemeHash, hashed); err != nil {
			t.Fatal(err)
		}
		buffer := bytes.Repeat([]byte{0xaa}, 32)
		if again := placement.Key(p, key, buffer); !bytes.Equal(again, hashed) || &again[0] != &buffer[0] {
			t.Fatalf("%x over a buffer; want %x", again, hashed)
		}
		part := string(key)
		if affinity != "" {
			part, _, _ = strings.Cut(part, affinity)
		}
		if got := placement.Affinity(p, key); string(got) != part {
			t.Fatalf("affinity %q; want %q", got, part)
		}
		if affinity != "" && !strings.Contains(part+affinity[:len(affinity)-1], affinity) {
			together := placement.Key(p, cairn.Key(part+affinity+"anything"), nil)
			if !bytes.Equal(together, hashed) {
				t.Fatalf("key %q is not placed with its like", key)
			}
		}
	})
}

func TestRangeKeepsOrder(t *testing.T) {
	p := cairn.Placement{Scheme: cairn.SchemeRange}
	rapid.Check(t, func(t *rapid.T) {
		a := cairn.Key(rapid.SliceOfN(rapid.Byte(), 1, 30).Draw(t, "a"))
		b := cairn.Key(rapid.SliceOfN(rapid.Byte(), 1, 30).Draw(t, "b"))
		if bytes.Compare(placement.Key(p, a, nil), placement.Key(p, b, nil)) != a.Compare(b) {
			t.Fatalf("%x and %x change their order", a, b)
		}
	})
}

func TestKeyDoesNotAllocate(t *testing.T) {
	buffer := make([]byte, 0, placement.HashLength)
	key := cairn.Key("customers/0000012345::" + strings.Repeat("x", 50))
	for _, p := range []cairn.Placement{
		{Scheme: cairn.SchemeRange}, {Scheme: cairn.SchemeHash}, {Scheme: cairn.SchemeHash, Affinity: "::"},
		{Scheme: cairn.SchemeHash, Affinity: strings.Repeat("x", 40)},
	} {
		if n := testing.AllocsPerRun(100, func() { buffer = placement.Key(p, key, buffer)[:0:placement.HashLength] }); n != 0 {
			t.Errorf("%v: %v allocations", p, n)
		}
		buffer = make([]byte, 0, placement.HashLength) // a range key is the caller's
	}
}

func TestDivide(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 64, 65_536} {
		splits := placement.Divide(n)
		if len(splits) != n-1 {
			t.Fatalf("%d splits of %d parts", len(splits), n)
		}
		var before, smallest, largest uint64
		smallest = ^uint64(0)
		for _, at := range append(splits, make([]byte, 8)) { // 2^64 is 0 here
			size := binary.BigEndian.Uint64(at) - before
			if n > 1 {
				smallest, largest = min(smallest, size), max(largest, size)
			}
			before = binary.BigEndian.Uint64(at)
		}
		if n > 1 && largest-smallest > 1 {
			t.Errorf("%d parts of %d to %d hashes", n, smallest, largest)
		}
	}
}

func TestMiddle(t *testing.T) {
	bound := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	for _, test := range []struct {
		start, end []byte
		want       uint64
		ok         bool
	}{
		{nil, nil, 1 << 63, true},
		{bound(1 << 63), nil, 3 << 62, true},
		{nil, bound(2), 1, true},
		{nil, bound(1), 0, false},
		{bound(8), bound(9), 0, false},
		{bound(8), bound(10), 9, true},
		{bound(^uint64(0)), nil, 0, false},
	} {
		got, ok := placement.Middle(test.start, test.end)
		if ok != test.ok || ok && !bytes.Equal(got, bound(test.want)) {
			t.Errorf("the middle of [%x, %x): %x %v; want %x %v", test.start, test.end, got, ok, test.want, test.ok)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		scheme cairn.Scheme
		length int
		reason string
	}{
		{cairn.SchemeHash, 8, ""},
		{cairn.SchemeHash, 7, "PLACEMENT_KEY_LENGTH"},
		{cairn.SchemeHash, 0, "PLACEMENT_KEY_LENGTH"},
		{cairn.SchemeRange, 1, ""},
		{cairn.SchemeRange, 1024, ""},
		{cairn.SchemeRange, 1025, "KEY_TOO_LONG"},
		{cairn.SchemeRange, 0, "KEY_EMPTY"},
	} {
		if got := cairn.ReasonOf(placement.Validate(test.scheme, make([]byte, test.length))); got != test.reason {
			t.Errorf("%s, %d bytes: %q; want %q", test.scheme, test.length, got, test.reason)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	p, key, buffer := cairn.Placement{Scheme: cairn.SchemeHash, Affinity: "/"}, cairn.Key("customers-0000012345/7"), make([]byte, 8)
	b.ReportAllocs()
	for b.Loop() {
		buffer = placement.Key(p, key, buffer)
	}
}

func TestText(t *testing.T) {
	for scheme, want := range map[cairn.Scheme]string{cairn.SchemeHash: "4100000000000000", cairn.SchemeRange: `A\x00\x00\x00\x00\x00\x00\x00`} {
		if got := placement.Text(scheme, []byte{0x41, 0, 0, 0, 0, 0, 0, 0}); got != want {
			t.Errorf("%s: %s; want %s", scheme, got, want)
		}
	}
}

// TestAfter: nothing lies between a placement key and the one after it.
func TestAfter(t *testing.T) {
	longest := bytes.Repeat([]byte{'k'}, cairn.MaxKeyLength)
	withFF := append(bytes.Clone(longest[:cairn.MaxKeyLength-2]), 0xff, 0xff)
	for _, test := range []struct {
		scheme   cairn.Scheme
		of, want []byte
	}{
		{cairn.SchemeHash, []byte{0, 0, 0, 0, 0, 0, 0, 9}, []byte{0, 0, 0, 0, 0, 0, 0, 10}},
		{cairn.SchemeHash, []byte{0, 0, 0, 0, 0, 9, 0xff, 0xff}, []byte{0, 0, 0, 0, 0, 10, 0, 0}},
		{cairn.SchemeHash, bytes.Repeat([]byte{0xff}, placement.HashLength), nil},
		{cairn.SchemeRange, []byte("k"), []byte("k\x00")},
		{cairn.SchemeRange, longest, append(bytes.Clone(longest[:cairn.MaxKeyLength-1]), 'l')},
		{cairn.SchemeRange, withFF, append(bytes.Clone(longest[:cairn.MaxKeyLength-3]), 'l')},
		{cairn.SchemeRange, bytes.Repeat([]byte{0xff}, cairn.MaxKeyLength), nil},
	} {
		before := bytes.Clone(test.of)
		if got := placement.After(test.scheme, test.of); !bytes.Equal(got, test.want) || !bytes.Equal(test.of, before) {
			t.Errorf("after %x: %x, want %x", test.of, got, test.want)
		}
	}
}
