package cairn

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"unsafe"
)

// Version identifies the last write of an entry: the epoch of its shard, the
// log index of the owner's node index, and the position inside that log
// entry. An absent entry has the zero Version.
type Version struct {
	Epoch    uint64
	Index    uint64
	Position uint32
}

// Compare orders the versions of one key.
func (v Version) Compare(other Version) int {
	return cmp.Or(cmp.Compare(v.Epoch, other.Epoch), cmp.Compare(v.Index, other.Index), cmp.Compare(v.Position, other.Position))
}

// IsZero reports whether v is the version of an absent entry.
func (v Version) IsZero() bool { return v == Version{} }

// String is the version as people and command lines spell it: "12.340.0".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Epoch, v.Index, v.Position) }

// ParseVersion reads what String writes.
func ParseVersion(text string) (Version, error) {
	var v Version
	if _, err := fmt.Sscanf(text, "%d.%d.%d", &v.Epoch, &v.Index, &v.Position); err != nil || v.String() != text {
		return Version{}, Invalid("version", "VERSION_MALFORMED", "%q is not a version; one looks like 12.340.0", text)
	}
	return v, nil
}

// Stamp is how fresh an answer about one key is: the epoch of the key's shard
// and the log index of its owner's node index. For one key stamps are totally
// ordered.
type Stamp struct {
	Epoch uint64
	Index uint64
}

// Compare orders the stamps of one key.
func (s Stamp) Compare(other Stamp) int {
	return cmp.Or(cmp.Compare(s.Epoch, other.Epoch), cmp.Compare(s.Index, other.Index))
}

// ClusterIndex is a log index of one cluster's node index.
type ClusterIndex struct {
	Cluster UID
	Index   uint64
}

// Token is what a client holds of the answers it has seen: the highest epoch,
// and for each cluster the highest log index. It is opaque to clients. The
// zero Token asks for nothing.
type Token struct {
	Epoch    uint64
	clusters []ClusterIndex // ascending by cluster; copied on write
}

// Token is a token that has seen c alone, under an epoch. It refers to c, which must not be
// modified.
func (c *ClusterIndex) Token(epoch uint64) Token { return Token{epoch, unsafe.Slice(c, 1)} }

// With is t advanced to cover an answer of a cluster.
func (t Token) With(cluster UID, at Stamp) Token {
	t.Epoch = max(t.Epoch, at.Epoch)
	i, found := t.find(cluster)
	switch {
	case found && t.clusters[i].Index >= at.Index:
	case found:
		t.clusters = slices.Clone(t.clusters)
		t.clusters[i].Index = at.Index
	default:
		t.clusters = slices.Insert(slices.Clone(t.clusters), i, ClusterIndex{cluster, at.Index})
	}
	return t
}

// Merge covers what either covers.
func (t Token) Merge(other Token) Token {
	t.Epoch = max(t.Epoch, other.Epoch)
	switch {
	case len(other.clusters) == 0:
		return t
	case len(t.clusters) == 0:
		t.clusters = other.clusters
		return t
	}
	// In one pass: a token may be as large as a message.
	a, b := t.clusters, other.clusters
	merged := make([]ClusterIndex, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Cluster < b[0].Cluster:
			merged, a = append(merged, a[0]), a[1:]
		case a[0].Cluster > b[0].Cluster:
			merged, b = append(merged, b[0]), b[1:]
		default:
			merged = append(merged, ClusterIndex{a[0].Cluster, max(a[0].Index, b[0].Index)})
			a, b = a[1:], b[1:]
		}
	}
	t.clusters = append(append(merged, a...), b...)
	return t
}

// Index is the log index that the token asks of a cluster, 0 if none.
func (t Token) Index(cluster UID) uint64 {
	if i, found := t.find(cluster); found {
		return t.clusters[i].Index
	}
	return 0
}

// Clusters are the clusters that the token has seen, ascending by uid.
func (t Token) Clusters() []ClusterIndex { return t.clusters }

// find is where a cluster stands or would. It is by hand, since to call a comparing function
// would take a part of a cached lookup's time.
func (t Token) find(cluster UID) (int, bool) {
	low, high := 0, len(t.clusters)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if t.clusters[middle].Cluster < cluster {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(t.clusters) && t.clusters[low].Cluster == cluster
}

const tokenFormat = 1

// String is the token as clients hold it: URL-safe text, empty for the zero
// Token.
func (t Token) String() string {
	if t.Epoch == 0 && len(t.clusters) == 0 {
		return ""
	}
	out := make([]byte, 0, 16+18*len(t.clusters))
	out = append(out, tokenFormat)
	out = binary.AppendUvarint(out, t.Epoch)
	for _, c := range t.clusters {
		out = binary.BigEndian.AppendUint64(out, uint64(c.Cluster))
		out = binary.AppendUvarint(out, c.Index)
	}
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
	return base64.RawURLEncoding.EncodeToString(out)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ParseToken reads what String writes, and refuses everything else.
func ParseToken(text string) (Token, error) {
	if text == "" {
		return Token{}, nil
	}
	malformed := Invalid("token", "TOKEN_MALFORMED", "not a token of this service; pass tokens on as they came")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < 6 || raw[0] != tokenFormat {
		return Token{}, malformed
	}
	body, sum := raw[:len(raw)-4], binary.BigEndian.Uint32(raw[len(raw)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return Token{}, malformed
	}
	var t Token
	epoch, n := binary.Uvarint(body[1:])
	if n <= 0 {
		return Token{}, malformed
	}
	t.Epoch = epoch
	for body = body[1+n:]; len(body) > 0; {
		if len(body) < 9 {
			return Token{}, malformed
		}
		uid := UID(binary.BigEndian.Uint64(body))
		index, n := binary.Uvarint(body[8:])
		if n <= 0 || len(t.clusters) > 0 && t.clusters[len(t.clusters)-1].Cluster >= uid {
			return Token{}, malformed
		}
		t.clusters = append(t.clusters, ClusterIndex{uid, index})
		body = body[8+n:]
	}
	return t, nil
}

// Level is how fresh an answer must be.
type Level uint8

// The levels of freshness.
const (
	// Eventual answers from any state that a replica has applied.
	Eventual Level = iota
	// AtLeast answers from a state that covers the request's token.
	AtLeast
	// Linearizable answers from a state that covers every write acknowledged
	// before the request.
	Linearizable
)

var levelNames = [...]string{"eventual", "at_least", "linearizable"}

func (l Level) String() string { return levelNames[l] }

// Freshness is how fresh an answer must be; the zero Freshness is eventual.
type Freshness struct {
	Level Level
	// Token is what AtLeast asks for.
	Token Token
}
