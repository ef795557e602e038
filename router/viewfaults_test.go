package router_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// viewBed is a bed of two clusters with 100 entries in Things, and a view of
// those with a size of 10 or more, largest first.
type viewBed struct {
	*bed.Bed
	*router.Router
	topology *bed.Topology
	view     catalog.View
	failing  map[cairn.NodeID]bool // which checks find down, in every cluster
}

func newViewBed(t *testing.T) *viewBed {
	t.Helper()
	world, err := bed.New(2, 8)
	if err != nil {
		t.Fatal(err)
	}
	things, _ := world.Map().Catalog().KeyspaceByName(bed.Things)
	v := &viewBed{Bed: world, view: catalog.View{
		UID: 77, Name: theView, Keyspace: things.UID,
		Serving: &catalog.ViewVersion{Number: 1, Filter: "size >= 10", Sort: []cairn.SortField{{Attribute: 1, Descending: true}}},
	}}
	if err := world.SetView(v.view); err != nil {
		t.Fatal(err)
	}
	v.topology = world.Topology()
	if v.Router, err = router.New(router.Config{Topology: v.topology, Dial: world.Dial, Timeout: 10 * time.Second, Down: v.down}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	for i := range 100 {
		since, err := cairn.Timestamp(time.Now().Add(time.Duration(i) * time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		put := cairn.Write{Operation: cairn.Put, Key: fmt.Appendf(nil, "k%02d", i), Attributes: cairn.NamedValues{
			{Name: "since", Value: since}, {Name: "size", Value: cairn.Int(int64(i))}}}
		if _, _, err := v.Put(context.Background(), bed.Things, put, cairn.RequestID{}); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

var all = cairn.Selection{View: theView}

// faulty breaks one cluster's views.
func (v *viewBed) faulty(cluster string, fault bed.Fault) {
	v.Faults = func(name string, call bed.Call) bed.Fault {
		if name == cluster && (call == bed.CallView || call == bed.CallStatus || call == bed.CallListening) {
			return fault
		}
		return bed.None
	}
}

func requireError(t *testing.T, err error, kind cairn.Kind, reason, text string) {
	t.Helper()
	if cairn.KindOf(err) != kind || cairn.ReasonOf(err) != reason || err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v (%s, %s); want %s, %s with %q", err, cairn.KindOf(err), cairn.ReasonOf(err), kind, reason, text)
	}
}

// TestAClusterThatCannotAnswer fails a question with its name, when the
// deadline passes; a partial answer comes before that, without it. One that is out of
// reach fails it as soon as that is certain.
func TestAClusterThatCannotAnswer(t *testing.T) {
	for fault, want := range map[bed.Fault]struct {
		kind   cairn.Kind
		reason string
		text   string
	}{
		bed.Slow:        {cairn.KindDeadline, "DEADLINE_EXCEEDED", "cluster c1 did not answer in time"},
		bed.Unreachable: {cairn.KindUnavailable, cairn.ReasonClusterUnreachable, "cluster c1"},
		bed.NotYet:      {cairn.KindNotYet, "NOT_YET", "cluster c1: gave up after"},
		bed.Building:    {cairn.KindUnavailable, "VIEW_BUILDING", "cluster c1: gave up after"},
		bed.Other:       {cairn.KindUnavailable, "OTHER_SHARDS", "cluster c1"},
	} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newViewBed(t)
				v.faulty("c1", fault)
				least, most, leastOfPartial, mostOfPartial := 9*time.Second, 10*time.Second, 7*time.Second, 8*time.Second
				if fault == bed.Unreachable {
					least, most, leastOfPartial, mostOfPartial = 4*time.Second, 5*time.Second, 0, time.Second
				}
				began := time.Now()
				_, err := v.CountView(t.Context(), all)
				requireError(t, err, want.kind, want.reason, want.text)
				if took := time.Since(began); took < least || took > most {
					t.Errorf("it took %s of 10 s", took)
				}
				// Two who ask for the same page are told so each in his time.
				var both sync.WaitGroup
				for i := range 2 {
					both.Go(func() {
						time.Sleep(time.Duration(i) * time.Second)
						ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
						defer cancel()
						began := time.Now()
						_, err := v.QueryView(ctx, cairn.PageQuery{Selection: all})
						requireError(t, err, want.kind, want.reason, want.text)
						// Who is out of reach is known to be by now.
						if took := time.Since(began); fault != bed.Unreachable && took < least-time.Second || took > most {
							t.Errorf("a page took %s of 10 s", took)
						}
					})
				}
				both.Wait()
				partial := all
				partial.Partial = true
				began = time.Now()
				got, err := v.CountView(t.Context(), partial)
				if err != nil || len(got.Missing) != 1 || got.Missing[0].Cluster != "c1" || got.Count == 0 || got.Count >= 90 {
					t.Fatalf("%+v, %v", got, err)
				}
				requireError(t, got.Missing[0].Err, want.kind, want.reason, want.text)
				if took := time.Since(began); took < leastOfPartial || took > mostOfPartial {
					t.Errorf("the partial answer took %s of 10 s", took)
				}
				page, err := v.QueryView(t.Context(), cairn.PageQuery{Selection: partial, Limit: 100})
				if err != nil || len(page.Rows) != int(got.Count) || len(page.Missing) != 1 || page.NextCursor != "" {
					t.Errorf("%d rows, %v, %v; want %d", len(page.Rows), page.Missing, err, got.Count)
				}
			})
		})
	}
}

