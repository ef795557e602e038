package load

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cairn"
	"cairn/cmd/cairn/records"
)

// Nodes is what becomes of the nodes that rows name.
type Nodes uint8

// What becomes of the nodes that rows name.
const (
	// Prefer takes a row's nodes where the key's cluster has them and they
	// take new entries, and leaves the choice to the cluster otherwise.
	Prefer Nodes = iota
	// Require refuses a row whose nodes can't be taken.
	Require
	// Ignore leaves the choice to the cluster.
	Ignore
)

// Config is what a load needs.
type Config struct {
	// Write writes a batch; the outcomes are in its order. It returns once
	// they are known or its context has ended.
	Write func(ctx context.Context, writes []cairn.Write) ([]cairn.WriteOutcome, cairn.Token, error)
	// Lanes is how many batches may be under way.
	Lanes int
	// Rows and Bytes bound a batch.
	Rows, Bytes int
	// Timeout bounds one attempt at a batch, Patience how long a lane repeats
	// one that can't be written.
	Timeout, Patience time.Duration
	Nodes             Nodes
	// SkipBad is how many bad rows are skipped. Each is told to OnBad, in no
	// order, one at a time.
	SkipBad int
	OnBad   func(*records.BadRow)
	// File is what bad rows that the reader has not named call it.
	File string
}

// Counts is how far a load is.
type Counts struct {
	// Written rows are durable: Created those whose keys had no entry before,
	// Replaced the others. A batch that was repeated may count as replaced
	// what it created.
	Written, Created, Replaced int64
	// Placed rows are written ones whose nodes could not be taken.
	Placed int64
	// Bad rows were skipped.
	Bad int64
	// Token covers what is written.
	Token cairn.Token
}

// Load is one load.
type Load struct {
	config Config

	mu     sync.Mutex // guards what is below; nothing is awaited under it
	counts Counts
	// stop is why no more rows are to be read: of the bad rows that were too
	// many, the first in the file.
	stop *records.BadRow
}

// New makes a load. Run carries it out.
func New(config Config) *Load { return &Load{config: config} }

// Counts is how far the load is. It may be asked at any time.
func (l *Load) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// Run reads and writes rows until the file ends, and returns nil then. It
// returns the *records.BadRow that was one too many and the reader's error,
// both once everything read before is written; the error of the batch that
// could not be written within Config.Patience; and the context's error, where
// what is under way is still waited for.
func (l *Load) Run(ctx context.Context, reader records.Reader) error {
	group, writing := errgroup.WithContext(context.WithoutCancel(ctx))
	lanes := make([]chan []records.Row, l.config.Lanes)
	for i := range lanes {
		lanes[i] = make(chan []records.Row, 1)
		group.Go(func() error {
			for batch := range lanes[i] {
				if err := l.write(writing, batch); err != nil {
					return err
				}
			}
			return nil
		})
	}
	reading := l.deal(ctx, writing, reader, lanes)
	for _, lane := range lanes {
		close(lane)
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if reading != nil {
		return reading
	}
	if stop := l.stopped(); stop != nil {
		return stop
	}
	return nil
}

// deal reads rows and hands them to lanes in batches until the file, the
// caller or a lane ends it.
func (l *Load) deal(ctx, writing context.Context, reader records.Reader, lanes []chan []records.Row) error {
	type pending struct {
		rows  []records.Row
		bytes int
	}
	seed := maphash.MakeSeed()
	open := make([]pending, len(lanes))
	hand := func(lane int) bool {
		batch := open[lane].rows
		open[lane] = pending{}
		if len(batch) == 0 {
			return true
		}
		select {
		case lanes[lane] <- batch:
			return true
		case <-writing.Done():
			return false
		}
	}
	var err error
	for err == nil && ctx.Err() == nil && writing.Err() == nil && l.stopped() == nil {
		var row records.Row
		if row, err = reader.Next(); err != nil {
			if bad, ok := errors.AsType[*records.BadRow](err); ok {
				l.bad(bad)
				err = nil
			}
			continue
		}
		lane := int(maphash.Bytes(seed, row.Key) % uint64(len(lanes)))
		size := sizeOf(row)
		if p := &open[lane]; len(p.rows) == l.config.Rows || p.bytes+size > l.config.Bytes {
			if !hand(lane) {
				return nil // the lane's error is the one to tell
			}
		}
		if open[lane].rows == nil {
			open[lane].rows = make([]records.Row, 0, l.config.Rows)
		}
		open[lane].rows = append(open[lane].rows, row)
		open[lane].bytes += size
	}
	for lane := range lanes {
		if !hand(lane) {
			return nil
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// bad counts a bad row, and ends the reading if it is one too many.
func (l *Load) bad(row *records.BadRow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts.Bad == int64(l.config.SkipBad) {
		if l.stop == nil || row.Line < l.stop.Line {
			l.stop = row
		}
		return
	}
	l.counts.Bad++
	if l.config.OnBad != nil {
		l.config.OnBad(row)
	}
}

func (l *Load) stopped() *records.BadRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stop
}

// sizeOf is about how many bytes a row takes in a message, rather more than
// less.
func sizeOf(row records.Row) int {
	size := len(row.Key) + len(row.Node) + 24
	for _, name := range row.Replicas {
		size += len(name) + 4
	}
	for _, a := range row.Attributes {
		size += len(a.Name) + 24
		if a.Value.Type() == cairn.TypeString {
			size += len(a.Value.Text())
		}
	}
	return size
}
