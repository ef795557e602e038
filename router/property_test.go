package router_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
)

// possible is what an entry may be: several values after a write whose
// outcome is not known, nil standing for no entry.
type possible []*int64

// model is what the keyspaces hold, by a map in place of a router.
type model struct {
	*rapid.T
	bed      *bed.Bed
	topology *bed.Topology
	router   *router.Router
	holds    map[string]map[string]possible
	token    cairn.Token
	faulty   bool
	cached   bool // eventual answers may be older than the last that was seen
	counter  int64
}

func (m *model) keyspace() string {
	return rapid.SampledFrom([]string{bed.Things, bed.Ordered}).Draw(m.T, "keyspace")
}

func (m *model) key(label string) cairn.Key {
	return fmt.Appendf(nil, "k%03d:%d", rapid.IntRange(0, 40).Draw(m.T, label)*25, rapid.IntRange(0, 2).Draw(m.T, label+"-part"))
}

func (m *model) of(keyspace string, key cairn.Key) possible {
	if known, found := m.holds[keyspace][string(key)]; found {
		return known
	}
	return possible{nil}
}

func (m *model) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	m.T.Cleanup(cancel)
	return ctx
}

func (m *model) freshness() cairn.Freshness {
	level := rapid.SampledFrom([]cairn.Level{cairn.Eventual, cairn.AtLeast, cairn.Linearizable}).Draw(m.T, "level")
	if m.cached && level == cairn.Eventual {
		level = cairn.AtLeast
	}
	return cairn.Freshness{Level: level, Token: m.token}
}

// saw checks an answer, and remembers which of the possible values it was.
func (m *model) saw(keyspace string, key cairn.Key, found bool, values cairn.NamedValues) {
	var seen *int64
	if found {
		value, has := values.Get("size")
		if !has {
			m.Fatalf("%s %s: found without its value", keyspace, key)
		}
		n := value.Int()
		seen = &n
	}
	known := m.of(keyspace, key)
	if !slices.ContainsFunc(known, func(p *int64) bool { return (p == nil) == (seen == nil) && (p == nil || *p == *seen) }) {
		m.Fatalf("%s %s: saw %s, possible were %s", keyspace, key, text(seen), text(known...))
	}
	m.holds[keyspace][string(key)] = possible{seen}
}

func text(values ...*int64) string {
	var out []string
	for _, v := range values {
		if v == nil {
			out = append(out, "none")
		} else {
			out = append(out, fmt.Sprint(*v))
		}
	}
	return strings.Join(out, " or ")
}

// refused accepts an error only while faults are about.
func (m *model) refused(err error) {
	if _, typed := errors.AsType[*cairn.Error](err); !typed {
		m.Fatalf("an error of another type: %v", err)
	}
	if !m.faulty {
		m.Fatalf("an error without a fault: %v", err)
	}
}

func (m *model) wrote(keyspace string, key cairn.Key, value *int64, err *cairn.Error) {
	switch {
	case err == nil:
		m.holds[keyspace][string(key)] = possible{value}
	case err.Kind == cairn.KindUnknown:
		m.refused(err)
		m.holds[keyspace][string(key)] = append(slices.Clone(m.of(keyspace, key)), value)
	default:
		m.refused(err)
	}
}

func (m *model) write(label string) (cairn.Write, *int64) {
	w := cairn.Write{Operation: cairn.Delete, Key: m.key(label)}
	if rapid.Bool().Draw(m.T, label+"-delete") {
		return w, nil
	}
	m.counter++
	n := m.counter
	w.Operation = rapid.SampledFrom([]cairn.Operation{cairn.Put, cairn.Merge}).Draw(m.T, label+"-operation")
	w.Attributes = cairn.NamedValues{{Name: "size", Value: cairn.Int(n)}}
	return w, &n
}

func (m *model) Locate(*rapid.T) {
	keyspace, key := m.keyspace(), m.key("key")
	location, token, err := m.router.Locate(m.context(), keyspace, key, cairn.Reading{Freshness: m.freshness(), WithAttributes: true})
	if err != nil {
		m.refused(err)
		return
	}
	m.saw(keyspace, key, location.State == cairn.Found, location.Attributes)
	m.token = m.token.Merge(token)
}