// TestAClusterThatIsNotThere is waited for by who needs it, for a while, and not by
// who can do without.
func TestAClusterThatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newViewBed(t)
		v.faulty("c1", bed.Refused)
		began := time.Now()
		_, err := v.CountView(t.Context(), all)
		requireError(t, err, cairn.KindUnavailable, cairn.ReasonClusterUnreachable, "cluster c1: ")
		if took := time.Since(began); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("it took %s of 10 s", took)
		}
		partial := all
		partial.Partial = true
		began = time.Now()
		got, err := v.CountView(t.Context(), partial)
		if err != nil || len(got.Missing) != 1 || got.Missing[0].Cluster != "c1" || got.Count == 0 || got.Count >= 90 {
			t.Fatalf("%+v, %v", got, err)
		}
		requireError(t, got.Missing[0].Err, cairn.KindUnavailable, cairn.ReasonClusterUnreachable, "cluster c1: ")
		page, err := v.QueryView(t.Context(), cairn.PageQuery{Selection: partial, Offset: 3, Limit: 100})
		if err != nil || len(page.Rows) != int(got.Count)-3 || len(page.Missing) != 1 {
			t.Errorf("%d rows, %v, %v; want %d", len(page.Rows), page.Missing, err, got.Count-3)
		}
		if progress := v.ViewProgress(t.Context(), theView)[0]; progress.Err != nil || len(progress.Missing) != 1 {
			t.Errorf("%+v", progress)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("partial answers took %s", took)
		}
	})
}

// TestNobodyIsThere waits for clusters that it could do without, since nobody
// else answers.
func TestNobodyIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newViewBed(t)
		back := time.Now().Add(3 * time.Second)
		v.Faults = func(name string, call bed.Call) bed.Fault {
			if (call == bed.CallView || call == bed.CallListening) && (name == "c1" || time.Now().Before(back)) {
				return bed.Refused
			}
			return bed.None
		}
		partial := all
		partial.Partial = true
		page, err := v.QueryView(t.Context(), cairn.PageQuery{Selection: partial, Limit: 100})
		if err != nil || len(page.Rows) == 0 || len(page.Missing) != 1 || page.Missing[0].Cluster != "c1" {
			t.Errorf("%d rows, missing %v, %v", len(page.Rows), page.Missing, err)
		}
		v.Faults = func(_ string, call bed.Call) bed.Fault {
			if call == bed.CallView || call == bed.CallListening {
				return bed.Refused
			}
			return bed.None
		}
		began := time.Now()
		_, err = v.CountView(t.Context(), partial)
		requireError(t, err, cairn.KindUnavailable, cairn.ReasonClusterUnreachable, "cluster c0: ")
		if took := time.Since(began); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("it took %s of 10 s", took)
		}
	})
}

