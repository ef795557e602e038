package server_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cairn"
	"cairn/router"
	"cairn/router/client"
	"cairn/router/internal/bed"
	"cairn/router/server"
)

// verbs are what a router in the process and the client of a remote one share.
type verbs interface {
	Locate(ctx context.Context, keyspace string, key cairn.Key, read cairn.Reading) (cairn.Location, cairn.Token, error)
	BatchLocate(ctx context.Context, keyspace string, keys []cairn.Key, read cairn.Reading) ([]cairn.Location, cairn.Token, error)
	List(ctx context.Context, keyspace string, over cairn.Range, freshness cairn.Freshness) (cairn.Page, error)
	Explain(ctx context.Context, keyspace string, key cairn.Key, freshness cairn.Freshness) (cairn.Explanation, error)
	Put(ctx context.Context, keyspace string, write cairn.Write, id cairn.RequestID) (cairn.WriteOutcome, cairn.Token, error)
	Delete(ctx context.Context, keyspace string, key cairn.Key, condition cairn.Condition, id cairn.RequestID) (bool, cairn.Token, error)
	BatchWrite(ctx context.Context, keyspace string, writes []cairn.Write, id cairn.RequestID) ([]cairn.WriteOutcome, cairn.Token, error)
	Watch(ctx context.Context, keyspace string, from cairn.Token, deliver func(cairn.Changes) error) error
	WatchSnapshot(ctx context.Context, keyspace string, deliver func(cairn.Changes) error) error
}

var (
	_ verbs = (*router.Router)(nil)
	_ verbs = (*client.Client)(nil)
)

// alike compares what both tell: a remote router leaves out some of a node,
// and the cluster of an absent key.
var alike = cmp.Options{
	cmpopts.IgnoreFields(cairn.Node{}, "ID", "Weight", "State"),
	cmpopts.IgnoreFields(cairn.Explanation{}, "Timings"),
	cmpopts.IgnoreFields(cairn.Shard{}, "Keyspace"),
	cmpopts.IgnoreFields(cairn.NamedChange{}, "Time"),
	cmpopts.EquateEmpty(),
	cmp.AllowUnexported(cairn.Value{}),
	cmp.Transformer("sorted", cairn.RowValues.Sorted),
	cmp.Comparer(func(a, b cairn.Token) bool { return a.String() == b.String() }),
	cmp.Comparer(func(a, b *cairn.Error) bool { return (a == nil) == (b == nil) && (a == nil || same(a, b)) }),
	cmp.Transformer("withoutAbsentCluster", func(l cairn.Location) plainLocation {
		if l.State != cairn.Found {
			l.Cluster = ""
		}
		return plainLocation(l)
	}),
}

type plainLocation cairn.Location

func same(a, b *cairn.Error) bool {
	return a.Kind == b.Kind && a.Reason == b.Reason && a.Field == b.Field && a.Key.Compare(b.Key) == 0 && a.Error() == b.Error()
}

func mustEqual(t *testing.T, what string, here, there any) {
	t.Helper()
	if diff := cmp.Diff(here, there, alike); diff != "" {
		t.Errorf("%s: in process (-) and remote (+) differ:\n%s", what, diff)
	}
}

func mustFailAlike(t *testing.T, what string, here, there error) {
	t.Helper()
	a, okA := errors.AsType[*cairn.Error](here)
	b, okB := errors.AsType[*cairn.Error](there)
	if !okA || !okB || !same(a, b) {
		t.Errorf("%s: in process %#v, remote %#v", what, here, there)
	}
}