func (m *model) BatchLocate(*rapid.T) {
	keyspace := m.keyspace()
	keys := make([]cairn.Key, rapid.IntRange(1, 30).Draw(m.T, "count"))
	for i := range keys {
		keys[i] = m.key("key")
	}
	locate := m.router.BatchLocate
	if rapid.Bool().Draw(m.T, "in-parts") {
		locate = m.locateInParts
	}
	locations, token, err := locate(m.context(), keyspace, keys, cairn.Reading{Freshness: m.freshness(), WithAttributes: true})
	if err != nil {
		m.refused(err)
		return
	}
	for i, location := range locations {
		if location.Err != nil {
			m.refused(location.Err)
			continue
		}
		m.saw(keyspace, keys[i], location.State == cairn.Found, location.Attributes)
	}
	m.token = m.token.Merge(token)
}

// locateInParts is BatchLocate out of parts, which are of each key once.
func (m *model) locateInParts(ctx context.Context, keyspace string, keys []cairn.Key, read cairn.Reading) ([]cairn.Location, cairn.Token, error) {
	var mu sync.Mutex
	var token cairn.Token
	out, told := make([]cairn.Location, len(keys)), make([]int, len(keys))
	err := m.router.BatchLocateInParts(ctx, keyspace, keys, read, func(locations []cairn.Location, positions []int32, of cairn.Token) {
		mu.Lock()
		defer mu.Unlock()
		token = token.Merge(of)
		if positions == nil {
			for i := range locations {
				positions = append(positions, int32(i))
			}
		}
		for _, i := range positions {
			out[i], told[i] = locations[i], told[i]+1
		}
	})
	for i, times := range told {
		if (times == 1) != (err == nil) {
			m.Fatalf("key %d of %d was told %d times; %v", i, len(keys), times, err)
		}
	}
	return out, token, err
}

func (m *model) Write(*rapid.T) {
	keyspace := m.keyspace()
	w, value := m.write("write")
	var err error
	var token cairn.Token
	if w.Operation == cairn.Delete {
		_, token, err = m.router.Delete(m.context(), keyspace, w.Key, w.Condition, cairn.RequestID{})
	} else {
		_, token, err = m.router.Put(m.context(), keyspace, w, cairn.RequestID{})
	}
	if err == nil {
		m.wrote(keyspace, w.Key, value, nil)
		m.token = m.token.Merge(token)
		return
	}
	typed, _ := errors.AsType[*cairn.Error](err)
	m.wrote(keyspace, w.Key, value, typed)
}

func (m *model) BatchWrite(*rapid.T) {
	keyspace := m.keyspace()
	writes := make([]cairn.Write, rapid.IntRange(1, 30).Draw(m.T, "count"))
	values := make([]*int64, len(writes))
	for i := range writes {
		writes[i], values[i] = m.write("write")
	}
	outcomes, token, err := m.router.BatchWrite(m.context(), keyspace, writes, cairn.RequestID{})
	if err != nil {
		m.refused(err)
		return
	}
	for i, outcome := range outcomes {
		m.wrote(keyspace, writes[i].Key, values[i], outcome.Err)
	}
	m.token = m.token.Merge(token)
}

func (m *model) List(*rapid.T) {
	keyspace := m.keyspace()
	over := cairn.Range{PageSize: rapid.IntRange(1, 50).Draw(m.T, "page-size")}
	freshness := m.freshness()
	var got []cairn.NamedEntry
	for {
		page, err := m.router.List(m.context(), keyspace, over, freshness)
		if err != nil {
			m.refused(err)
			return
		}
		if len(page.Entries) > over.PageSize {
			m.Fatalf("a page of %d entries, asked for %d", len(page.Entries), over.PageSize)
		}
		got = append(got, page.Entries...)
		if page.NextPageToken == "" {
			break
		}
		over.PageToken = page.NextPageToken
	}
	seen := map[string]bool{}
	for i, entry := range got {
		if i > 0 && got[i-1].Key.Compare(entry.Key) >= 0 {
			m.Fatalf("%s after %s", entry.Key, got[i-1].Key)
		}
		seen[string(entry.Key)] = true
		m.saw(keyspace, entry.Key, true, entry.Attributes)
	}
	for key := range m.holds[keyspace] {
		if !seen[key] {
			m.saw(keyspace, cairn.Key(key), false, nil)
		}
	}
}

