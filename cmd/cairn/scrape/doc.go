// Package scrape reads what servers count, as Prometheus does, and tells what has
// happened between two looks.
//
//	before, err := scrape.Get(ctx, http.DefaultClient, "http://127.0.0.1:2113/metrics")
//	...
//	span := scrape.Span{{Before: before, After: after}}
//	for _, s := range span.Series("cairn_request_duration_seconds", "verb", "keyspace") {
//		fmt.Println(s.Labels, s.PerSecond, s.Quantile(0.99))
//	}
package scrape
