package router

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"cairn"
)

// pageToken is where a listing goes on. All of its state is in it.
type pageToken struct {
	keyspace cairn.UID
	// bounds is a checksum of the range that the listing began with.
	bounds uint32
	// after is the last key of the page before.
	after cairn.Key
	// freshness is how fresh the pages before were.
	freshness cairn.Token
}

const pageTokenFormat = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// boundsOf tells one range from another.
func boundsOf(start, end cairn.Key) uint32 {
	sum := crc32.Checksum(binary.AppendUvarint(nil, uint64(len(start))), castagnoli)
	sum = crc32.Update(sum, castagnoli, start)
	return crc32.Update(sum, castagnoli, end)
}

// encode is the token as clients hold it: URL-safe text.
func (p pageToken) encode() string {
	out := append(make([]byte, 0, 64+len(p.after)), pageTokenFormat)
	out = binary.BigEndian.AppendUint64(out, uint64(p.keyspace))
	out = binary.BigEndian.AppendUint32(out, p.bounds)
	out = binary.AppendUvarint(out, uint64(len(p.after)))
	out = append(out, p.after...)
	out = append(out, p.freshness.String()...)
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
	return base64.RawURLEncoding.EncodeToString(out)
}

// decodePageToken reads what encode writes, and refuses everything else.
func decodePageToken(text string) (pageToken, error) {
	malformed := cairn.Invalid("page_token", "PAGE_TOKEN_MALFORMED", "not a page token of this service; pass page tokens on as they came")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	const head, tail = 1 + 8 + 4, 4
	if err != nil || len(raw) < head+1+tail || raw[0] != pageTokenFormat {
		return pageToken{}, malformed
	}
	body, sum := raw[:len(raw)-tail], binary.BigEndian.Uint32(raw[len(raw)-tail:])
	if crc32.Checksum(body, castagnoli) != sum {
		return pageToken{}, malformed
	}
	p := pageToken{keyspace: cairn.UID(binary.BigEndian.Uint64(body[1:])), bounds: binary.BigEndian.Uint32(body[9:])}
	body = body[head:]
	length, n := binary.Uvarint(body)
	if n <= 0 || length > uint64(len(body)-n) {
		return pageToken{}, malformed
	}
	p.after = body[n : n+int(length)]
	if p.after.Validate() != nil {
		return pageToken{}, malformed
	}
	if p.freshness, err = cairn.ParseToken(string(body[n+int(length):])); err != nil {
		return pageToken{}, malformed
	}
	if p.encode() != text {
		// The same token in another spelling: lengths can be written longer
		// than they need to be.
		return pageToken{}, malformed
	}
	return p, nil
}
