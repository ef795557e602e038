package daemon

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"cairn"
	"cairn/router"
	"cairn/router/cache"
	"cairn/shardmap/catalog"
)

// cacheCollector exports what a router's cache of locations says of itself when it is
// asked.
type cacheCollector struct {
	stats func() (cache.Stats, bool)
	// names has the names of clusters and keyspaces.
	names func() *catalog.Catalog
}

var (
	cacheLookups = prometheus.NewDesc("cairn_cache_lookups_total",
		"Reads that the cache of locations was asked, by outcome: hit, miss, or unproven where it may have the key and does not know whether that is fresh enough.",
		[]string{"keyspace", "cluster", "outcome"}, nil)
	cacheAge = prometheus.NewDesc("cairn_cache_source_age_seconds",
		"How long ago the cache of locations was last told of a cluster's changes to a keyspace. Left out while it does not know since when it would have to be.",
		[]string{"keyspace", "cluster"}, nil)
	cacheUnproven = prometheus.NewDesc("cairn_cache_unproven_sources",
		"Clusters and keyspaces of which the cache of locations was told too long ago to answer eventual reads.", nil, nil)
	cacheEntries = prometheus.NewDesc("cairn_cache_entries", "Keys that the cache of locations holds.", nil, nil)
	cacheBytes   = prometheus.NewDesc("cairn_cache_bytes", "About how much memory they take.", nil, nil)
	cacheEvicted = prometheus.NewDesc("cairn_cache_evicted_total", "Keys that were given up for room.", nil, nil)
)

// watchCache exports a router's cache of locations, if it has one.
func (m *metrics) watchCache(stats func() (cache.Stats, bool), names func() *catalog.Catalog) {
	if _, has := stats(); has {
		m.registry.MustRegister(&cacheCollector{stats, names})
	}
}

// Describe implements prometheus.Collector.
func (c *cacheCollector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{cacheLookups, cacheAge, cacheUnproven, cacheEntries, cacheBytes, cacheEvicted} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *cacheCollector) Collect(to chan<- prometheus.Metric) {
	stats, _ := c.stats()
	names, unproven := c.names(), 0
	for _, s := range stats.Sources {
		cluster, known := names.ClusterByUID(s.Cluster)
		keyspace, declared := names.KeyspaceByUID(s.Keyspace)
		if !known || !declared {
			continue // it has gone, and so will the source
		}
		for outcome, n := range map[string]uint64{"hit": s.Hits, "miss": s.Misses, "unproven": s.Unproven} {
			to <- prometheus.MustNewConstMetric(cacheLookups, prometheus.CounterValue, float64(n), keyspace.Name, cluster.Name, outcome)
		}
		if s.Age > 0 {
			to <- prometheus.MustNewConstMetric(cacheAge, prometheus.GaugeValue, s.Age.Seconds(), keyspace.Name, cluster.Name)
		}
		if !s.Proven {
			unproven++
		}
	}
	to <- prometheus.MustNewConstMetric(cacheUnproven, prometheus.GaugeValue, float64(unproven))
	to <- prometheus.MustNewConstMetric(cacheEntries, prometheus.GaugeValue, float64(stats.Entries))
	to <- prometheus.MustNewConstMetric(cacheBytes, prometheus.GaugeValue, float64(stats.Bytes))
	to <- prometheus.MustNewConstMetric(cacheEvicted, prometheus.CounterValue, float64(stats.Evicted))
}

// logWrongAnswers are events of which an answer from the cache that was wrong is logged
// too: that is an error of ours.
func logWrongAnswers(events router.Events, log *slog.Logger) router.Events {
	counted := events.Check
	events.Check = func(e router.CheckEvent) {
		counted(e)
		if e.Outcome == router.CheckDisagreed {
			log.Error("the cache of locations was wrong", "keyspace", e.Keyspace, "cluster", e.Cluster, "key", e.Key,
				"cached", located(e.Cached), "index", located(e.Now))
		}
	}
	return events
}

// located is an answer as the log has it: where, and as of when.
func located(l cairn.Located) slog.Value {
	return slog.GroupValue(slog.Bool("found", l.State == cairn.Found), slog.Any("nodes", l.Nodes), slog.String("version", l.Version.String()),
		slog.Uint64("epoch", l.Stamp.Epoch), slog.Uint64("stamp", l.Stamp.Index))
}
