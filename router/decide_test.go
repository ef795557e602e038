package router

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"cairn"
	"cairn/shardmap"
	"cairn/views/page"
)

func TestWhatARefusalMeans(t *testing.T) {
	refused := func(kind cairn.Kind) error { return cairn.Errorf(kind, "REASON", "refused") }
	for name, each := range map[string]struct {
		got  verdict
		do   action
		at   uint64
		kind cairn.Kind
	}{
		"disowned by a newer log":      {learnDisowned("c", cairn.Answer{Revision: 9}, 5), reroute, 9, cairn.KindStale},
		"disowned by the same map":     {learnDisowned("c", cairn.Answer{Revision: 5}, 5), again, 5, cairn.KindStale},
		"read: stale":                  {learnRead(refused(cairn.KindStale), cairn.Answer{Revision: 9}, 5), reroute, 9, cairn.KindStale},
		"read: stale by nobody's word": {learnRead(refused(cairn.KindStale), cairn.Answer{}, 5), again, 5, cairn.KindStale},
		"read: not yet":                {learnRead(refused(cairn.KindNotYet), cairn.Answer{}, 5), again, 5, cairn.KindNotYet},
		"read: unavailable":            {learnRead(refused(cairn.KindUnavailable), cairn.Answer{}, 5), again, 5, cairn.KindUnavailable},
		"read: corrupt":                {learnRead(refused(cairn.KindCorrupt), cairn.Answer{}, 5), giveUp, 0, cairn.KindCorrupt},
		"read: deadline":               {learnRead(context.DeadlineExceeded, cairn.Answer{}, 5), giveUp, 0, cairn.KindDeadline},
		"read: untyped":                {learnRead(errors.New("?"), cairn.Answer{}, 5), giveUp, 0, cairn.KindInternal},
		"write: stale":                 {learnWrite(refused(cairn.KindStale), cairn.Answer{Revision: 9}, 5, false), reroute, 9, cairn.KindStale},
		"write: not yet":               {learnWrite(refused(cairn.KindNotYet), cairn.Answer{}, 5, false), again, 5, cairn.KindNotYet},
		"write: unavailable":           {learnWrite(refused(cairn.KindUnavailable), cairn.Answer{}, 5, false), again, 5, cairn.KindUnavailable},
		"write: disk full":             {learnWrite(refused(cairn.KindExhausted), cairn.Answer{}, 5, false), giveUp, 0, cairn.KindExhausted},
		"write: deadline":              {learnWrite(context.DeadlineExceeded, cairn.Answer{}, 5, false), giveUp, 0, cairn.KindUnknown},
		"write: unknown":               {learnWrite(refused(cairn.KindUnknown), cairn.Answer{}, 5, false), giveUp, 0, cairn.KindUnknown},
		"write with id: unknown":       {learnWrite(refused(cairn.KindUnknown), cairn.Answer{}, 5, true), repeat, 5, cairn.KindUnknown},
		"write with id: deadline":      {learnWrite(context.DeadlineExceeded, cairn.Answer{}, 5, true), repeat, 5, cairn.KindDeadline},
		"write with id: untyped":       {learnWrite(errors.New("?"), cairn.Answer{}, 5, true), giveUp, 0, cairn.KindUnknown},
		"write: untyped":               {learnWrite(errors.New("?"), cairn.Answer{}, 5, false), giveUp, 0, cairn.KindUnknown},
	} {
		if each.got.action != each.do || each.got.revision != each.at || each.got.refusal.Kind != each.kind {
			t.Errorf("%s: %+v; want action %d, revision %d, %s", name, each.got, each.do, each.at, each.kind)
		}
	}
}

func TestPausesGrowAndAreBounded(t *testing.T) {
	for try := 1; try < 40; try++ {
		shortest, longest := pauseBefore(try, 0), pauseBefore(try, 0.999)
		if shortest <= 0 || longest < shortest || longest > longestPause || try > 1 && shortest < pauseBefore(try-1, 0) {
			t.Errorf("try %d: %s to %s", try, shortest, longest)
		}
	}
}

// TestDeadlineContext compares a deadlineContext with the library's.
func TestDeadlineContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Router{timeout: time.Second}
		parent, cancel := context.WithCancel(t.Context())
		defer cancel()

		first, own := r.bound(parent)
		time.Sleep(time.Second)
		if !errors.Is(first.Err(), context.DeadlineExceeded) {
			t.Errorf("after its deadline: %v", first.Err())
		}
		<-first.Done()
		own.end()

		second, own := r.bound(parent)
		done := second.Done()
		if second.Err() != nil {
			t.Error(second.Err())
		}
		cancel()
		<-done
		if !errors.Is(second.Err(), context.Canceled) {
			t.Error(second.Err())
		}
		own.end()

		third, own := r.bound(t.Context())
		own.end()
		<-third.Done()

		if same, own := r.bound(third); same != third || own != nil {
			t.Error("a context with a deadline was given another")
		}
	})
}

