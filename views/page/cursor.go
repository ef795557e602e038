package page

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"

	"cairn"
)

// Binding is what a cursor belongs to.
type Binding struct {
	// View and Version name one definition of one view.
	View    cairn.UID
	Version uint64
	// Query is the QueryHash of what was asked of it.
	Query uint64
}

// Cursor is the position after a row of one query over one view.
type Cursor struct {
	Binding
	Position
	// Now is what the query's condition means by now, in microseconds since
	// 1970: the same on all pages. 0 where the condition does not say it.
	Now int64
	// Token is how fresh the page with the row was; later pages are at least
	// that.
	Token cairn.Token
}

// QueryHash identifies a query by the parts that decide which rows it has and
// in which order (its condition, its sort), as texts in a fixed order. What
// only decides how much of a row is shown, and how many, is no part of it.
func QueryHash(parts ...string) uint64 {
	hash := sha256.New()
	var length [8]byte
	for _, part := range parts {
		// With its length before it, no part can run into the next.
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		hash.Write(length[:])
		hash.Write([]byte(part))
	}
	return binary.BigEndian.Uint64(hash.Sum(nil))
}

// Check refuses a cursor that was made for another view, another version of
// it, another query, or a sort of other fields (KindInvalid, field "cursor",
// reason CURSOR_MISMATCH). Types are the types of the query's sort fields, in
// order.
func (c Cursor) Check(binding Binding, types ...cairn.Type) error {
	matches := c.Binding == binding && len(c.Values) == len(types)
	for i := 0; matches && i < len(types); i++ {
		kind := c.Values[i].Type()
		matches = kind == cairn.TypeNull || kind == types[i]
	}
	if !matches {
		return cairn.Invalid("cursor", "CURSOR_MISMATCH",
			"the cursor is from another query, or the view has been replaced since; start again without a cursor, or repeat the arguments it came with")
	}
	return nil
}

const cursorFormat = 2

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// String is the cursor as clients hold it: URL-safe text, never empty.
func (c Cursor) String() string {
	token := c.Token.String()
	out := make([]byte, 0, 96+len(token)+len(c.Key))
	out = append(out, cursorFormat)
	out = binary.BigEndian.AppendUint64(out, uint64(c.View))
	out = binary.AppendUvarint(out, c.Version)
	out = binary.BigEndian.AppendUint64(out, c.Query)
	out = append(out, byte(len(c.Values)))
	for _, v := range c.Values {
		out = appendValue(out, v)
	}
	out = binary.AppendVarint(out, c.Now)
	out = binary.AppendUvarint(out, uint64(len(token)))
	out = append(out, token...)
	out = append(out, c.Key...)
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
	return base64.RawURLEncoding.EncodeToString(out)
}

// appendValue writes a value as its type and what tells it from others of
// that type.
func appendValue(out []byte, v cairn.Value) []byte {
	out = append(out, byte(v.Type()))
	switch v.Type() {
	case cairn.TypeString:
		out = binary.AppendUvarint(out, uint64(len(v.Text())))
		out = append(out, v.Text()...)
	case cairn.TypeInt, cairn.TypeTimestamp:
		out = binary.AppendVarint(out, v.Int())
	case cairn.TypeFloat:
		out = binary.BigEndian.AppendUint64(out, math.Float64bits(v.Float()))
	case cairn.TypeBool:
		out = append(out, byte(asNumber(v.Bool())))
	}
	return out
}

// Parse reads what String writes, and refuses everything else (KindInvalid,
// field "cursor", reason CURSOR_MALFORMED).
func Parse(text string) (Cursor, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < 4 {
		return Cursor{}, malformed()
	}
	body, sum := raw[:len(raw)-4], binary.BigEndian.Uint32(raw[len(raw)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return Cursor{}, malformed()
	}
	in := decoder{rest: body}
	var c Cursor
	format := in.byte()
	c.View = cairn.UID(in.uint64())
	c.Version = in.uvarint()
	c.Query = in.uint64()
	count := int(in.byte())
	if format != cursorFormat || count > cairn.MaxSortFields {
		return Cursor{}, malformed()
	}
	for range count {
		c.Values = append(c.Values, in.value())
	}
	c.Now = in.varint()
	if c.Token, err = cairn.ParseToken(string(in.bytes())); err != nil {
		return Cursor{}, malformed()
	}
	c.Key = cairn.Key(in.rest)
	// Written again it must be the same text: one position has one cursor.
	if in.broken || c.Key.Validate() != nil || c.String() != text {
		return Cursor{}, malformed()
	}
	return c, nil
}

func malformed() error {
	return cairn.Invalid("cursor", "CURSOR_MALFORMED", "not a cursor of this service; pass cursors on as they came")
}

// decoder cuts a cursor's parts off; broken once one was not there.
type decoder struct {
	rest   []byte
	broken bool
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.broken, d.rest = true, nil
		return make([]byte, min(max(n, 0), 8))
	}
	out := d.rest[:n]
	d.rest = d.rest[n:]
	return out
}

func (d *decoder) byte() byte { return d.take(1)[0] }

func (d *decoder) uint64() uint64 { return binary.BigEndian.Uint64(d.take(8)) }

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.broken = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.broken = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// bytes is what follows its own length.
func (d *decoder) bytes() []byte {
	length := d.uvarint()
	if length > uint64(len(d.rest)) {
		d.broken, d.rest = true, nil
		return nil
	}
	return d.take(int(length))
}

func (d *decoder) value() cairn.Value {
	var v cairn.Value
	var err error
	switch cairn.Type(d.byte()) {
	case cairn.TypeNull:
	case cairn.TypeString:
		v, err = cairn.String(string(d.bytes()))
	case cairn.TypeInt:
		v = cairn.Int(d.varint())
	case cairn.TypeTimestamp:
		v, err = cairn.Timestamp(time.UnixMicro(d.varint()))
	case cairn.TypeFloat:
		v, err = cairn.Float(math.Float64frombits(d.uint64()))
	case cairn.TypeBool:
		v = cairn.Bool(d.byte() != 0)
	default:
		d.broken = true
	}
	d.broken = d.broken || err != nil
	return v
}
