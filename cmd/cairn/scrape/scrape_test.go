package scrape

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cairn"
)

// server is real metrics behind a real socket.
type server struct {
	url      string
	requests *prometheus.HistogramVec
	retries  prometheus.Counter
	entries  prometheus.Gauge
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "requests_seconds", Help: "-", Buckets: []float64{0.001, 0.01, 0.1}}, []string{"verb", "outcome"}),
		retries:  prometheus.NewCounter(prometheus.CounterOpts{Name: "retries_total", Help: "-"}),
		entries:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "entries", Help: "-"}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.requests, s.retries, s.entries)
	http := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(http.Close)
	s.url = http.URL
	return s
}

func (s *server) look(t *testing.T, at time.Time) Sample {
	t.Helper()
	sample, err := Get(t.Context(), http.DefaultClient, s.url)
	if err != nil {
		t.Fatal(err)
	}
	sample.At = at
	return sample
}

func TestSpan(t *testing.T) {
	one, two := serve(t), serve(t)
	one.requests.WithLabelValues("locate", "ok").Observe(5)
	one.retries.Add(3)
	one.entries.Set(10)
	began := time.Unix(1_800_000_000, 0)
	before := []Sample{one.look(t, began), two.look(t, began)}
	for range 90 {
		one.requests.WithLabelValues("locate", "ok").Observe(0.005)
	}
	for range 10 {
		two.requests.WithLabelValues("locate", "failed").Observe(0.05)
	}
	two.requests.WithLabelValues("put", "ok").Observe(7)
	one.retries.Add(4)
	one.entries.Set(30)
	two.entries.Set(5)
	span := Span{{before[0], one.look(t, began.Add(2*time.Second))}, {before[1], two.look(t, began.Add(2*time.Second))}}

	series := span.Series("requests_seconds", "verb")
	if len(series) != 2 || !slices.Equal(series[0].Labels, []string{"locate"}) || series[0].PerSecond != 50 || series[1].PerSecond != 0.5 {
		t.Fatalf("%+v", series)
	}
	for q, want := range map[float64]time.Duration{0.45: 5500 * time.Microsecond, 0.9: 10 * time.Millisecond, 0.95: 55 * time.Millisecond} {
		if got, _ := series[0].Quantile(q); (got - want).Abs() > time.Microsecond {
			t.Errorf("quantile %v is %v; want %v", q, got, want)
		}
	}
	if last, _ := series[1].Quantile(0.5); last != 100*time.Millisecond {
		t.Errorf("beyond the last bound: %v", last)
	}
	if outcomes := span.Series("requests_seconds", "outcome", "verb"); len(outcomes) != 3 || !slices.Equal(outcomes[0].Labels, []string{"failed", "locate"}) {
		t.Errorf("%+v", outcomes)
	}
	if s := span.Series("retries_total"); len(s) != 1 || s[0].PerSecond != 2 {
		t.Errorf("%+v", s)
	}
	if s := span.Series("entries"); s[0].Value != 35 || s[0].GaugePerSecond != 12.5 {
		t.Errorf("%+v", s)
	}
	if s := span.Series("nothing"); len(s) != 0 {
		t.Errorf("%+v", s)
	}
}

// TestRestarted has a server start anew between two looks: what it has counted since
// counts, and nothing is below 0.
func TestRestarted(t *testing.T) {
	old, now := serve(t), serve(t)
	for range 100 {
		old.requests.WithLabelValues("locate", "ok").Observe(0.005)
	}
	old.retries.Add(50)
	old.entries.Set(9)
	now.requests.WithLabelValues("locate", "ok").Observe(0.0005)
	now.retries.Add(2)
	began := time.Unix(1_800_000_000, 0)
	span := Span{{old.look(t, began), now.look(t, began.Add(time.Second))}}
	series := span.Series("requests_seconds")
	if got, _ := series[0].Quantile(1); series[0].PerSecond != 1 || got != time.Millisecond {
		t.Errorf("%+v", series)
	}
	if s := span.Series("retries_total"); s[0].PerSecond != 2 {
		t.Errorf("%+v", s)
	}
	if s := span.Series("entries"); s[0].GaugePerSecond != 0 || s[0].Value != 0 {
		t.Errorf("%+v", s)
	}
}

func TestGetRefuses(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	closed := httptest.NewServer(nil)
	closed.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	t.Cleanup(gone.Close)
	t.Cleanup(page.Close)
	for url, want := range map[string]string{gone.URL: "METRICS_MALFORMED", closed.URL: "METRICS_UNREACHABLE", page.URL: "METRICS_MALFORMED", "http://[": "ADDRESS_MALFORMED"} {
		if _, err := Get(t.Context(), http.DefaultClient, url); cairn.ReasonOf(err) != want {
			t.Errorf("%s: %v; want %s", url, err, want)
		}
	}
	var e *cairn.Error
	if _, err := Get(t.Context(), http.DefaultClient, closed.URL); !errors.As(err, &e) || e.Kind != cairn.KindUnavailable {
		t.Errorf("%v", err)
	}
}
