package daemon

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc/codes"

	"cairn"
	"cairn/cmd/secure"
	"cairn/router"
	"cairn/router/server"
)

// metrics is one server's registry and what feeds it. Nothing is registered
// globally, so that several servers live in one process.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	keys     *prometheus.CounterVec
	retries  *prometheus.CounterVec
	// questions are what clusters answer about views, by where the answers came from.
	questions *prometheus.CounterVec
	calls     *prometheus.HistogramVec
	fences    *prometheus.HistogramVec
	// checks are answers from the cache of locations that were compared.
	checks *prometheus.CounterVec
}

// requestBuckets reach from a locate inside the process (3 µs) to the default
// deadline (5 s) and past it, in steps of about 2.5.
var requestBuckets = []float64{
	5e-6, 10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cairn_request_duration_seconds",
			Help:    "Requests by verb, keyspace and outcome: ok, or the kind of the error. Keyspaces that do not exist count as none.",
			Buckets: requestBuckets,
		}, []string{"verb", "keyspace", "outcome"}),
		keys: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_request_keys_total",
			Help: "Keys and writes that requests had, by their own outcome.",
		}, []string{"verb", "keyspace", "outcome"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_retries_total",
			Help: "Parts of requests that were tried again, by what was learnt from the refusal.",
		}, []string{"verb", "cluster", "reason"}),
		questions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_view_questions_total",
			Help: "Questions about views by verb, keyspace, cluster and where the cluster's answer came from: " +
				"index, joined with somebody else's same question that was under way, kept, or fleet: another router. The verb fleet_part is what other routers asked.",
		}, []string{"verb", "keyspace", "cluster", "source"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cairn_call_duration_seconds",
			Help: "Calls of the public API by method and gRPC status code, those of Admin and those refused before any router was asked included. " +
				"Each batch of a StreamLocate counts as a call. Calls that came before the server was ready have no method.",
			Buckets: requestBuckets,
		}, []string{"method", "code"}),
		fences: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cairn_move_fence_seconds",
			Help:    "How long the shards of the moves that this router carried out were fenced, by what came after: committed, or catching-up where the fence was lifted.",
			Buckets: requestBuckets,
		}, []string{"then"}),
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_cache_checks_total",
			Help: "Answers from the cache of locations that were compared with linearizable ones, by outcome: agreed, changed since, failed to ask, or disagreed, of which there must be none.",
		}, []string{"outcome"}),
	}
	m.registry.MustRegister(m.requests, m.keys, m.retries, m.questions, m.calls, m.fences, m.checks,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector())
	return m
}

// events are the router's events, counted. known tells which keyspaces exist:
// a caller must not be able to make series by inventing names.
func (m *metrics) events(known func(keyspace string) bool) router.Events {
	name := func(keyspace string) string {
		if known(keyspace) {
			return keyspace
		}
		return ""
	}
	return router.Events{
		Request: func(e router.RequestEvent) {
			keyspace, verb := name(e.Keyspace), string(e.Verb)
			m.requests.WithLabelValues(verb, keyspace, outcome(e.Err)).Observe(e.Duration.Seconds())
			if failed := e.Failed; failed > 0 {
				m.keys.WithLabelValues(verb, keyspace, "failed").Add(float64(failed))
			}
			if ok := e.Keys - e.Failed; ok > 0 {
				m.keys.WithLabelValues(verb, keyspace, "ok").Add(float64(ok))
			}
		},
		Retry: func(e router.RetryEvent) {
			m.retries.WithLabelValues(string(e.Verb), e.Cluster, cairn.KindOf(e.Err).String()).Inc()
		},
		Check: func(e router.CheckEvent) {
			m.checks.WithLabelValues(string(e.Outcome)).Inc()
		},
		Question: func(e router.QuestionEvent) {
			m.questions.WithLabelValues(string(e.Verb), name(e.Keyspace), e.Cluster, string(e.Source)).Inc()
		},
	}
}

// edgeEvents are the public edge's events, counted.
func (m *metrics) edgeEvents() server.Events {
	return server.Events{Call: func(e server.CallEvent) {
		m.calls.WithLabelValues(e.Method, e.Code.String()).Observe(e.Duration.Seconds())
	}}
}

// refused counts a call that came before the server was ready. Its method is
// any that the caller likes, and so is no label.
func (m *metrics) refused() {
	m.calls.WithLabelValues("", codes.Unavailable.String()).Observe(0)
}

func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	return cairn.KindOf(err).String()
}

// watchMap adds the metrics of the map that a server serves from.
// watchTransport is of a server that has TLS.
func (m *metrics) watchTransport(transport *secure.Transport) {
	if transport == nil {
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cairn_tls_certificate_expiry_timestamp_seconds",
		Help: "When the certificate ends that this server shows.",
	}, func() float64 { return float64(transport.Expires().Unix()) }))
}

func (m *metrics) watchMap(store *mapStore) {
	m.registry.MustRegister(
		store.learnt,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cairn_map_revision",
			Help: "The etcd revision of the map that is served from.",
		}, func() float64 { return float64(store.Map().Revision()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cairn_map_staleness_seconds",
			Help: "How long ago the map was last proven to be etcd's newest.",
		}, func() float64 { return store.Staleness().Seconds() }),
	)
}
