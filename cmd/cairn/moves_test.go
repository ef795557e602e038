package main

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	cairnv1 "cairn/proto/cairn/v1"
)

func TestMoveProgress(t *testing.T) {
	began := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	move := func(phase cairnv1.Move_Phase, entries, total uint64) *cairnv1.Move {
		return &cairnv1.Move{
			Name: "moves/00c3a1f09be24d57", Shard: "keyspaces/runways/shards/17", To: "clusters/south", Phase: phase,
			PhaseTime: timestamppb.New(began), Entries: proto.Uint64(entries), EntriesTotal: proto.Uint64(total),
		}
	}
	waiting := move(cairnv1.Move_PREPARING, 0, 30_000)
	waiting.Waits = "other moves of its clusters come first"
	unknown := move(cairnv1.Move_COPYING, 0, 0)
	unknown.Entries = nil
	for name, test := range map[string]struct {
		move                   *cairnv1.Move
		line, entries, percent string
	}{
		"copying":      {move(cairnv1.Move_COPYING, 12_000, 30_000), "copying, 40%", "12,000 of 30,000, 3,000/s, 6s left", "40%"},
		"just begun":   {move(cairnv1.Move_COPYING, 0, 30_000), "copying", "0 of 30,000", "0%"},
		"more than is": {move(cairnv1.Move_COPYING, 40_000, 30_000), "copying, 100%", "40,000 of 30,000, 10,000/s, 0s left", "100%"},
		"catching up":  {move(cairnv1.Move_CATCHING_UP, 30_000, 30_000), "catching-up", "30,000 of 30,000", "100%"},
		"waiting":      {waiting, "preparing (other moves of its clusters come first)", "0 of 30,000", "0%"},
		"not known":    {unknown, "copying", "", "-"},
		"done":         {move(cairnv1.Move_DONE, 0, 0), "done", "0 of 0", "100%"},
	} {
		if got, want := describeMove(test.move), "00c3a1f09be24d57 of runways/17 to south: "+test.line; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if got := entriesOf(test.move, began.Add(4*time.Second)); got != test.entries {
			t.Errorf("%s: %q, want %q", name, got, test.entries)
		}
		if got := percent(test.move); got != test.percent {
			t.Errorf("%s: %q, want %q", name, got, test.percent)
		}
	}
}
