package main

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cairn/cmd/cairn/scrape"
)

// TestTopCaches has what caches answered between two looks.
func TestTopCaches(t *testing.T) {
	looks := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		looks++
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprintln(w, "# TYPE cairn_cache_lookups_total counter")
		for i, of := range []string{`cluster="north",outcome="hit"`, `cluster="north",outcome="miss"`, `cluster="north",outcome="unproven"`, `cluster="south",outcome="hit"`} {
			fmt.Fprintf(w, "cairn_cache_lookups_total{keyspace=\"things\",%s} %d\n", of, 1000+[]int{70, 20, 10, 0}[i]*looks)
		}
	}))
	defer server.Close()
	span := make(scrape.Span, 1)
	for _, sample := range []*scrape.Sample{&span[0].Before, &span[0].After} {
		var err error
		if *sample, err = scrape.Get(t.Context(), server.Client(), scrape.URL("http", strings.TrimPrefix(server.URL, "http://"))); err != nil {
			t.Fatal(err)
		}
	}
	a := activity{at: time.Now(), servers: []string{"router"}, span: map[string]scrape.Span{"router": span}}
	document := a.document()
	if len(document.Caches) != 1 {
		t.Fatalf("the caches are %+v", document.Caches)
	}
	if c := document.Caches[0]; c.Keyspace != "things" || c.Cluster != "north" || c.Lookups <= 0 || math.Abs(c.Hits-0.7) > 1e-9 || math.Abs(c.Unproven-0.1) > 1e-9 {
		t.Errorf("the cache is %+v", c)
	}
	var table bytes.Buffer
	if err := document.table(&table); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "70.0%") || !strings.Contains(table.String(), "10.0%") {
		t.Errorf("the table is\n%s", table.String())
	}
}
