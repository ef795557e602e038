package cairn

import "time"

// This file is what services ask of views and get from a router: names where
// a node index has ids. A router inside the service and the client of a
// remote one use the same types.

// Selection is which entries a question is about: the members of a view of
// which a condition is true.
type Selection struct {
	// View is the view's name.
	View string
	// Where is a CEL expression over the keyspace's attributes that narrows the
	// view; empty does not. It may say now, the time at the router; the pages
	// that follow a cursor keep the time of the first.
	Where     string
	Freshness Freshness
	// Partial allows an answer without the clusters that can't be reached; it
	// names them. Otherwise one of them fails the question.
	Partial bool
	// Pinned has each cluster's part, if Freshness is AtLeast and the router has kept
	// it, be of the very state that the token names, and asks the index otherwise;
	// what is answered is kept, for as long as there is room. So questions with the
	// same token have one consistent state as long as their answers' token is that
	// token; one that is newer says that it could not be had. A token that never
	// changes gets answers that never do.
	Pinned bool
}

// PageQuery asks for one page of a view.
type PageQuery struct {
	Selection
	// OrderBy are attributes' names, with a minus in front for descending;
	// empty for the view's own order.
	OrderBy []string
	// Limit is how many rows there are at most, 1 to MaxBatch; 0 for 50. A page
	// may have fewer for its size in bytes.
	Limit int
	// Cursor is from the page before, of the same view, condition and order.
	Cursor string
	// Offset is how many rows to pass over; not together with Cursor.
	Offset int
	// Fields are the attributes to return; empty for those that the view
	// declares.
	Fields []string
	// Explain asks for the plans.
	Explain bool
}

// Scattered is what every answer over a view says of how it came about.
type Scattered struct {
	// Token is how fresh the answer is.
	Token Token
	// Missing are the clusters that a partial answer is without, with why.
	Missing []MissingCluster
}

// MissingCluster is a cluster that could not be asked.
type MissingCluster struct {
	Cluster string
	Err     *Error
}

// ViewPage is one page of a view in its order.
type ViewPage struct {
	Scattered
	Rows []NamedRow
	// NextCursor is empty on the last page.
	NextCursor string
	// Plans say how each cluster found its rows, if asked for.
	Plans []ClusterPlan
}

// NamedRow is an entry on a page of a view.
type NamedRow struct {
	Key     Key
	Cluster string
	// Primary and Replicas are as in Location.
	Primary    *Node
	Replicas   []*Node
	Attributes RowValues
}

// ClusterPlan is how one cluster found its part of an answer.
type ClusterPlan struct {
	Cluster string
	Plan    string
	// Rows are how many it sent.
	Rows     int
	Duration time.Duration
}

// ViewCount is how many entries a selection has.
type ViewCount struct {
	Scattered
	Count uint64
}

// GroupQuery counts the entries of a selection by the values of attributes.
type GroupQuery struct {
	Selection
	// By are one or two attributes.
	By []string
	// Top, if not 0, keeps only so many groups, those with the most entries.
	// They are chosen after all groups were counted exactly.
	Top int
}

// ViewGroups are the groups of a selection: in order of their values, absent
// ones last, or by size, the largest first, if only the top was asked for.
type ViewGroups struct {
	Scattered
	By     []string
	Groups []Group
}

// ViewAggregation is what there is to say about one attribute of a selection.
type ViewAggregation struct {
	Scattered
	Attribute   string
	Aggregation Aggregation
}

// ViewMembership is whether a key is in a view, and why.
type ViewMembership struct {
	Scattered
	Cluster string
	// Version is that of the view.
	Version    uint64
	Filter     string
	Membership Membership
	// Attributes are the names of those that Membership.Deciding are on.
	Attributes map[AttributeID]string
}

// ViewProgress is how far a view is, over all clusters that own a part of its
// keyspace.
type ViewProgress struct {
	// Serving is the version that answers, 0 if none does yet; Building the
	// one that is being built, 0 if none is.
	Serving, Building uint64
	// Done of Total entries are built.
	Done, Total uint64
	// Members and Bytes are those of the serving version.
	Members uint64
	Bytes   int64
	// Refusal is why the version can't be built in a cluster; empty if it can.
	Refusal string
	// Missing are clusters that could not be asked.
	Missing []MissingCluster
	// Err is why nothing is known; nil if something is.
	Err error
}
