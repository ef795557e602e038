package server

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"google.golang.org/protobuf/proto"

	"cairn"
	"cairn/router/admin"
	"cairn/shardmap/catalog"
)

// Page sizes.
const (
	defaultResources = 100
	maxResources     = 1_000
	defaultShards    = 1_000
	maxShards        = 10_000
)

func pageSize(asked int32, usual, most int) (int, error) {
	switch {
	case asked == 0:
		return usual, nil
	case asked < 0 || int(asked) > most:
		return 0, cairn.Invalid("page_size", "PAGE_SIZE", "a page size of %d; it is 1 to %d, or 0 for %d", asked, most, usual)
	}
	return int(asked), nil
}

// maxPageBytes keeps a page of resources within a message of 1 MiB.
const maxPageBytes = 768 << 10

// pageRoom is how many bytes a page has.
type pageRoom int

// take puts a resource on the page. It is false if there is no room for it; the
// first one has its place whatever it takes.
func (r *pageRoom) take(resource proto.Message) bool {
	size := proto.Size(resource)
	if *r > 0 && int(*r)+size > maxPageBytes {
		return false
	}
	*r += pageRoom(size)
	return true
}

// pageKind is what an Admin's page token is of, so that a token of one listing
// is not taken for one of another.
type pageKind byte

const (
	keyspacesPage pageKind = iota + 1
	clustersPage
	shardsPage
	viewsPage
	movesPage
	historyPage
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodePage is where a listing goes on, as clients hold it: the kind, the
// position, a checksum.
func encodePage(kind pageKind, position []byte) string {
	out := append([]byte{byte(kind)}, position...)
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
	return base64.RawURLEncoding.EncodeToString(out)
}

// decodePage reads what encodePage writes; nil for the first page.
func decodePage(kind pageKind, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	const head, tail = 1, 4
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) <= head+tail || raw[0] != byte(kind) {
		return nil, errPageToken()
	}
	body := raw[:len(raw)-tail]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(raw[len(body):]) {
		return nil, errPageToken()
	}
	return body[head:], nil
}

func errPageToken() error {
	return cairn.Invalid("page_token", "PAGE_TOKEN_MALFORMED", "not a page token of this listing; pass page tokens on as they came")
}

// nameToken is of a listing by name: the last name of its page.
func nameToken(kind pageKind, last string) string { return encodePage(kind, []byte(last)) }

// namePage reads the page of a listing by name.
func namePage(kind pageKind, size int32, token string) (after string, limit int, err error) {
	if limit, err = pageSize(size, defaultResources, maxResources); err != nil {
		return "", 0, err
	}
	position, err := decodePage(kind, token)
	if err != nil {
		return "", 0, err
	}
	if token != "" && catalog.ValidateName(string(position)) != nil {
		return "", 0, errPageToken()
	}
	return string(position), limit, nil
}

// shardsToken is where a listing of shards goes on; empty for nil.
func shardsToken(next *admin.ShardsAfter) string {
	if next == nil {
		return ""
	}
	return encodePage(shardsPage, append(binary.BigEndian.AppendUint64(nil, uint64(next.Keyspace)), next.Start...))
}

// shardsAfter reads what shardsToken writes.
func shardsAfter(token string) (admin.ShardsAfter, error) {
	position, err := decodePage(shardsPage, token)
	if err != nil || token == "" {
		return admin.ShardsAfter{}, err
	}
	const uid = 8
	if len(position) < uid || len(position) > uid+cairn.MaxKeyLength {
		return admin.ShardsAfter{}, errPageToken()
	}
	return admin.ShardsAfter{Keyspace: cairn.UID(binary.BigEndian.Uint64(position)), Start: position[uid:]}, nil
}