func (m *model) Explain(*rapid.T) {
	keyspace, key := m.keyspace(), m.key("key")
	explanation, err := m.router.Explain(m.context(), keyspace, key, m.freshness())
	if err != nil {
		m.refused(err)
		return
	}
	m.saw(keyspace, key, explanation.Location.State == cairn.Found, explanation.Location.Attributes)
	if explanation.Stamp.Epoch != explanation.Shard.Epoch || explanation.Cluster != explanation.Location.Cluster {
		m.Fatalf("the explanation contradicts itself: %+v", explanation)
	}
}

func (m *model) Move(*rapid.T) {
	truth := m.bed.Map()
	declared, _ := truth.Catalog().KeyspaceByName(m.keyspace())
	shards := slices.Collect(truth.Shards(declared.UID))
	shard := shards[rapid.IntRange(0, len(shards)-1).Draw(m.T, "shard")]
	clusters := truth.Catalog().Clusters()
	cluster := clusters[rapid.IntRange(0, len(clusters)-1).Draw(m.T, "to")]
	if err := m.bed.Move(declared.UID, shard.ID, cluster.UID); err != nil {
		m.Fatalf("move: %v", err)
	}
}

func (m *model) Split(*rapid.T) {
	truth := m.bed.Map()
	declared, _ := truth.Catalog().KeyspaceByName(bed.Ordered)
	shards := slices.Collect(truth.Shards(declared.UID))
	at := fmt.Appendf(nil, "k%03d", rapid.IntRange(0, 999).Draw(m.T, "at"))
	for _, shard := range shards {
		if shard.Contains(at) && string(shard.Start) != string(at) {
			if err := m.bed.Split(declared.UID, shard.ID, at); err != nil {
				m.Fatalf("split: %v", err)
			}
		}
	}
}

// Check has nothing to do: each action checks what it got.
func (m *model) Check(*rapid.T) {}

func (m *model) CatchUp(*rapid.T) { m.topology.CatchUp() }

// TestEveryAnswerIsRightOrAnError runs a router whose map is behind over
// indexes that are behind, fail and lose shards to each other.
func TestEveryAnswerIsRightOrAnError(t *testing.T) {
	synctest.Test(t, testEveryAnswer) // pauses take no time
}

// untimed hides a test's deadline, which is of another clock.
type untimed struct{ rapid.TB }

func testEveryAnswer(t *testing.T) {
	var hits uint64
	var checks atomic.Uint64
	defer func() {
		if hits == 0 || checks.Load() == 0 {
			t.Errorf("%d answers came from a cache, of which %d were compared", hits, checks.Load())
		}
	}()
	rapid.Check(untimed{t}, func(t *rapid.T) {
		b, err := bed.New(rapid.IntRange(1, 4).Draw(t, "clusters"), rapid.IntRange(1, 8).Draw(t, "shards"))
		if err != nil {
			t.Fatal(err)
		}
		topology := b.Topology()
		cached := rapid.Bool().Draw(t, "cached")
		config := router.Config{Topology: topology, Dial: b.Dial}
		if cached {
			config.Cache = router.CacheConfig{Bytes: 1 << 20, CheckEvery: 1}
			config.Events.Check = func(e router.CheckEvent) {
				checks.Add(1)
				if e.Outcome == router.CheckDisagreed {
					t.Errorf("%s %s: the cache said %+v, and the index %+v", e.Keyspace, e.Key, e.Cached, e.Now)
				}
			}
		}
		r, err := router.New(config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		m := &model{T: t, bed: b, topology: topology, router: r, cached: cached, holds: map[string]map[string]possible{bed.Things: {}, bed.Ordered: {}}}
		m.faulty = rapid.Bool().Draw(t, "faulty")
		if m.faulty {
			faults := rapid.SliceOfN(rapid.SampledFrom([]bed.Fault{bed.None, bed.None, bed.NotYet, bed.Unreachable, bed.LostReply}), 7, 7).Draw(t, "faults")
			if cached {
				// A write that nobody was told of is not in the token: it may be seen
				// or not until somebody has seen it in an index.
				for i := range faults {
					faults[i] = min(faults[i], bed.Unreachable)
				}
			}
			b.Faults = rotate(faults)
		}
		t.Repeat(rapid.StateMachineActions(m))
		stats, _ := r.CacheStats()
		for _, source := range stats.Sources {
			hits += source.Hits
		}
	})
}
