package nodeindex

// Records of neighbouring ordinals stand together, since what bbolt has for each
// key would be half as much as a record. A large one stands alone, lest its
// neighbours be written anew with it; and so do all of a file before format 7,
// until they change.

const (
	// bundleSize is how many ordinals a bundle is of.
	bundleSize = 4
	// mostBundled is how large a record in a bundle may be, in bytes.
	mostBundled = 512
)

// bundle are the records of neighbouring ordinals, nil where there is none or it
// stands alone.
type bundle [bundleSize][]byte

// bundleOf is which bundle an ordinal's record is in, and where in it.
func bundleOf(ordinal uint32) (number uint32, slot int) {
	return ordinal / bundleSize, int(ordinal % bundleSize)
}

// append writes a bundle: which records there are, by bit, and each with its
// length in front.
func (b *bundle) append(out []byte) []byte {
	first := len(out)
	out = append(out, 0)
	for slot, record := range b {
		if record != nil {
			out[first] |= 1 << slot
			out = appendBytes(out, record)
		}
	}
	return out
}

// size is at most how much append writes.
func (b *bundle) size() int {
	n := 1
	for _, record := range b {
		n += 5 + len(record)
	}
	return n
}

func (b *bundle) empty() bool {
	for _, record := range b {
		if record != nil {
			return false
		}
	}
	return true
}

// decodeBundle reads a bundle without copying, and is false for anything but what
// append writes.
func decodeBundle(value []byte) (b bundle, ok bool) {
	if len(value) == 0 || value[0] == 0 || value[0] >= 1<<bundleSize {
		return bundle{}, false
	}
	d := decoder{rest: value[1:]}
	for slot := range b {
		if value[0]&(1<<slot) != 0 {
			b[slot] = d.bytes()
			if len(b[slot]) == 0 {
				return bundle{}, false
			}
		}
	}
	return b, d.done()
}
