package daemon

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cairnv1 "cairn/proto/cairn/v1"
)

// scans read all pages of the keyspace and of its views, again and again, each scan
// through one router. Every scan must be complete and without duplicates (I7), however
// long its cursor is out.
type scans struct {
	t      *testing.T
	stop   context.CancelFunc
	reader sync.WaitGroup
	// heals has a page asked for again, by its cursor, where nobody answered.
	heals bool
	// complete counts the scans that came to their end, failed the pages that had to be
	// asked for again.
	complete, failed atomic.Int64
}

// fixedEntries are those with which the keys of moving.fill begin.
var fixedEntries = []byte("order-")

// startScans starts scans of a keyspace that moving.fill has filled.
func startScans(t *testing.T, seed uint64, heals bool, routers ...*caller) *scans {
	ctx, cancel := context.WithCancel(t.Context())
	s := &scans{t: t, stop: cancel, heals: heals}
	for i, read := range []func(context.Context, *caller, *rand.Rand) error{s.listing, s.fixedView, s.loadedView} {
		s.reader.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for ctx.Err() == nil {
				through := routers[random.IntN(len(routers))]
				if err := read(ctx, through, random); err != nil {
					t.Errorf("scan: %v", err)
					return
				}
				if ctx.Err() == nil {
					s.complete.Add(1)
				}
			}
		})
	}
	return s
}

// goesOn waits for so many scans.
func (s *scans) goesOn(scans int) {
	s.t.Helper()
	before := s.complete.Load()
	eventually(s.t, "scans come to their end", func() bool { return s.complete.Load() >= before+int64(scans) })
}

func (s *scans) end() {
	s.stop()
	s.reader.Wait()
}

// finish ends the scans, and tells of them.
func (s *scans) finish() {
	s.t.Helper()
	s.end()
	s.t.Logf("%d scans were complete; %d pages were asked for again", s.complete.Load(), s.failed.Load())
}

// page asks for a page, after a moment in which its cursor is out; again where it may.
// more is false once the scans are to end.
func (s *scans) page(ctx context.Context, random *rand.Rand, ask func(context.Context) error) (more bool, err error) {
	time.Sleep(between(random, 0, 60*time.Millisecond))
	for began := time.Now(); ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		call, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err := ask(call)
		cancel()
		if err == nil {
			return true, nil
		}
		if !s.heals || !mayHeal(err) || time.Since(began) > 2*patience {
			return false, err
		}
		s.failed.Add(1)
	}
	return false, nil
}

// listing reads the keyspace by key.
func (s *scans) listing(ctx context.Context, c *caller, random *rand.Rand) error {
	var last []byte
	fixed := 0
	request := &cairnv1.ListEntriesRequest{Parent: keyspaceName}
	for {
		var page *cairnv1.ListEntriesResponse
		request.PageSize = int32(100 + random.IntN(400))
		more, err := s.page(ctx, random, func(ctx context.Context) (err error) {
			page, err = c.locator.ListEntries(ctx, request)
			return err
		})
		if !more {
			return err
		}
		for _, entry := range page.Entries {
			if bytes.Compare(entry.Key, last) <= 0 {
				return fmt.Errorf("listing: after %s comes %s", last, entry.Key)
			}
			if last = entry.Key; bytes.HasPrefix(last, fixedEntries) {
				if fixed++; !bytes.Equal(last, key(fixed-1)) {
					return fmt.Errorf("listing: %s in place of %s", last, key(fixed-1))
				}
			}
		}
		if request.PageToken = page.NextPageToken; request.PageToken == "" {
			break
		}
	}
	if fixed != movedEntries {
		return fmt.Errorf("listing: %d entries of the %d that were there throughout", fixed, movedEntries)
	}
	return nil
}

// fixedView reads the view of what stays as it is.
func (s *scans) fixedView(ctx context.Context, c *caller, random *rand.Rand) error {
	rows := 0
	more, err := s.view(ctx, c, random, "views/fixed", movedEntries/5, func(row *cairnv1.ViewRow) error {
		if !bytes.Equal(row.Key, key(rows)) {
			return fmt.Errorf("the view has %s in place of %s", row.Key, key(rows))
		}
		rows++
		return nil
	})
	if more && rows != movedEntries {
		return fmt.Errorf("the view has %d rows of %d", rows, movedEntries)
	}
	return err
}

// loadedView reads the view of what clients write, whose values are all different and
// grow: no value comes twice, and an entry may come again with a larger one only.
func (s *scans) loadedView(ctx context.Context, c *caller, random *rand.Rand) error {
	var last int64
	_, err := s.view(ctx, c, random, loadedView, deedsPerKey/10, func(row *cairnv1.ViewRow) error {
		amount := row.Attributes["amount"].GetIntValue()
		if amount <= last {
			return fmt.Errorf("the loaded view has %d of %s after %d", amount, row.Key, last)
		}
		last = amount
		return nil
	})
	return err
}

// view reads a view by pages of some rows; more is true if it came to its end.
func (s *scans) view(ctx context.Context, c *caller, random *rand.Rand, name string, most int, take func(*cairnv1.ViewRow) error) (more bool, err error) {
	request := &cairnv1.QueryRequest{Selection: &cairnv1.Selection{View: name}, Fields: []string{"amount"}}
	for {
		var page *cairnv1.QueryResponse
		request.PageSize = int32(1 + random.IntN(most))
		more, err := s.page(ctx, random, func(ctx context.Context) (err error) {
			page, err = c.views.Query(ctx, request)
			return err
		})
		if !more {
			return false, err
		}
		for _, row := range page.Rows {
			if err := take(row); err != nil {
				return false, err
			}
		}
		if request.Cursor = page.NextCursor; request.Cursor == "" {
			return true, nil
		}
	}
}
