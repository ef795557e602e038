package load

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cairn"
	"cairn/cmd/cairn/records"
)

// attempt is a row on its way.
type attempt struct {
	row   records.Row
	write cairn.Write
	// placed says that the row's nodes could not be taken.
	placed bool
}

// write writes a batch, repeating what may be repeated.
func (l *Load) write(ctx context.Context, rows []records.Row) error {
	attempts := make([]attempt, len(rows))
	for i, row := range rows {
		attempts[i] = attempt{row: row, write: cairn.Write{Operation: cairn.Put, Key: row.Key, Attributes: row.Attributes}}
		if l.config.Nodes != Ignore {
			attempts[i].write.Node, attempts[i].write.Replicas = row.Node, row.Replicas
		}
	}
	deadline := time.Now().Add(l.config.Patience)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		left, again, err := l.attempt(ctx, attempts)
		switch {
		case len(left) == 0 && err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err() // another lane has failed
		case err != nil && (!retryable(cairn.KindOf(err)) || time.Now().After(deadline)):
			return err
		}
		if attempts = left; !again {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
			timer.Stop()
			continue
		}
		deadline, wait = time.Now().Add(l.config.Patience), 25*time.Millisecond
	}
}

// attempt writes a batch once and counts what became of it. It returns the
// attempts to be made again, and whether that is worth doing at once; err is
// why they are to be made again, or why the load has failed.
func (l *Load) attempt(ctx context.Context, attempts []attempt) (left []attempt, atOnce bool, err error) {
	writes := make([]cairn.Write, len(attempts))
	for i, a := range attempts {
		writes[i] = a.write
	}
	once, cancel := context.WithTimeout(ctx, l.config.Timeout)
	outcomes, token, err := l.config.Write(once, writes)
	cancel()
	if err != nil {
		return l.refused(ctx, attempts, err)
	}
	if len(outcomes) != len(attempts) {
		return nil, false, cairn.Errorf(cairn.KindInternal, "OUTCOMES", "%d outcomes of %d writes", len(outcomes), len(attempts))
	}
	var counts Counts
	counts.Token = token
	// Rows of a key whose earlier row is to be written again are written
	// again behind it: otherwise the earlier one would win.
	again := map[string]bool{}
	for i, outcome := range outcomes {
		a := attempts[i]
		switch e := outcome.Err; {
		case e == nil && !again[string(a.row.Key)]:
			counts.add(outcome, a.placed)
			continue
		case e == nil:
		case l.config.Nodes == Prefer && a.write.Node != "" && nodeRefused(e):
			a.write.Node, a.write.Replicas, a.placed = "", nil, true
			atOnce = true
		case retryable(e.Kind):
			err = e
		default:
			l.bad(l.located(a.row, e))
			continue
		}
		again[string(a.row.Key)] = true
		left = append(left, a)
	}
	l.count(counts)
	return left, atOnce && err == nil, err
}

// refused is for a batch that failed as a whole. One that is too big, for it
// or its answer, is written in halves.
func (l *Load) refused(ctx context.Context, attempts []attempt, err error) ([]attempt, bool, error) {
	switch {
	case cairn.ReasonOf(err) != "MESSAGE_TOO_LARGE":
		return attempts, false, err
	case len(attempts) == 1:
		e, _ := errors.AsType[*cairn.Error](err)
		l.bad(l.located(attempts[0].row, e))
		return nil, false, nil
	}
	half := len(attempts) / 2
	left, _, err := l.attempt(ctx, attempts[:half])
	if err != nil || len(left) > 0 {
		return append(left, attempts[half:]...), err == nil, err
	}
	return l.attempt(ctx, attempts[half:])
}

// located is the bad row that a refusal makes of a row. Where in its batch the
// row stood is of no use to anybody.
func (l *Load) located(row records.Row, refusal *cairn.Error) *records.BadRow {
	err := *refusal
	if _, field, inBatch := strings.Cut(err.Field, "]."); inBatch && strings.HasPrefix(err.Field, "writes[") {
		err.Field = field
	}
	return &records.BadRow{File: l.config.File, Line: row.Line, Column: 1, Refused: true, Err: fmt.Errorf("refused: %w", &err)}
}

func (c *Counts) add(outcome cairn.WriteOutcome, placed bool) {
	c.Written++
	if outcome.Existed {
		c.Replaced++
	} else {
		c.Created++
	}
	if placed {
		c.Placed++
	}
}

func (l *Load) count(more Counts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Written += more.Written
	l.counts.Created += more.Created
	l.counts.Replaced += more.Replaced
	l.counts.Placed += more.Placed
	l.counts.Token = l.counts.Token.Merge(more.Token)
}

// retryable kinds pass by themselves. A write that may have taken effect is
// repeated too: a Put does no harm twice.
func retryable(kind cairn.Kind) bool {
	switch kind {
	case cairn.KindUnavailable, cairn.KindUnknown, cairn.KindDeadline, cairn.KindNotYet, cairn.KindStale, cairn.KindConflict:
		return true
	}
	return false
}

// nodeRefused reports whether a write was refused for the nodes that it
// names.
func nodeRefused(err *cairn.Error) bool {
	if err.Kind != cairn.KindInvalid && err.Kind != cairn.KindPrecondition {
		return false
	}
	return err.Field == "node" || strings.HasPrefix(err.Field, "replicas") || strings.HasPrefix(err.Reason, "NODE_")
}
