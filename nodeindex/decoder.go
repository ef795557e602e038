package nodeindex

import (
	"encoding/binary"
	"hash/crc32"

	"cairn"
)

// decoder cuts values off the front of encoded bytes. After the first value
// that is not there it yields zeros and ok is false, so that callers check
// once, at the end.
type decoder struct {
	rest   []byte
	broken bool
}

// ok reports whether everything so far was there.
func (d *decoder) ok() bool { return !d.broken }

// done reports whether everything was there and nothing is left.
func (d *decoder) done() bool { return !d.broken && len(d.rest) == 0 }

func (d *decoder) fail() {
	d.broken = true
	d.rest = nil
}

func (d *decoder) uvarint() uint64 {
	value, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return value
}

func (d *decoder) varint() int64 {
	value, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return value
}

// number is a uvarint that must not be above most.
func (d *decoder) number(most uint64) uint64 {
	value := d.uvarint()
	if value > most {
		d.fail()
		return 0
	}
	return value
}

// count is the number of things that follow, each of them at least least
// bytes long, so that damaged bytes can't ask for more memory than they have.
func (d *decoder) count(least int) int {
	return int(d.number(uint64(len(d.rest) / least)))
}

func (d *decoder) byte() byte {
	taken := d.take(1)
	if taken == nil {
		return 0
	}
	return taken[0]
}

func (d *decoder) uint64() uint64 {
	taken := d.take(8)
	if taken == nil {
		return 0
	}
	return binary.BigEndian.Uint64(taken)
}

// take is the next n bytes, not copied; nil if there are fewer or n is 0.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.fail()
		return nil
	}
	if n == 0 {
		return nil
	}
	taken := d.rest[:n:n]
	d.rest = d.rest[n:]
	return taken
}

// bytes are bytes with their length in front.
func (d *decoder) bytes() []byte { return d.take(d.count(1)) }

func appendBytes(out, value []byte) []byte {
	out = binary.AppendUvarint(out, uint64(len(value)))
	return append(out, value...)
}

func (d *decoder) version() cairn.Version {
	return cairn.Version{Epoch: d.uvarint(), Index: d.uvarint(), Position: uint32(d.number(1<<32 - 1))}
}

func appendVersion(out []byte, v cairn.Version) []byte {
	out = binary.AppendUvarint(out, v.Epoch)
	out = binary.AppendUvarint(out, v.Index)
	return binary.AppendUvarint(out, uint64(v.Position))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal puts the CRC-32C of a value after it.
func seal(value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, crc32.Checksum(value, castagnoli))
}

// unseal is a sealed value without its checksum; ok is false where it is not
// what was sealed.
func unseal(sealed []byte) (value []byte, ok bool) {
	if len(sealed) < 4 {
		return nil, false
	}
	value = sealed[:len(sealed)-4]
	return value, crc32.Checksum(value, castagnoli) == binary.BigEndian.Uint32(sealed[len(value):])
}
