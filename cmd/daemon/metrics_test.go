package daemon

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"cairn"
	"cairn/router"
	"cairn/router/cache"
	"cairn/router/server"
	"cairn/shardmap/catalog"
)

// expectMetrics checks that a scrape has all of these lines.
func expectMetrics(t *testing.T, m *metrics, lines ...string) {
	t.Helper()
	answer := httptest.NewRecorder()
	adminPages(m.registry, &readiness{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range lines {
		if !strings.Contains(answer.Body.String(), "\n"+line+"\n") {
			t.Errorf("the scrape lacks %s", line)
		}
	}
}

func onlyOrders(keyspace string) bool { return keyspace == "orders" }

func TestRequestMetrics(t *testing.T) {
	m := newMetrics()
	events := m.events(onlyOrders)
	events.Request(router.RequestEvent{Verb: router.VerbBatchWrite, Keyspace: "orders", Keys: 10, Failed: 3, Duration: time.Millisecond})
	events.Request(router.RequestEvent{Verb: router.VerbLocate, Keyspace: "invented", Keys: 1, Failed: 1, Duration: time.Millisecond,
		Err: cairn.Errorf(cairn.KindNotFound, "KEYSPACE_UNKNOWN", "no such keyspace")})
	edge := m.edgeEvents()
	edge.Call(server.CallEvent{Method: "Admin/Apply", Code: codes.OK, Duration: time.Second})
	edge.Call(server.CallEvent{Method: "Locator/Locate", Code: codes.InvalidArgument, Duration: time.Millisecond})
	m.refused()
	events.Retry(router.RetryEvent{Verb: router.VerbLocate, Cluster: "north", Err: cairn.Errorf(cairn.KindStale, "NOT_OWNED", "elsewhere")})

	expectMetrics(t, m,
		`cairn_call_duration_seconds_count{code="OK",method="Admin/Apply"} 1`,
		`cairn_call_duration_seconds_count{code="InvalidArgument",method="Locator/Locate"} 1`,
		`cairn_call_duration_seconds_count{code="Unavailable",method=""} 1`,
		`cairn_request_duration_seconds_count{keyspace="",outcome="not found",verb="locate"} 1`,
		`cairn_request_duration_seconds_count{keyspace="orders",outcome="ok",verb="batch_write"} 1`,
		`cairn_request_keys_total{keyspace="",outcome="failed",verb="locate"} 1`,
		`cairn_request_keys_total{keyspace="orders",outcome="failed",verb="batch_write"} 3`,
		`cairn_request_keys_total{keyspace="orders",outcome="ok",verb="batch_write"} 7`,
		`cairn_retries_total{cluster="north",reason="stale",verb="locate"} 1`,
	)
}

func TestIndexMetrics(t *testing.T) {
	m := newMetrics()
	m.watchIndexes(func() []localIndex {
		return []localIndex{
			{"north", func(context.Context, uint64) (cairn.IndexStatus, error) {
				return cairn.IndexStatus{AppliedIndex: 9, CheckpointAge: int64(1500 * time.Millisecond), ChangeReach: int64(2 * time.Second), WriteRefusal: "the disk is full"}, nil
			}},
			{"south", func(context.Context, uint64) (cairn.IndexStatus, error) {
				return cairn.IndexStatus{}, cairn.Errorf(cairn.KindUnavailable, "CLOSED", "closed")
			}},
		}
	})
	expectMetrics(t, m,
		`cairn_index_applied_index{cluster="north"} 9`,
		`cairn_index_checkpoint_age_seconds{cluster="north"} 1.5`,
		`cairn_index_change_reach_seconds{cluster="north"} 2`,
		`cairn_index_up{cluster="north"} 1`,
		`cairn_index_up{cluster="south"} 0`,
		`cairn_index_writes_refused{cluster="north"} 1`,
	)
}

// BenchmarkRequestEvent is what counting adds to every request.
func BenchmarkRequestEvent(b *testing.B) {
	events := newMetrics().events(onlyOrders)
	event := router.RequestEvent{Verb: router.VerbLocate, Keyspace: "orders", Keys: 1, Duration: 3 * time.Microsecond}
	b.ReportAllocs()
	for b.Loop() {
		events.Request(event)
	}
}

func TestCacheMetrics(t *testing.T) {
	names, err := catalog.New([]*catalog.Keyspace{{Keyspace: cairn.Keyspace{UID: 2, Name: "orders"}}}, []*catalog.Cluster{{UID: 1, Name: "north"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	stats := cache.Stats{Entries: 5, Bytes: 2500, Evicted: 7, Sources: []cache.SourceStats{
		{SourceID: cache.SourceID{Cluster: 1, Keyspace: 2}, Hits: 10, Misses: 3, Unproven: 2, Age: 1500 * time.Millisecond},
		{SourceID: cache.SourceID{Cluster: 1, Keyspace: 99}, Hits: 1, Proven: true},
	}}
	m := newMetrics()
	m.watchCache(func() (cache.Stats, bool) { return stats, true }, func() *catalog.Catalog { return names })
	var logged strings.Builder
	events := logWrongAnswers(m.events(onlyOrders), slog.New(slog.NewTextHandler(&logged, nil)))
	events.Check(router.CheckEvent{Keyspace: "orders", Cluster: "north", Key: cairn.Key("k"), Outcome: router.CheckAgreed})
	if logged.Len() > 0 {
		t.Errorf("an answer that was right is logged: %s", logged.String())
	}
	events.Check(router.CheckEvent{Keyspace: "orders", Cluster: "north", Key: cairn.Key("k"), Outcome: router.CheckDisagreed})
	if !strings.Contains(logged.String(), "level=ERROR") {
		t.Errorf("an answer that was wrong is not logged: %s", logged.String())
	}
	expectMetrics(t, m,
		`cairn_cache_lookups_total{cluster="north",keyspace="orders",outcome="hit"} 10`,
		`cairn_cache_lookups_total{cluster="north",keyspace="orders",outcome="miss"} 3`,
		`cairn_cache_lookups_total{cluster="north",keyspace="orders",outcome="unproven"} 2`,
		`cairn_cache_source_age_seconds{cluster="north",keyspace="orders"} 1.5`,
		`cairn_cache_unproven_sources 1`,
		`cairn_cache_entries 5`, `cairn_cache_bytes 2500`, `cairn_cache_evicted_total 7`,
		`cairn_cache_checks_total{outcome="agreed"} 1`,
		`cairn_cache_checks_total{outcome="disagreed"} 1`,
	)
}
