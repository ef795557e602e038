package cairn

import "iter"

// SortField is one attribute of a sort and its direction. An absent value
// comes last in either.
type SortField struct {
	Attribute  AttributeID
	Descending bool
}

// MaxSortFields is how many attributes a sort may have.
const MaxSortFields = 4

// Position is where an entry stands in a sorted view.
type Position struct {
	// Values are the entry's sort values, one a field of the sort; null where
	// the attribute is absent.
	Values []Value
	// Key breaks ties.
	Key Key
}

// View is one version of a view, as a node index needs to know it.
type View struct {
	UID      UID
	Name     string
	Keyspace UID
	Version  uint64
	// Filter is a CEL expression over the keyspace's attributes, of at most 16
	// KiB; empty: every entry is a member.
	Filter string
	// Sort is the order of its members, of at most MaxSortFields attributes;
	// ties, and a view without a sort, go by key.
	Sort []SortField
}

// ViewState is how far a node index is with a version of a view.
type ViewState struct {
	View    UID
	Version uint64
	// Complete versions answer; one that is being built has gone through Done
	// of Total entries.
	Complete    bool
	Done, Total uint64
	// Members and Bytes are how many entries it has and about how much memory
	// it takes, its share of what views share left out.
	Members uint64
	Bytes   int64
	// Refusal is why it can't be built; empty if it can.
	Refusal string
}

// Asked is which question a ViewRequest asks.
type Asked uint8

// The questions.
const (
	// AskPage asks for rows in order.
	AskPage Asked = iota + 1
	// AskCount asks how many entries there are.
	AskCount
	// AskGroups asks how many there are of each value of one or two attributes.
	AskGroups
	// AskAggregate asks for count, sum, least and greatest of one attribute.
	AskAggregate
	// AskMembership asks whether one key is in the view, and why.
	AskMembership
	// AskRank asks how many rows a page that begins after After leaves behind
	// it: those that come before After in OrderBy, and one that stands there.
	AskRank
)

// MaxGroups is how many groups an answer may have.
const MaxGroups = 10_000

// MaxPageBytes is about how many bytes the rows of one page have at most,
// which keeps it within a message of 1 MiB. A page of larger rows has fewer of
// them, at least one.
const MaxPageBytes = 768 << 10

// ViewRequest asks one node index about the members of one version of a view.
type ViewRequest struct {
	Read
	// View is the view; 0 for all entries of the keyspace, which can be counted
	// only, and only where the keyspace has a view.
	View    UID
	Version uint64
	// Where is a CEL expression that narrows the view; empty does not. It may
	// say now, which is Now, in microseconds since 1970.
	Where string
	Now   int64
	Asked Asked
	// OrderBy to Fields are for AskPage, OrderBy and After for AskRank too.
	// OrderBy is the order of the rows, empty for the view's. The page begins
	// after After, if set, or passes Offset rows over, and has at most Limit
	// rows, 1 to MaxBatch. Fields are the attributes to return.
	OrderBy []SortField
	After   *Position
	Offset  int
	Limit   int
	Fields  []AttributeID
	// Attributes are those to group by, or the one to aggregate.
	Attributes []AttributeID
	// Key is for AskMembership.
	Key Key
	// WithPlan asks for ViewReply.Plan.
	WithPlan bool
	// Brief asks for an answer only if it takes no longer than a page of a view in its
	// order does; one that may is refused (KindNotYet, TAKES_LONG). It is not sent.
	Brief bool
}

// ViewReply answers a ViewRequest from one state of the index.
type ViewReply struct {
	Answer
	// Fingerprint is of the (shard, epoch) set that the answer is about.
	Fingerprint Fingerprint
	// Rows are the page's, in order; More tells whether there are rows after
	// them.
	Rows []ViewRow
	More bool
	// Count is the answer to AskCount and AskRank.
	Count uint64
	// Groups are in order of their values, absent ones last.
	Groups      []Group
	Aggregation Aggregation
	// Membership is the answer to AskMembership.
	Membership Membership
	// Plan says how a page was found, what was expected and what was touched.
	Plan string
}

// ViewRow is one entry on a page of a view.
type ViewRow struct {
	Position
	// Nodes are the entry's, the primary first.
	Nodes []NodeID
	// Attributes are those of the fields asked for that the entry has.
	Attributes Attributes
}

// Group is the entries with the same values of the attributes grouped by.
type Group struct {
	// Values are one an attribute, null where it is absent.
	Values []Value
	Count  int
}

// Membership is whether a key is in a view, and why.
type Membership struct {
	// Found tells whether the key has an entry, Member whether that is in the
	// view.
	Found, Member bool
	// Truth is what the filter is of the entry: "true", "false" or "unknown";
	// empty if there is no entry or no filter.
	Truth string
	// Deciding are the clauses that make it so, in the order in which they
	// were written.
	Deciding []Decision
}

// Decision is what one clause of a filter, a condition without && || !, is of
// an entry.
type Decision struct {
	Truth string
	// Text is the clause, Line and Column where it stands, from 1.
	Text         string
	Line, Column int
	// Attribute is what the clause is on, 0 if it is on none, and Value what
	// the entry has there, null if it is absent.
	Attribute AttributeID
	Value     Value
}

// ExportRequest asks one node index for all members of a version of a view.
type ExportRequest struct {
	Read
	View    UID
	Version uint64
}

// ExportPiece is a part of an export, which is of one state of the index: the
// members' ordinals as a bitmap in Roaring's portable 32-bit format first, in
// pieces, then the keys of these ordinals in ascending order.
type ExportPiece struct {
	Answer
	Bitmap []byte
	Keys   []Key
}

// MaxPieceBytes is about how many bytes one piece of an export has on a wire.
const MaxPieceBytes = 256 << 10

// Split yields the piece in smaller ones, in order, each of at most MaxBatch
// keys and about MaxPieceBytes. One that is empty it yields as it is, for what
// Answer says.
func (p ExportPiece) Split() iter.Seq[ExportPiece] {
	return func(yield func(ExportPiece) bool) {
		bitmap, keys := p.Bitmap, p.Keys
		for first := true; first || len(bitmap) > 0 || len(keys) > 0; first = false {
			part := ExportPiece{Answer: p.Answer}
			size := min(len(bitmap), MaxPieceBytes)
			if size > 0 {
				part.Bitmap, bitmap = bitmap[:size], bitmap[size:]
			}
			n := 0
			for len(bitmap) == 0 && n < min(len(keys), MaxBatch) && (size == 0 || size+len(keys[n]) <= MaxPieceBytes) {
				size += len(keys[n]) + 3 // its length on the wire
				n++
			}
			if n > 0 {
				part.Keys, keys = keys[:n], keys[n:]
			}
			if !yield(part) {
				return
			}
		}
	}
}
