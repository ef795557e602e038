package daemon

import (
	"syscall"
	"testing"

	cairnv1 "cairn/proto/cairn/v1"
)

// TestSourceIsLostAfterCommit loses the source for good once etcd has the commit, before
// the target was told: the target serves the shard and takes writes, with all that was
// acknowledged.
func TestSourceIsLostAfterCommit(t *testing.T) {
	x, _ := startStepping(t)
	s, m := x.spread, x.moving
	const at = "at=after:swap-to-committed"
	x.begin(at)
	x.awaitHeld(at)
	var moved []int
	for i := 0; len(moved) < 20; i++ {
		explained, err := m.locator.ExplainKey(m.context(), &cairnv1.ExplainKeyRequest{Keyspace: keyspaceName, Key: key(i)})
		if err == nil && explained.Shard == x.shard {
			moved = append(moved, i)
		}
	}
	s.indexes[x.source].kill()
	x.release()
	x.awaitDone()
	for _, router := range m.routers {
		router.expect(moved)
		for _, i := range moved {
			router.mustWrite(i, i+1)
		}
		router.expect(moved)
	}
	for _, each := range m.movers {
		each.terminate(syscall.SIGTERM)
	}
	s.indexes[x.target].terminate(syscall.SIGTERM)
}

// TestCursorsAndTokensOutliveResharding has cursors of the keyspace and of a view, and
// the tokens of writes, out while shards are split, merged, moved and moved back: each
// page follows on the one before, and each write is read by its token through the other
// router.
func TestCursorsAndTokensOutliveResharding(t *testing.T) {
	s, m, _ := startMoving(t, "")
	list := &cairnv1.ListEntriesRequest{Parent: keyspaceName, EndKey: keyWithToken(0), PageSize: movedEntries / 10}
	view := &cairnv1.QueryRequest{Selection: &cairnv1.Selection{View: "views/fixed"}, PageSize: movedEntries / 10}
	listed, viewed := 0, 0
	nextPages := func() {
		t.Helper()
		entries, err := m.routers[0].locator.ListEntries(m.context(), list)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries.Entries {
			if string(entry.Key) != string(key(listed)) {
				t.Fatalf("the listing has %s after %d entries", entry.Key, listed)
			}
			listed++
		}
		list.PageToken = entries.NextPageToken
		rows, err := m.routers[1].views.Query(m.context(), view)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows.Rows {
			if string(row.Key) != string(key(viewed)) {
				t.Fatalf("the view has %s after %d rows", row.Key, viewed)
			}
			viewed++
		}
		view.Cursor = rows.NextCursor
	}
	for i, change := range []func(){m.splitAll, m.moveOne, m.moveBack, m.mergeSome, m.moveOne, m.moveBack, m.splitAll, m.mergeSome} {
		nextPages()
		written := m.putAll(m.routers[i%2], i)
		change()
		m.expectAll(m.routers[1-i%2], i, written)
	}
	for list.PageToken != "" || view.Cursor != "" {
		nextPages()
	}
	if listed != movedEntries || viewed != movedEntries {
		t.Errorf("%d entries were listed and the view had %d rows; want %d each", listed, viewed, movedEntries)
	}
	s.terminateAll(m)
}

// keysWithTokens are written anew for each change of shards; they come after all others.
const keysWithTokens = 64

func keyWithToken(i int) []byte { return append([]byte("with-token-"), key(i)...) }

// putAll puts a value to keys of all shards, and returns the token of the last.
func (m *moving) putAll(through *caller, value int) (token string) {
	m.t.Helper()
	request := &cairnv1.BatchWriteRequest{Keyspace: keyspaceName}
	for i := range keysWithTokens {
		request.Writes = append(request.Writes, &cairnv1.Write{Operation: &cairnv1.Write_Put{Put: &cairnv1.Put{
			Key: keyWithToken(i), Attributes: map[string]*cairnv1.Value{"amount": intValue(value)},
		}}})
	}
	response, err := through.writer.BatchWrite(m.context(), request)
	if err != nil {
		m.t.Fatal(err)
	}
	return response.Token
}

// expectAll checks that a router with a token has the value of each of those keys.
func (m *moving) expectAll(through *caller, value int, token string) {
	m.t.Helper()
	request := &cairnv1.BatchLocateRequest{
		Keyspace: keyspaceName, View: cairnv1.LocationView_LOCATION_VIEW_FULL,
		Freshness: &cairnv1.Freshness{Level: &cairnv1.Freshness_AtLeast{AtLeast: token}},
	}
	for i := range keysWithTokens {
		request.Keys = append(request.Keys, keyWithToken(i))
	}
	response, err := through.locator.BatchLocate(m.context(), request)
	if err != nil {
		m.t.Fatal(err)
	}
	for i, location := range response.Locations {
		if got := location.Attributes["amount"].GetIntValue(); location.State != cairnv1.Location_FOUND || got != int64(value) {
			m.t.Errorf("key %d, of the token %s: %v; want %d", i, token, location, value)
		}
	}
}

// splitAll splits every other shard.
func (m *moving) splitAll() {
	m.t.Helper()
	for i, shard := range m.shards() {
		if i%2 == 0 {
			if _, err := m.admin.SplitShard(m.context(), &cairnv1.SplitShardRequest{Name: shard.Name}); err != nil {
				m.t.Fatal(err)
			}
		}
	}
}

// mergeSome merges neighbours where they have the same owner, and does so once at least.
func (m *moving) mergeSome() {
	m.t.Helper()
	merged := 0
	for shards := m.shards(); len(shards) > 1; {
		left, right := shards[0], shards[1]
		shards = shards[1:]
		if left.Cluster != right.Cluster || left.Move != "" || right.Move != "" {
			continue
		}
		if _, err := m.admin.MergeShards(m.context(), &cairnv1.MergeShardsRequest{Name: left.Name}); err != nil {
			m.t.Fatal(err)
		}
		merged++
		shards = shards[1:]
	}
	if merged == 0 {
		m.t.Error("no two shards could be merged")
	}
}

func (m *moving) moveOne() { m.move(func() {}) }

// moveBack reverses the last move.
func (m *moving) moveBack() {
	m.t.Helper()
	moves, err := m.admin.ListMoves(m.context(), &cairnv1.ListMovesRequest{PageSize: 100})
	if err != nil {
		m.t.Fatal(err)
	}
	last := moves.Moves[0]
	for _, each := range moves.Moves {
		if each.CreateTime.AsTime().After(last.CreateTime.AsTime()) {
			last = each
		}
	}
	reversed, err := m.admin.ReverseMove(m.context(), &cairnv1.ReverseMoveRequest{Name: last.Name})
	if err != nil {
		m.t.Fatal(err)
	}
	eventually(m.t, "the shard is back", func() bool {
		now, err := m.admin.GetMove(m.context(), &cairnv1.GetMoveRequest{Name: reversed.Move.Name})
		return err == nil && now.Phase == cairnv1.Move_DONE
	})
}
