package router

import (
	"time"

	"cairn"
)

// Verb is what a request asks for.
type Verb string

// The verbs.
const (
	VerbLocate      Verb = "locate"
	VerbBatchLocate Verb = "batch_locate"
	VerbList        Verb = "list"
	VerbExplain     Verb = "explain"
	VerbPut         Verb = "put"
	VerbDelete      Verb = "delete"
	VerbBatchWrite  Verb = "batch_write"
	VerbWatch       Verb = "watch"
	// VerbFollow is what keeps the cache of locations true. It is only retried.
	VerbFollow Verb = "follow"

	VerbQueryView     Verb = "query_view"
	VerbCountView     Verb = "count_view"
	VerbGroupView     Verb = "group_view"
	VerbAggregateView Verb = "aggregate_view"
	VerbExplainView   Verb = "explain_view"
	VerbExportView    Verb = "export_view"
	VerbViewProgress  Verb = "view_progress"
	VerbCountWhere    Verb = "count_where"

	// VerbFleetPart is what another router of the fleet asks for.
	VerbFleetPart Verb = "fleet_part"
)

// Events are called as things happen, from the goroutine in which they do:
// they must return at once. Any may be nil.
type Events struct {
	// Request is called when a request has ended.
	Request func(RequestEvent)
	// Retry is called before a part of a request is tried again.
	Retry func(RetryEvent)
	// Question is called when a cluster has answered or refused a question about a
	// view.
	Question func(QuestionEvent)
	// Check is called when an answer from the cache of locations has been compared with
	// a linearizable one.
	Check func(CheckEvent)
}

// RequestEvent is how a request ended.
type RequestEvent struct {
	Verb     Verb
	Keyspace string
	// Keys is how many keys or writes it had, Failed how many of those failed.
	// A page has its rows; another question about a view counts as one.
	Keys, Failed int
	Duration     time.Duration
	// Err is why it failed as a whole.
	Err error
}

// RetryEvent is a part of a request that is tried again.
type RetryEvent struct {
	Verb     Verb
	Keyspace string
	Cluster  string
	Keys     int
	// Err is the refusal; its Kind says what was learnt from it.
	Err *cairn.Error
}

// Source is where the answer to a question came from.
type Source string

// The sources.
const (
	// SourceIndex: the index was asked.
	SourceIndex Source = "index"
	// SourceJoined: somebody else was asking the same.
	SourceJoined Source = "joined"
	// SourceKept: a pinned question, whose answer was there.
	SourceKept Source = "kept"
	// SourceFleet: another router of the fleet answered.
	SourceFleet Source = "fleet"
)

// QuestionEvent is one cluster's answer to a question about a view.
type QuestionEvent struct {
	Verb     Verb
	Keyspace string
	Cluster  string
	Source   Source
}
