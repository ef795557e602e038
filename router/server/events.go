package server

import (
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Events are told what happens at the edge, from the goroutine in which it
// does: they must return at once. Any may be nil.
type Events struct {
	// Call is called when a call has ended, one that was refused before any
	// router was asked included. Each batch of a StreamLocate counts as a call;
	// the stream as a whole only if it fails.
	Call func(CallEvent)
}

// CallEvent is how a call ended.
type CallEvent struct {
	// Method is one of cairn.v1, as in "Locator/Locate".
	Method   string
	Code     codes.Code
	Duration time.Duration
}

const methodPrefix = "/cairn.v1."

// began is when a call began, if anyone wants to know.
func (e Events) began() time.Time {
	if e.Call == nil {
		return time.Time{}
	}
	return time.Now()
}

// ended tells the listener how a call ended, by the status in err.
func (e Events) ended(method string, began time.Time, err error) {
	if e.Call != nil {
		e.Call(CallEvent{Method: strings.TrimPrefix(method, methodPrefix), Code: status.Code(err), Duration: time.Since(began)})
	}
}
