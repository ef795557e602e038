package server

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/admin"
)

func TestPagesHaveRoom(t *testing.T) {
	var room pageRoom
	large := &cairnv1.Keyspace{Name: strings.Repeat("k", maxPageBytes+1)}
	if !room.take(large) || room.take(&cairnv1.Keyspace{Name: "keyspaces/next"}) {
		t.Error("a page has its first resource whatever it takes, and then no more")
	}
	room = 0
	half := &cairnv1.Keyspace{Name: strings.Repeat("k", maxPageBytes/2-8)}
	for i, want := range []bool{true, true, false} {
		if got := room.take(half); got != want {
			t.Errorf("resource %d: %t, want %t", i, got, want)
		}
	}
}

func TestShardsTokensComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		next := admin.ShardsAfter{
			Keyspace: cairn.UID(rapid.Uint64Min(1).Draw(t, "keyspace")),
			Start:    rapid.SliceOfN(rapid.Byte(), 0, cairn.MaxKeyLength).Draw(t, "start"),
		}
		got, err := shardsAfter(shardsToken(&next))
		if err != nil || got.Keyspace != next.Keyspace || string(got.Start) != string(next.Start) {
			t.Fatalf("%v, %v; want %v", got, err, next)
		}
		if _, _, err := namePage(keyspacesPage, 0, shardsToken(&next)); cairn.ReasonOf(err) != "PAGE_TOKEN_MALFORMED" {
			t.Fatalf("taken for a token of keyspaces: %v", err)
		}
	})
}

// FuzzShardsAfter never panics, and takes no second spelling of a token.
func FuzzShardsAfter(f *testing.F) {
	f.Add("")
	f.Add("AAAA")
	f.Add(shardsToken(&admin.ShardsAfter{Keyspace: 7, Start: []byte("start")}))
	f.Fuzz(func(t *testing.T, text string) {
		from, err := shardsAfter(text)
		if err == nil && text != "" && shardsToken(&from) != text {
			t.Errorf("%q reads as %v, which is written %q", text, from, shardsToken(&from))
		}
	})
}