// TestMergeIsASort splits sorted entries over parts that are read a few at a
// time.
func TestMergeIsASort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(0, 60).Draw(t, "total")
		clusters := rapid.IntRange(1, 4).Draw(t, "clusters")
		whole := make([][]cairn.NamedEntry, clusters)
		for i := range total {
			at := rapid.IntRange(0, clusters-1).Draw(t, "at")
			whole[at] = append(whole[at], cairn.NamedEntry{Key: fmt.Appendf(nil, "%03d", i)})
		}
		l := listing{limit: rapid.IntRange(1, 80).Draw(t, "limit")}
		for i := range clusters {
			l.parts = append(l.parts, &listPart{part: part{owner: shardmap.Owner{Cluster: cairn.UID(i)}}, Run: page.Run[cairn.NamedEntry]{More: true}})
		}
		for l.merge() {
			for i, p := range l.parts {
				if p.Starved() {
					n := min(len(whole[i]), rapid.IntRange(1, 5).Draw(t, "n"))
					p.Rows, whole[i] = whole[i][:n], whole[i][n:]
					p.More = len(whole[i]) > 0
				}
			}
		}
		for i, entry := range l.entries {
			if string(entry.Key) != fmt.Sprintf("%03d", i) {
				t.Fatalf("entry %d is %s", i, entry.Key)
			}
		}
		want := min(total, l.limit)
		if len(l.entries) != want {
			t.Fatalf("a page of %d; want %d", len(l.entries), want)
		}
	})
}

// TestAListingsPageIsBounded merges entries of which few fit.
func TestAListingsPageIsBounded(t *testing.T) {
	text, err := cairn.String(strings.Repeat("x", cairn.MaxStringLength))
	if err != nil {
		t.Fatal(err)
	}
	p := &listPart{}
	for i := range 1000 {
		p.Rows = append(p.Rows, cairn.NamedEntry{Key: fmt.Appendf(nil, "%04d", i), Attributes: cairn.NamedValues{{Name: "a", Value: text}}})
	}
	size := sizeOf(&p.Rows[0])
	l := listing{limit: 1000, parts: []*listPart{p}}
	if l.merge() || len(l.entries) != maxPageBytes/size || exhausted(l.runs()) {
		t.Fatalf("a page of %d entries of %d bytes", len(l.entries), size)
	}
}

// TestFairShare asks for no more than two standard deviations over the mean.
func TestFairShare(t *testing.T) {
	for _, each := range []struct{ wanted, shards, total, last, want int }{
		{50, 4, 4, 0, 50},    // one cluster: all of it
		{50, 2, 4, 0, 33},    // 25 + 2*3.5
		{50, 2, 4, 33, 50},   // more than a page is never needed
		{1000, 1, 4, 0, 278}, // 250 + 2*13.7
		{1000, 1, 4, 278, 556},
		{1, 1, 1000, 0, 1},
	} {
		if got := fairShare(each.wanted, each.shards, each.total, each.last); got != each.want {
			t.Errorf("%+v: %d", each, got)
		}
	}
}

// TestPartsOf keeps what a cluster still owns.
func TestPartsOf(t *testing.T) {
	owner := func(cluster cairn.UID, fingerprint cairn.Fingerprint) shardmap.Owner {
		return shardmap.Owner{Cluster: cluster, Fingerprint: fingerprint}
	}
	fresh := func(o shardmap.Owner) *listPart { return &listPart{part: part{owner: o}} }
	old := partsOf([]shardmap.Owner{owner(1, 10), owner(3, 30), owner(5, 50)}, nil, fresh)
	got := partsOf([]shardmap.Owner{owner(1, 10), owner(2, 20), owner(3, 31), owner(5, 50), owner(6, 60)}, old, fresh)
	if len(got) != 5 || got[0] != old[0] || got[2] == old[1] || got[3] != old[2] {
		t.Errorf("%v of %v", got, old)
	}
	for i, cluster := range []cairn.UID{1, 2, 3, 5, 6} {
		if got[i].owner.Cluster != cluster {
			t.Errorf("part %d is of cluster %d", i, got[i].owner.Cluster)
		}
	}
}

func TestSuccessor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := cairn.Key(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xfe, 0xff}), 1, 3).Draw(t, "key"))
		if rapid.Bool().Draw(t, "long") {
			for len(key) < cairn.MaxKeyLength {
				key = append(key, 0xff)
			}
		}
		next := successor(key)
		if next == nil {
			for _, b := range key {
				if b != 0xff || len(key) < cairn.MaxKeyLength {
					t.Fatalf("no key after %s", key)
				}
			}
			return
		}
		if next.Compare(key) <= 0 || next.Validate() != nil {
			t.Fatalf("%s after %s", next, key)
		}
		if len(key) < cairn.MaxKeyLength && string(next) != string(key)+"\x00" {
			t.Fatalf("%s leaves out keys after %s", next, key)
		}
	})
}

func FuzzPageToken(f *testing.F) {
	token := cairn.Token{}.With(3, cairn.Stamp{Epoch: 7, Index: 9})
	f.Add(pageToken{keyspace: 1, bounds: 2, after: cairn.Key("k"), freshness: token}.encode())
	f.Add(pageToken{keyspace: 1, after: cairn.Key("\x00\xff")}.encode())
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, text string) {
		decoded, err := decodePageToken(text)
		if err != nil {
			if cairn.KindOf(err) != cairn.KindInvalid || cairn.ReasonOf(err) != "PAGE_TOKEN_MALFORMED" {
				t.Error(err)
			}
			return
		}
		if decoded.encode() != text {
			t.Errorf("%q reads as %q", text, decoded.encode())
		}
	})
}