func seeded(t *testing.T, s *served) []cairn.Key {
	t.Helper()
	since, err := cairn.Timestamp(time.Date(2026, 1, 2, 3, 4, 5, 678_000, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	weight, err := cairn.Float(2.5)
	if err != nil {
		t.Fatal(err)
	}
	colour, err := cairn.String("blue")
	if err != nil {
		t.Fatal(err)
	}
	var keys []cairn.Key
	for i := range 40 {
		key := cairn.Key(fmt.Sprintf("k%03d:x", i))
		keys = append(keys, key)
		if i%4 == 3 {
			continue
		}
		_, _, err := s.router.Put(timeout(t), bed.Things, cairn.Write{Operation: cairn.Put, Key: key, Attributes: cairn.NamedValues{
			{Name: "size", Value: cairn.Int(int64(i))}, {Name: "colour", Value: colour}, {Name: "weight", Value: weight},
			{Name: "live", Value: cairn.Bool(i%2 == 0)}, {Name: "since", Value: since},
		}}, cairn.RequestID{})
		if err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

func TestReadsAreAlike(t *testing.T) {
	s := serve(t, 2, 8, server.Config{})
	keys := append(seeded(t, s), cairn.Key(""))
	remote := s.client(t)
	for _, full := range []bool{false, true} {
		read := cairn.Reading{WithAttributes: full}
		for _, key := range keys {
			here, hereToken, hereErr := s.router.Locate(timeout(t), bed.Things, key, read)
			there, thereToken, thereErr := remote.Locate(timeout(t), bed.Things, key, read)
			if hereErr != nil || thereErr != nil {
				mustFailAlike(t, "locate", hereErr, thereErr)
				continue
			}
			mustEqual(t, "location", here, there)
			mustEqual(t, "token", hereToken, thereToken)
		}
		here, hereToken, err := s.router.BatchLocate(timeout(t), bed.Things, keys, read)
		if err != nil {
			t.Fatal(err)
		}
		there, thereToken, err := remote.BatchLocate(timeout(t), bed.Things, keys, read)
		if err != nil {
			t.Fatal(err)
		}
		// The key that can't be makes it a call of its own; without it is a stream's.
		streamed, streamedToken, err := remote.BatchLocate(timeout(t), bed.Things, keys[:len(keys)-1], read)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "batch", here, there)
		mustEqual(t, "batch token", hereToken, thereToken)
		mustEqual(t, "streamed batch", here[:len(here)-1], streamed)
		mustEqual(t, "streamed token", hereToken, streamedToken)
	}
	here, err := s.router.Explain(timeout(t), bed.Things, keys[0], cairn.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	there, err := remote.Explain(timeout(t), bed.Things, keys[0], cairn.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "explanation", here, there)
}

func TestListsAreAlike(t *testing.T) {
	s := serve(t, 3, 8, server.Config{})
	seeded(t, s)
	over := cairn.Range{Start: cairn.Key("k005"), End: cairn.Key("k035"), PageSize: 7}
	pages := 0
	for {
		here, err := s.router.List(timeout(t), bed.Things, over, cairn.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		there, err := s.client(t).List(timeout(t), bed.Things, over, cairn.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "page", here, there)
		pages++
		if over.PageToken = here.NextPageToken; over.PageToken == "" {
			break
		}
	}
	if pages != 4 {
		t.Errorf("%d pages of 7 for 22 entries; want 4", pages)
	}
}

// TestWritesAreAlike makes the same writes on two beds.
func TestWritesAreAlike(t *testing.T) {
	one, other := serve(t, 2, 4, server.Config{}), serve(t, 2, 4, server.Config{})
	remote := other.client(t)
	size := cairn.NamedValues{{Name: "size", Value: cairn.Int(1)}}
	writes := []cairn.Write{
		{Operation: cairn.Put, Key: cairn.Key("a"), Attributes: size},
		{Operation: cairn.Put, Key: cairn.Key("a"), Attributes: size, Condition: cairn.Condition{Present: true}},
		{Operation: cairn.Merge, Key: cairn.Key("a"), Attributes: cairn.NamedValues{{Name: "size"}}},
		{Operation: cairn.Put, Key: cairn.Key("b"), Attributes: cairn.NamedValues{{Name: "bulk", Value: cairn.Int(1)}}},
		{Operation: cairn.Put, Key: cairn.Key("b"), Attributes: cairn.NamedValues{{Name: "colour", Value: cairn.Int(1)}}},
		{Operation: cairn.Put, Key: cairn.Key("b"), Attributes: cairn.NamedValues{{Name: "size"}}},
		{Operation: cairn.Put, Key: cairn.Key("b"), Node: "nowhere"},
		{Operation: cairn.Put, Key: cairn.Key("b"), Replicas: []string{"c0-a"}},
		{Operation: cairn.Put, Key: nil},
		{Operation: cairn.Delete, Key: cairn.Key("a"), Condition: cairn.Condition{Present: true, Version: cairn.Version{Epoch: 1, Index: 1}}},
		{Operation: cairn.Delete, Key: cairn.Key("a")},
		{Operation: cairn.Delete, Key: cairn.Key("a")},
	}
	here, hereToken, err := one.router.BatchWrite(timeout(t), bed.Things, writes, cairn.RequestID{})
	if err != nil {
		t.Fatal(err)
	}
	there, thereToken, err := remote.BatchWrite(timeout(t), bed.Things, writes, cairn.RequestID{})
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "outcomes", here, there)
	mustEqual(t, "token", hereToken, thereToken)
	for _, write := range writes {
		if write.Operation == cairn.Delete {
			here, _, hereErr := one.router.Delete(timeout(t), bed.Things, write.Key, write.Condition, cairn.RequestID{})
			there, _, thereErr := remote.Delete(timeout(t), bed.Things, write.Key, write.Condition, cairn.RequestID{})
			if hereErr != nil || thereErr != nil {
				mustFailAlike(t, "delete", hereErr, thereErr)
			}
			mustEqual(t, "delete", here, there)
			continue
		}
		here, _, hereErr := one.router.Put(timeout(t), bed.Things, write, cairn.RequestID{})
		there, _, thereErr := remote.Put(timeout(t), bed.Things, write, cairn.RequestID{})
		if hereErr != nil || thereErr != nil {
			mustFailAlike(t, "put", hereErr, thereErr)
		}
		mustEqual(t, "put", here, there)
	}
}

func TestWatchesAreAlike(t *testing.T) {
	s := serve(t, 2, 4, server.Config{})
	enough := errors.New("enough")
	watch := func(v verbs, from cairn.Token) ([]cairn.NamedChange, error) {
		var seen []cairn.NamedChange
		err := v.Watch(timeout(t), bed.Things, from, func(c cairn.Changes) error {
			if seen = append(seen, c.Changes...); len(seen) >= 30 {
				return enough
			}
			return nil
		})
		return seen, err
	}
	var begin cairn.Token
	if err := s.router.Watch(timeout(t), bed.Things, cairn.Token{}, func(c cairn.Changes) error {
		begin = c.Token
		return enough
	}); !errors.Is(err, enough) {
		t.Fatal(err)
	}
	seeded(t, s)
	here, err := watch(s.router, begin)
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	there, err := watch(s.client(t), begin)
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	byKey := cmpopts.SortSlices(func(a, b cairn.NamedChange) bool { return a.Key.Compare(b.Key) < 0 })
	if diff := cmp.Diff(here, there, alike, byKey); diff != "" {
		t.Errorf("in process (-) and remote (+) differ:\n%s", diff)
	}
}

func TestSnapshotsOfWatchesAreAlike(t *testing.T) {
	s := serve(t, 2, 4, server.Config{})
	seeded(t, s)
	enough := errors.New("enough")
	watch := func(v verbs) (all []cairn.NamedChange) {
		err := v.WatchSnapshot(timeout(t), bed.Things, func(c cairn.Changes) error {
			if c.Token.String() != "" {
				if len(c.Changes) > 0 {
					t.Errorf("the end of a snapshot has %d changes", len(c.Changes))
				}
				return enough
			}
			all = append(all, c.Changes...)
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
		return all
	}
	here, there := watch(s.router), watch(s.client(t))
	if len(here) != 30 || here[0].Before != nil || here[0].After == nil || !here[0].Time.IsZero() || here[0].Shard == 0 {
		t.Errorf("a snapshot of %d entries begins with %+v", len(here), here[0])
	}
	if diff := cmp.Diff(here, there, alike); diff != "" {
		t.Errorf("in process (-) and remote (+) differ:\n%s", diff)
	}
}
