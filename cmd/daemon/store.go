package daemon

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"cairn"
	"cairn/cmd/secure"
	"cairn/shardmap/etcdstore"
)

// sweepEvery is how often leftovers of keyspaces whose creation failed are
// deleted; they only take room.
const sweepEvery = 10 * time.Minute

// mapStore is the shard map in etcd and the connection to it.
type mapStore struct {
	*etcdstore.Store
	client *clientv3.Client
	log    *slog.Logger
	// learnt is how long after they were sent changes of the map are served by.
	learnt prometheus.Histogram
}

// storeConfig is what openStore needs.
type storeConfig struct {
	etcd []string
	// journal is the file of the map's journal; empty for none.
	journal string
	// transport is how to talk to an etcd of https; nil: by the system's authorities.
	transport *secure.Transport
	// sweep is set in the process that deletes leftovers.
	sweep bool
	log   *slog.Logger
}

// openStore connects to etcd and returns once there is a map, the journal's if
// etcd does not answer soon. With neither it goes on trying, saying so in the
// log, until ctx ends.
func openStore(ctx context.Context, config storeConfig) (*mapStore, error) {
	client, err := newEtcdClient(config.etcd, config.transport)
	if err != nil {
		return nil, err
	}
	learnt := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "cairn_map_change_seconds",
		Help:    "How long after a change of the map was sent to etcd this process served by it, by the clocks of both.",
		Buckets: requestBuckets,
	})
	events := storeEvents(config.log, config.etcd)
	events.Learnt = func(after time.Duration) { learnt.Observe(after.Seconds()) }
	storeConfig := etcdstore.Config{Client: client, Journal: config.journal, Events: events}
	if config.sweep {
		storeConfig.SweepEvery = sweepEvery
	}
	store, err := etcdstore.Open(ctx, storeConfig)
	if err != nil {
		client.Close()
		return nil, err
	}
	return &mapStore{Store: store, client: client, log: config.log, learnt: learnt}, nil
}

// newEtcdClient makes a client of etcd. Nothing is connected to yet.
func newEtcdClient(urls []string, transport *secure.Transport) (*clientv3.Client, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: urls,
		TLS:       transport.Client(), // where a URL says https
		// A connection whose peer vanished is noticed within these two
		// together, well before a watch is missed by its silence.
		DialKeepAliveTime:    5 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
		// The largest answer is a page of the map; the default of 4 MiB would
		// bound what etcd may hold in one transaction.
		MaxCallRecvMsgSize: 32 << 20,
		// The store tells what happens; the client's own log would repeat it.
		Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, cairn.Invalid("etcd", "ETCD_MALFORMED", "%s can't be used (%w); one looks like http://127.0.0.1:2379", strings.Join(urls, ","), err)
	}
	return client, nil
}

// awaitStore is openStore with an etcd that others run. Where that can't be
// reached it says why at once: the store learns no more in seconds than that
// there is no answer.
func awaitStore(ctx context.Context, edge *edge, config storeConfig) (*mapStore, error) {
	what := "etcd at " + strings.Join(config.etcd, ",")
	edge.waitFor(what)
	waiting, opened := context.WithCancel(ctx)
	var reaching sync.WaitGroup
	reaching.Go(func() {
		if err := reachEtcd(waiting, config.etcd); err != nil && waiting.Err() == nil {
			edge.waitFor(what + ", which can't be reached: " + strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	})
	defer reaching.Wait()
	defer opened()
	return openStore(ctx, config)
}

func (s *mapStore) close() {
	if err := errors.Join(s.Close(), s.client.Close()); err != nil {
		s.log.Warn("the map's store did not close cleanly", "err", err)
	}
}

// storeEvents logs what happens to a store. It tells of each failure once, not
// of each attempt.
func storeEvents(log *slog.Logger, etcd []string) etcdstore.Events {
	log = log.With("etcd", strings.Join(etcd, ","))
	return etcdstore.Events{
		Published: func(revision uint64) { log.Debug("new map", "revision", revision) },
		Loaded: func(revision uint64, shards int, took time.Duration) {
			log.Info("map loaded from etcd", "revision", revision, "shards", shards, "took", took)
		},
		Disconnected: func(err error) {
			log.Warn("etcd does not answer; going on with the map there is, if any, and trying again", "err", err)
		},
		Recovered: func(revision uint64) {
			log.Info("etcd answers again; the map is current", "revision", revision)
		},
		Refused: func(err error) {
			log.Error("what etcd holds can't be used; going on with the map there is, and trying again", "err", err)
		},
		StartedFromJournal: func(revision uint64, age time.Duration) {
			log.Warn("serving from the map journal, because etcd does not answer", "revision", revision, "age", age)
		},
		JournalFailed: func(err error) {
			log.Error("the map journal can't be used; if etcd is down at the next start, there is no map then", "err", err)
		},
		Swept: func(keyspace cairn.UID, shards int64) {
			log.Info("leftovers of a keyspace deleted", "keyspace", keyspace, "shards", shards)
		},
	}
}
