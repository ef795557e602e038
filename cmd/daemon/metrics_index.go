package daemon

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cairn"
)

// statusTimeout bounds how long a scrape waits for one index.
const statusTimeout = time.Second

// localIndex is a node index of this process as the metrics see it.
type localIndex struct {
	cluster string
	status  func(ctx context.Context, epoch uint64) (cairn.IndexStatus, error)
}

// indexCollector exports what the node indexes of this process say of
// themselves when they are asked, so that a number is never older than the
// scrape.
type indexCollector struct {
	list func() []localIndex
}

var indexMetrics = []struct {
	desc  *prometheus.Desc
	value func(cairn.IndexStatus) float64
}{
	{indexDesc("applied_index", "The log index up to which the index has applied."),
		func(s cairn.IndexStatus) float64 { return float64(s.AppliedIndex) }},
	{indexDesc("checkpoint_index", "The log index up to which the file holds everything."),
		func(s cairn.IndexStatus) float64 { return float64(s.CheckpointIndex) }},
	{indexDesc("checkpoint_age_seconds", "How long ago the last checkpoint was written."),
		func(s cairn.IndexStatus) float64 { return time.Duration(s.CheckpointAge).Seconds() }},
	{indexDesc("map_revision", "The map revision noted in the log."),
		func(s cairn.IndexStatus) float64 { return float64(s.MapRevision) }},
	{indexDesc("entries", "Entries that the index holds."),
		func(s cairn.IndexStatus) float64 { return float64(s.Entries) }},
	{indexDesc("shards", "Shards that the index owns."),
		func(s cairn.IndexStatus) float64 { return float64(len(s.Shards)) }},
	{indexDesc("file_bytes", "The size of the index's file."),
		func(s cairn.IndexStatus) float64 { return float64(s.FileBytes) }},
	{indexDesc("key_bytes", "Memory of the keys that locates find without the file; 0 where they are read from it."),
		func(s cairn.IndexStatus) float64 { return float64(s.KeyBytes) }},
	{indexDesc("overlay_bytes", "About how much memory the changes take that are in no checkpoint yet."),
		func(s cairn.IndexStatus) float64 { return float64(s.OverlayBytes) }},
	{indexDesc("request_bytes", "Memory of the write requests with ids that are remembered."),
		func(s cairn.IndexStatus) float64 { return float64(s.RequestBytes) }},
	{indexDesc("request_window_seconds", "How far back in issue time the remembered requests reach."),
		func(s cairn.IndexStatus) float64 { return time.Duration(s.RequestWindow).Seconds() }},
	{indexDesc("change_bytes", "The size of the log of changes that watches are served from."),
		func(s cairn.IndexStatus) float64 { return float64(s.ChangeBytes) }},
	{indexDesc("change_floor", "The log index after which the log of changes has every change."),
		func(s cairn.IndexStatus) float64 { return float64(s.ChangeFloor) }},
	{indexDesc("change_reach_seconds", "How far back the log of changes reaches; 0 while it has none."),
		func(s cairn.IndexStatus) float64 { return time.Duration(s.ChangeReach).Seconds() }},
	{indexDesc("view_bytes", "Memory of all views and their attributes, keys included."),
		func(s cairn.IndexStatus) float64 { return float64(s.ViewBytes) }},
	{indexDesc("view_evaluations", "How often a view's filter was tried on an entry, since the views serve."),
		func(s cairn.IndexStatus) float64 { return float64(s.ViewEvaluations) }},
	{indexDesc("view_placements", "Of how many entries their place in an order was looked for, since the views serve."),
		func(s cairn.IndexStatus) float64 { return float64(s.ViewPlacements) }},
	{indexDesc("views", "Versions of views that the index keeps."),
		func(s cairn.IndexStatus) float64 { return float64(len(s.Views)) }},
	{indexDesc("views_building", "Versions of views that are not complete yet."),
		func(s cairn.IndexStatus) float64 {
			building := 0
			for _, v := range s.Views {
				if !v.Complete {
					building++
				}
			}
			return float64(building)
		}},
	{indexDesc("wide_attributes", "Attributes of so many different strings that views have no bitmaps of them."),
		func(s cairn.IndexStatus) float64 { return float64(len(s.WideAttributes)) }},
	{indexDesc("writes_refused", "1 while the index refuses writes, as with a full disk; 0 otherwise."),
		func(s cairn.IndexStatus) float64 { return oneIf(s.WriteRefusal != "") }},
	{indexDesc("diverged", "1 once this replica differs from the one that led; it answers nothing then."),
		func(s cairn.IndexStatus) float64 { return oneIf(s.Diverged) }},
	{indexDesc("leads", "1 while this replica leads its group."),
		func(s cairn.IndexStatus) float64 { return oneIf(leads(s)) }},
	{indexDesc("voters", "Replicas with a vote, by this one's log; 0 while it waits to join."),
		func(s cairn.IndexStatus) float64 { return float64(voters(s)) }},
	{indexDesc("learners", "Replicas that follow without a vote, by this one's log."),
		func(s cairn.IndexStatus) float64 { return float64(len(s.Members) - voters(s)) }},
}

// oneIf is a gauge of yes and no.
func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// leads tells whether a replica is the one that leads, as far as it knows.
func leads(s cairn.IndexStatus) bool {
	return slices.ContainsFunc(s.Members, func(m cairn.Member) bool { return m.Leader && m.ID == s.ReplicaID })
}

// voters counts the members with a vote.
func voters(s cairn.IndexStatus) (n int) {
	for _, m := range s.Members {
		if m.Voter {
			n++
		}
	}
	return n
}

var indexUp = indexDesc("up", "1 if the index answered the scrape.")

func indexDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("cairn_index_"+name, help, []string{"cluster"}, nil)
}

// Describe sends every metric's description.
func (c indexCollector) Describe(out chan<- *prometheus.Desc) {
	out <- indexUp
	for _, each := range indexMetrics {
		out <- each.desc
	}
}

// Collect asks each index. One that does not answer has only an "up" of 0.
func (c indexCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	for _, index := range c.list() {
		status, err := index.status(ctx, 0)
		if err != nil {
			out <- prometheus.MustNewConstMetric(indexUp, prometheus.GaugeValue, 0, index.cluster)
			continue
		}
		out <- prometheus.MustNewConstMetric(indexUp, prometheus.GaugeValue, 1, index.cluster)
		for _, each := range indexMetrics {
			out <- prometheus.MustNewConstMetric(each.desc, prometheus.GaugeValue, each.value(status), index.cluster)
		}
	}
}

// watchIndexes adds the metrics of this process's node indexes.
func (m *metrics) watchIndexes(list func() []localIndex) {
	m.registry.MustRegister(indexCollector{list})
}
