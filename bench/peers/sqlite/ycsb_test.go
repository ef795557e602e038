//go:build cgo

package sqlite

import (
	"database/sql/driver"
	"sync"
	"testing"

	"cairn/bench/load"
	"cairn/bench/ycsb"
)

func TestSeatsAreReadAsTheyWereWritten(t *testing.T) {
	s, err := opened(t).FillSeats(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.writer.Close(); err != nil {
			t.Error(err)
		}
	}()
	err = s.writer.rows(t.Context(), "PRAGMA synchronous", nil, func(values []driver.Value) error {
		if values[0] != int64(2) {
			t.Errorf("synchronous is %v, want 2, which is FULL", values[0])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var keys load.NewKeys
	key := string(keys.Had(3))
	// Above all that there are at first, so that scans find them alone.
	const most = 2_000_000
	if err := s.Update(t.Context(), key, most); err != nil {
		t.Fatal(err)
	}
	if err := s.Scan(t.Context(), ycsb.Position{Seats: most}, 10); err != nil {
		t.Error(err)
	}
	if err := s.Scan(t.Context(), ycsb.Position{Seats: most, Key: key}, 10); err == nil {
		t.Error("there is a record behind the last one")
	}
	if err := s.Read(t.Context(), "new"); err == nil {
		t.Error("a record is read that is not there")
	}
	if err := s.Update(t.Context(), "new", 1); err == nil {
		t.Error("a record is updated that is not there")
	}
	if err := s.Insert(t.Context(), "new", ycsb.Record{Country: "HU", Seats: most + 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Read(t.Context(), "new"); err != nil {
		t.Error(err)
	}
	if err := s.Scan(t.Context(), ycsb.Position{Seats: most, Key: key}, 10); err != nil {
		t.Error(err)
	}
}

func TestReadersGoOnWhileOthersWrite(t *testing.T) {
	s, err := opened(t).FillSeats(t.Context(), 1_000)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var keys load.NewKeys
	for i := range s.readers {
		running.Go(func() {
			for n := range uint64(200) {
				key := string(keys.Had(n))
				if err := s.Read(t.Context(), key); err != nil {
					t.Error(err)
				}
				if err := s.Update(t.Context(), key, int64(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	if err := s.writer.Close(); err != nil {
		t.Error(err)
	}
}
