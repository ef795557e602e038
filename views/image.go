package views

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"cairn"
)

// An image is what the projections of one keyspace hold at one snapshot, but
// for the shards, which their owner keeps. It is written in one pass and read
// in one pass:
//
//	magic
//	header      format, entries, attributes (id, type), numbers of views and orders
//	entries     the ordinals, a bitmap in roaring's portable format
//	keys        of each block of 128 ordinals that has entries: lengths, bytes
//	attribute   one a indexed attribute, ascending by id; of a string the
//	            dictionary before: texts by code, codes in order of the texts.
//	            Then of each block of 128 ordinals that has entries who has a
//	            value, and the values as distances from their least
//	view        one a complete view: uid, version, fingerprint, members
//	order       one a order that is complete: sort, ordinals in order
//	end         nothing
//
// Bitmaps of values are not in it: reading the columns makes them.
//
// A section is a row of frames of up to 256 KiB, each with its length and a
// CRC-32C that goes on from the frame before, so that a frame that is broken,
// missing, twice or out of place is seen before anything in it is used. A
// record, which is a block or a text, lies in one frame.
const (
	imageMagic  = "cairnvw\n"
	imageFormat = 1
	// imageBlock is how many ordinals share a record. A block of a column has
	// a whole number of them.
	imageBlock = 128
	blockWords = imageBlock / 64
	// frameSize is how many bytes a frame has at most, beside its header; a
	// record has no more than recordSize.
	frameSize   = 256 << 10
	recordSize  = imageBlock * (cairn.MaxKeyLength + binary.MaxVarintLen16)
	frameHeader = 9
)

// section is what frames are of.
type section byte

const (
	sectionHeader section = iota + 1
	sectionEntries
	sectionKeys
	sectionAttribute
	sectionView
	sectionOrder
	sectionEnd
	// lastFrame is set beside the section in the last frame of one.
	lastFrame section = 0x80
)

var sectionNames = [...]string{"nothing", "header", "entries", "keys", "attribute", "view", "order", "end"}

func (s section) String() string {
	if int(s) < len(sectionNames) {
		return sectionNames[s]
	}
	return fmt.Sprintf("section %d", byte(s))
}

// What a block of a column begins with: that no entry of the block has a
// value; that all have one, and how many bytes each takes; or that some have,
// with a bit for each ordinal and then again the bytes.
const (
	blockWidth = 0x0f
	blockAll   = 0x10
	blockNone  = 0x20
	blockSome  = 0x40
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frameSum is the sum of a frame after another.
func frameSum(before uint32, header, payload []byte) uint32 {
	return crc32.Update(crc32.Update(before, castagnoli, header), castagnoli, payload)
}

// fingerprint tells a definition from any other that may ever have its uid
// and version.
func (d *Definition) fingerprint() (sum [sha256.Size]byte) {
	text := []byte{0}
	if d.Filter != nil {
		text = append([]byte{1}, d.Filter.String()...)
	}
	text = append(text, 0)
	return sha256.Sum256(appendSort(text, d.Sort))
}

// appendSort encodes a sort.
func appendSort(out []byte, sort []SortField) []byte {
	out = binary.AppendUvarint(out, uint64(len(sort)))
	for _, field := range sort {
		out = binary.AppendUvarint(out, uint64(field.Attribute))
		var descending byte
		if field.Descending {
			descending = 1
		}
		out = append(out, descending)
	}
	return out
}

// corrupt is the error for an image that is not what Save wrote.
func corrupt(format string, args ...any) error {
	return cairn.Errorf(cairn.KindCorrupt, "IMAGE_CORRUPT", "a broken image: %s; rebuild the projections from the entries", fmt.Sprintf(format, args...))
}
