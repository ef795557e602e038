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
)

// Events are called as things happen, from the goroutine in which they do:
// they must return at once. Any may be nil.
type Events struct {
	// Request is called when a request has ended.
	Request func(RequestEvent)
	// Retry is called before a part of a request is tried again.
	Retry func(RetryEvent)
}

// RequestEvent is how a request ended.
type RequestEvent struct {
	Verb     Verb
	Keyspace string
	// Keys is how many keys or writes it had, Failed how many of those failed.
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
