package server

import (
	statuspb "google.golang.org/genproto/googleapis/rpc/status"

	"cairn"
	"cairn/proto/rpcerr"
)

// responseErrors is about how many bytes the errors of single keys or writes
// may have in one response, so that it stays within what clients take: a batch
// of 10,000 may fail 10,000 times.
const responseErrors = 2 << 20

// errorBudget is how many bytes one error of a response may have.
type errorBudget int

// newErrorBudget shares responseErrors among so many errors.
func newErrorBudget(errors int) errorBudget { return errorBudget(responseErrors / max(1, errors)) }

// shorten makes an error that is over the budget say less; see rpcerr.Shorten.
func (b errorBudget) shorten(status *statuspb.Status) {
	if status != nil {
		rpcerr.Shorten(status, int(b))
	}
}

// shortenErrors shortens the errors of a response with so many results. at
// gives the error of each, nil for none.
func shortenErrors(results int, at func(i int) *statuspb.Status) {
	errors := 0
	for i := range results {
		if at(i) != nil {
			errors++
		}
	}
	budget := newErrorBudget(errors)
	for i := range results {
		budget.shorten(at(i))
	}
}

func countErrors(locations []cairn.Location) (errors int) {
	for i := range locations {
		if locations[i].Err != nil {
			errors++
		}
	}
	return errors
}
