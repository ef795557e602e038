package server_test

import (
	"testing"

	"cairn"
	"cairn/router"
	"cairn/router/client"
	"cairn/router/internal/bed"
	"cairn/router/server"
)

// TestExplainTellsOfTheCache asks a router with a cache, and one without, what it would say.
func TestExplainTellsOfTheCache(t *testing.T) {
	ctx := timeout(t)
	key := cairn.Key("k001")
	explained := func(c *client.Client, level cairn.Level) cairn.CacheOutcome {
		t.Helper()
		x, err := c.Explain(ctx, bed.Things, key, cairn.Freshness{Level: level})
		if err != nil {
			t.Fatal(err)
		}
		return x.Cache
	}
	want := func(c *client.Client, level cairn.Level, outcome cairn.CacheOutcome) {
		t.Helper()
		if got := explained(c, level); got != outcome {
			t.Errorf("%s: the cache is said to have %s, want %s", level, got, outcome)
		}
	}
	want(serve(t, 1, 1, server.Config{}).client(t), cairn.Eventual, cairn.CacheNone)

	s := serveCached(t, 1, 1, router.CacheConfig{Bytes: 1 << 20}, server.Config{})
	c := s.client(t)
	want(c, cairn.Eventual, cairn.CacheMiss)
	for explained(c, cairn.Eventual) != cairn.CacheHit {
		if _, _, err := s.router.Locate(ctx, bed.Things, key, cairn.Reading{}); err != nil {
			t.Fatal(err)
		}
	}
	want(c, cairn.Linearizable, cairn.CacheUnproven)
	if stats, _ := s.router.CacheStats(); stats.Sources[0].Unproven > 0 {
		t.Errorf("explaining counts: %+v", stats.Sources[0])
	}
}
