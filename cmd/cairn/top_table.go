package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"cairn/cmd/cairn/render"
	"cairn/cmd/cairn/scrape"
)

// activity is what servers have done between two looks, by address.
type activity struct {
	at      time.Time
	servers []string // those that answered twice
	span    map[string]scrape.Span
	silent  []*topServer
}

type topDocument struct {
	Time     time.Time     `json:"time"`
	Servers  []string      `json:"servers"`
	Silent   []topSilent   `json:"silent,omitempty"`
	Requests []topRequests `json:"requests"`
	Caches   []topCache    `json:"caches,omitempty"`
	Retries  []topRetries  `json:"retries"`
	Indexes  []topIndex    `json:"indexes"`
}

type topSilent struct {
	Server string `json:"server"`
	Error  string `json:"error"`
}

// topRequests are the requests of one kind about one keyspace.
type topRequests struct {
	Keyspace string `json:"keyspace"`
	Verb     string `json:"verb"`
	// By the second.
	Requests float64 `json:"requests"`
	Keys     float64 `json:"keys"`
	Failed   float64 `json:"failed"`
	// How long half of them took at most, and 99 of 100; in seconds, nil without any.
	P50 *float64 `json:"p50,omitempty"`
	P99 *float64 `json:"p99,omitempty"`
}

// topCache is what caches of locations were asked of a keyspace's part in a cluster.
type topCache struct {
	Keyspace string `json:"keyspace"`
	Cluster  string `json:"cluster"`
	// Lookups by the second, and which shares of them the caches answered, and may have
	// had without knowing that it was fresh enough.
	Lookups  float64 `json:"lookups"`
	Hits     float64 `json:"hits"`
	Unproven float64 `json:"unproven"`
}

// topRetries are the parts of requests that were tried again, by the second.
type topRetries struct {
	Cluster string  `json:"cluster"`
	Reason  string  `json:"reason"`
	Parts   float64 `json:"parts"`
}

// topIndex is a replica of a cluster's index.
type topIndex struct {
	Server  string  `json:"server"`
	Cluster string  `json:"cluster"`
	Leads   bool    `json:"leads"`
	Entries uint64  `json:"entries"`
	Shards  uint64  `json:"shards"`
	Applied float64 `json:"applied"` // commands of the log, by the second
	// OverlayBytes is what is in no checkpoint yet, FileBytes the file's size.
	OverlayBytes  uint64  `json:"overlayBytes"`
	FileBytes     uint64  `json:"fileBytes"`
	CheckpointAge float64 `json:"checkpointAge"` // in seconds
	WritesRefused bool    `json:"writesRefused,omitempty"`
	Diverged      bool    `json:"diverged,omitempty"`
}

func (a *activity) document() topDocument {
	d := topDocument{Time: a.at, Servers: a.servers, Requests: []topRequests{}, Retries: []topRetries{}, Indexes: []topIndex{}}
	for _, s := range a.silent {
		d.Silent = append(d.Silent, topSilent{s.address, reason(s.err)})
	}
	var all scrape.Span
	for _, address := range a.servers {
		all = append(all, a.span[address]...)
		d.Indexes = append(d.Indexes, indexesOf(address, a.span[address])...)
	}
	d.Requests, d.Caches = requestsOf(all), cachesOf(all)
	for _, s := range all.Series("cairn_retries_total", "cluster", "reason") {
		if s.PerSecond > 0 {
			d.Retries = append(d.Retries, topRetries{s.Labels[0], s.Labels[1], s.PerSecond})
		}
	}
	return d
}

// requestsOf are the requests of a span, those of which there are most first.
func requestsOf(span scrape.Span) []topRequests {
	out := []topRequests{}
	keys := make(map[[2]string]float64)
	for _, s := range span.Series("cairn_request_keys_total", "keyspace", "verb") {
		keys[[2]string{s.Labels[0], s.Labels[1]}] = s.PerSecond
	}
	var of *scrape.Series
	failed := 0.0
	end := func() {
		if of != nil && of.PerSecond > 0 {
			out = append(out, topRequests{
				Keyspace: of.Labels[0], Verb: of.Labels[1], Requests: of.PerSecond, Failed: failed,
				Keys: keys[[2]string{of.Labels[0], of.Labels[1]}], P50: quantile(of, 0.5), P99: quantile(of, 0.99),
			})
		}
	}
	for _, s := range span.Series("cairn_request_duration_seconds", "keyspace", "verb", "outcome") {
		if of != nil && slices.Equal(of.Labels[:2], s.Labels[:2]) {
			of.Add(s)
		} else {
			end()
			of, failed = &s, 0
		}
		if s.Labels[2] != "ok" {
			failed += s.PerSecond
		}
	}
	end()
	slices.SortStableFunc(out, func(a, b topRequests) int { return cmp.Compare(b.Requests, a.Requests) })
	return out
}

// cachesOf are the lookups of a span in caches of locations, those of which there are
// most first.
func cachesOf(span scrape.Span) (out []topCache) {
	by := make(map[[2]string]*topCache)
	for _, s := range span.Series("cairn_cache_lookups_total", "keyspace", "cluster", "outcome") {
		name := [2]string(s.Labels[:2])
		if by[name] == nil {
			by[name] = &topCache{Keyspace: name[0], Cluster: name[1]}
		}
		of := by[name]
		of.Lookups += s.PerSecond
		switch s.Labels[2] {
		case "hit":
			of.Hits = s.PerSecond
		case "unproven":
			of.Unproven = s.PerSecond
		}
	}
	for _, of := range by {
		if of.Lookups > 0 {
			of.Hits, of.Unproven = of.Hits/of.Lookups, of.Unproven/of.Lookups
			out = append(out, *of)
		}
	}
	slices.SortFunc(out, func(a, b topCache) int {
		return cmp.Or(cmp.Compare(b.Lookups, a.Lookups), cmp.Compare(a.Keyspace, b.Keyspace), cmp.Compare(a.Cluster, b.Cluster))
	})
	return out
}