// TestNobodyAnswers is an error even where the answer may be partial.
func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newViewBed(t)
		v.Faults = func(_ string, call bed.Call) bed.Fault {
			if call == bed.CallView || call == bed.CallListening {
				return bed.Unreachable
			}
			return bed.None
		}
		partial := all
		partial.Partial = true
		_, err := v.CountView(t.Context(), partial)
		requireError(t, err, cairn.KindUnavailable, cairn.ReasonClusterUnreachable, "cluster c0")
		_, err = v.QueryView(t.Context(), cairn.PageQuery{Selection: partial})
		requireError(t, err, cairn.KindUnavailable, cairn.ReasonClusterUnreachable, "cluster c0")
	})
}

// TestABadQuestionIsNotWaitedFor: what one cluster says of a condition is the
// answer, however slow the other is.
func TestABadQuestionIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newViewBed(t)
		v.faulty("c1", bed.Slow)
		bad := cairn.Selection{View: theView, Where: "sise > 3"}
		began := time.Now()
		_, err := v.CountView(t.Context(), bad)
		requireError(t, err, cairn.KindInvalid, "ATTRIBUTE_UNKNOWN", "sise")
		bad.Partial = true
		_, err = v.CountView(t.Context(), bad)
		requireError(t, err, cairn.KindInvalid, "ATTRIBUTE_UNKNOWN", "sise")
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %s", took)
		}
	})
}

// TestACallerWhoGoesAway gets no partial answer.
func TestACallerWhoGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newViewBed(t)
		v.faulty("c1", bed.Slow)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		partial := all
		partial.Partial = true
		_, err := v.CountView(ctx, partial)
		requireError(t, err, cairn.KindDeadline, "CANCELLED", "canceled")
	})
}

// TestAWrongAnswerIsAskedAgain until the index and the map agree.
func TestAWrongAnswerIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newViewBed(t)
		faults := rotate([]bed.Fault{bed.Other, bed.Unreachable, bed.Other, bed.None, bed.NotYet, bed.LostReply, bed.Other})
		v.Faults = func(name string, call bed.Call) bed.Fault {
			if call == bed.CallView {
				return faults(name, call)
			}
			return bed.None
		}
		for range 50 {
			if got, err := v.CountView(t.Context(), all); err != nil || got.Count != 90 {
				t.Fatalf("%+v, %v", got, err)
			}
			if got, err := v.QueryView(t.Context(), cairn.PageQuery{Selection: all, Limit: 100}); err != nil || len(got.Rows) != 90 {
				t.Fatalf("%d rows, %v", len(got.Rows), err)
			}
		}
	})
}

// TestNowStays: the pages after a cursor are about the time of the first.
func TestNowStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newViewBed(t)
		time.Sleep(50*time.Minute + time.Second)
		query := cairn.PageQuery{Selection: cairn.Selection{View: theView, Where: "since <= now"}, Limit: 7}
		var keys []string
		for {
			got, err := v.QueryView(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, keysOf(got.Rows)...)
			if query.Cursor = got.NextCursor; query.Cursor == "" {
				break
			}
			time.Sleep(time.Minute)
		}
		if len(keys) != 41 || keys[0] != "k50" || keys[40] != "k10" {
			t.Errorf("%d: %q", len(keys), keys)
		}
	})
}

// TestNoPageGoesBackInTime: what is asked again, for the same page or for the
// next, is asked for a state that is at least as new.
func TestNoPageGoesBackInTime(t *testing.T) {
	v := newViewBed(t)
	var mu sync.Mutex
	var asked []cairn.Read
	v.Asked = func(_ string, request *cairn.ViewRequest) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, request.Read)
	}
	// Sorted by key, the largest of both clusters' shares are asked in turn.
	query := cairn.PageQuery{Selection: all, Limit: 40}
	first, err := v.QueryView(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	for i, read := range asked {
		if newer := i >= 2; newer != (read.Level == cairn.AtLeast) || newer != (read.Index > 0) {
			t.Errorf("question %d at %+v", i, read)
		}
	}
	asked = nil
	query.Cursor = first.NextCursor
	if _, err := v.QueryView(t.Context(), query); err != nil {
		t.Fatal(err)
	}
	for i, read := range asked {
		if read.Level != cairn.AtLeast || read.Index == 0 || read.Epoch < first.Token.Epoch {
			t.Errorf("question %d of the second page at %+v", i, read)
		}
	}
}