func quantile(s *scrape.Series, q float64) *float64 {
	d, has := s.Quantile(q)
	if !has {
		return nil
	}
	seconds := d.Seconds()
	return &seconds
}

// indexesOf are the indexes that a server has.
func indexesOf(address string, span scrape.Span) (out []topIndex) {
	gauge := func(name string) map[string]scrape.Series {
		by := make(map[string]scrape.Series)
		for _, s := range span.Series("cairn_index_"+name, "cluster") {
			by[s.Labels[0]] = s
		}
		return by
	}
	applied, leads, entries, shards := gauge("applied_index"), gauge("leads"), gauge("entries"), gauge("shards")
	overlay, file, age := gauge("overlay_bytes"), gauge("file_bytes"), gauge("checkpoint_age_seconds")
	refused, diverged := gauge("writes_refused"), gauge("diverged")
	for _, s := range span.Series("cairn_index_applied_index", "cluster") {
		name := s.Labels[0]
		out = append(out, topIndex{
			Server: address, Cluster: name, Leads: leads[name].Value == 1,
			Entries: uint64(entries[name].Value), Shards: uint64(shards[name].Value), Applied: applied[name].GaugePerSecond,
			OverlayBytes: uint64(overlay[name].Value), FileBytes: uint64(file[name].Value), CheckpointAge: age[name].Value,
			WritesRefused: refused[name].Value == 1, Diverged: diverged[name].Value == 1,
		})
	}
	return out
}

func (d *topDocument) table(out io.Writer) error {
	fmt.Fprintf(out, "%s, of %s\n", d.Time.Format(time.TimeOnly), render.Counted(len(d.Servers), "server", "servers"))
	for _, s := range d.Silent {
		fmt.Fprintf(out, "%s: %s\n", s.Server, s.Error)
	}
	fmt.Fprintln(out)
	requests := render.Grid{Header: []string{"KEYSPACE", "VERB", "REQUESTS/S", "KEYS/S", "FAILED/S", "P50", "P99"}, Right: []int{2, 3, 4, 5, 6}}
	for _, r := range d.Requests {
		requests.Row(cmp.Or(r.Keyspace, "-"), r.Verb, rate(r.Requests), rate(r.Keys), rate(r.Failed), took(r.P50), took(r.P99))
	}
	if err := block(out, &requests, "no requests"); err != nil {
		return err
	}
	if len(d.Caches) > 0 {
		caches := render.Grid{Header: []string{"KEYSPACE", "CLUSTER", "LOOKUPS/S", "CACHED", "UNPROVEN"}, Right: []int{2, 3, 4}}
		for _, c := range d.Caches {
			caches.Row(c.Keyspace, c.Cluster, rate(c.Lookups), share(c.Hits), share(c.Unproven))
		}
		if err := block(out, &caches, ""); err != nil {
			return err
		}
	}
	if len(d.Retries) > 0 {
		retries := render.Grid{Header: []string{"CLUSTER", "TRIED AGAIN/S", "BECAUSE"}, Right: []int{1}}
		for _, r := range d.Retries {
			retries.Row(cmp.Or(r.Cluster, "-"), rate(r.Parts), r.Reason)
		}
		if err := block(out, &retries, ""); err != nil {
			return err
		}
	}
	if len(d.Indexes) == 0 {
		return nil
	}
	indexes := render.Grid{Header: []string{"CLUSTER", "INDEX", "ENTRIES", "SHARDS", "COMMANDS/S", "UNSAVED", "FILE", "CHECKPOINT", "STATE"}, Right: []int{2, 3, 4, 5, 6, 7}}
	for _, x := range d.Indexes {
		indexes.Row(x.Cluster, x.Server, render.Count(x.Entries), render.Count(x.Shards), rate(x.Applied), mebibytes(x.OverlayBytes), mebibytes(x.FileBytes),
			render.Duration(time.Duration(x.CheckpointAge*float64(time.Second)))+" ago", x.state())
	}
	return block(out, &indexes, "")
}

// block prints a table and a line behind it, or says what it is without rows.
func block(out io.Writer, grid *render.Grid, without string) error {
	if grid.Len() == 0 {
		_, err := fmt.Fprintf(out, "%s\n\n", without)
		return err
	}
	if err := grid.Write(out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	return err
}

func (x *topIndex) state() string {
	switch {
	case x.Diverged:
		return "diverged"
	case x.WritesRefused:
		return "refuses writes"
	case x.Leads:
		return "leads"
	}
	return "follows"
}

// rate is how often something happens, by the second.
func rate(perSecond float64) string {
	switch {
	case perSecond == 0:
		return "-"
	case perSecond < 10:
		return fmt.Sprintf("%.1f", perSecond)
	}
	return render.Count(int64(perSecond + 0.5))
}

// share is a part of 1 in percent.
func share(part float64) string { return fmt.Sprintf("%.1f%%", 100*part) }

func took(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return render.Duration(time.Duration(*seconds * float64(time.Second)))
}

func mebibytes(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