// TestWhatAPageAsksFor is the share that a cluster likely has of it.
func TestWhatAPageAsksFor(t *testing.T) {
	v := newViewBed(t)
	var limits []int
	var mu sync.Mutex
	v.Asked = func(_ string, request *cairn.ViewRequest) {
		mu.Lock()
		defer mu.Unlock()
		limits = append(limits, request.Limit)
	}
	if _, err := v.QueryView(t.Context(), cairn.PageQuery{Selection: all}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(limits)
	if len(limits) < 2 || limits[len(limits)-2] > 40 {
		t.Errorf("asked for %d rows", limits)
	}
}

// stuck is a topology that gets no newer maps.
type stuck struct{ router.Topology }

func (s stuck) Wait(ctx context.Context, _ uint64) (*shardmap.Map, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestAMapThatDoesNotCome: the clusters that the router has a wrong idea of are
// missing; what the others say is right by the map that it has.
func TestAMapThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world, err := bed.New(3, 9)
		if err != nil {
			t.Fatal(err)
		}
		things, _ := world.Map().Catalog().KeyspaceByName(bed.Things)
		if err := world.SetView(catalog.View{UID: 77, Name: theView, Keyspace: things.UID, Serving: &catalog.ViewVersion{Number: 1}}); err != nil {
			t.Fatal(err)
		}
		r, err := router.New(router.Config{Topology: stuck{world.Topology()}, Dial: world.Dial, Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		for i := range 100 {
			if _, _, err := r.Put(t.Context(), bed.Things, cairn.Write{Operation: cairn.Put, Key: fmt.Appendf(nil, "k%02d", i)}, cairn.RequestID{}); err != nil {
				t.Fatal(err)
			}
		}
		owners := world.Map().Owners(things.UID)
		for shard := range world.Map().Shards(things.UID) {
			if shard.Cluster == owners[1].Cluster {
				if err := world.Move(things.UID, shard.ID, owners[2].Cluster); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		world.NoteAll()
		_, err = r.CountView(t.Context(), all)
		if kind := cairn.KindOf(err); kind != cairn.KindDeadline {
			t.Errorf("%v (%s)", err, kind)
		}
		partial := all
		partial.Partial = true
		got, err := r.CountView(t.Context(), partial)
		if err != nil || got.Count == 0 || len(got.Missing) != 2 || got.Missing[0].Cluster != "c1" || got.Missing[1].Cluster != "c2" {
			t.Fatalf("%+v, %v", got, err)
		}
		requireError(t, got.Missing[0].Err, cairn.KindUnavailable, "OTHER_SHARDS", "c1")
		page, err := r.QueryView(t.Context(), cairn.PageQuery{Selection: partial, Limit: 100})
		if err != nil || len(page.Rows) != int(got.Count) || len(page.Missing) != 2 {
			t.Fatalf("%d rows, %v, %v", len(page.Rows), page.Missing, err)
		}
	})
}

// TestShardsMoveWhileAViewIsCounted counts each shard once, never twice or not
// at all.
func TestShardsMoveWhileAViewIsCounted(t *testing.T) {
	v := newViewBed(t)
	stop := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		clusters := v.Map().Catalog().Clusters()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			shards := slices.Collect(v.Map().Shards(v.view.Keyspace))
			if err := v.Move(v.view.Keyspace, shards[i%len(shards)].ID, clusters[i/3%2].UID); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(500 * time.Microsecond)
		}
	})
	for range 100 {
		count, err := v.CountView(t.Context(), all)
		if err != nil || count.Count != 90 {
			t.Fatalf("%+v, %v", count, err)
		}
		groups, err := v.GroupView(t.Context(), cairn.GroupQuery{Selection: all, By: []string{"size"}})
		if err != nil || len(groups.Groups) != 90 {
			t.Fatalf("%d groups, %v", len(groups.Groups), err)
		}
		page, err := v.QueryView(t.Context(), cairn.PageQuery{Selection: all, Limit: 100})
		if err != nil || len(page.Rows) != 90 {
			t.Fatalf("%d rows, %v", len(page.Rows), err)
		}
	}
	close(stop)
	others.Wait()
}
