package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"cairn/router/balance"
	"cairn/router/peer"
)

// askedIndex is an index of several replicas as those who ask it see it.
type askedIndex struct {
	cluster  string
	replicas []peer.Standing
	hedges   balance.Hedges
}

// asked are the indexes of several replicas that are asked now.
func (d *dialer) asked() (indexes []askedIndex) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, group := range d.groups {
		index := askedIndex{cluster: group.cluster.Name}
		index.replicas, index.hedges = group.Standings()
		indexes = append(indexes, index)
	}
	return indexes
}

// replicaCollector exports how the replicas of indexes stand that are asked.
type replicaCollector struct {
	list func() []askedIndex
}

var replicaMetrics = []struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(balance.Standing) float64
}{
	{replicaDesc("reads_total", "Reads that were put to the replica, second ones included."), prometheus.CounterValue,
		func(s balance.Standing) float64 { return float64(s.Asked) }},
	{replicaDesc("failures_total", "Requests that could not reach the replica."), prometheus.CounterValue,
		func(s balance.Standing) float64 { return float64(s.Failed) }},
	{replicaDesc("given_up_total", "Reads that were not waited for to the end: another replica answered first, or the time had passed."), prometheus.CounterValue,
		func(s balance.Standing) float64 { return float64(s.GivenUp) }},
	{replicaDesc("ejections_total", "How often the replica was ejected, for being out of reach or slow."), prometheus.CounterValue,
		func(s balance.Standing) float64 { return float64(s.Ejections) }},
	{replicaDesc("ejected", "1 while the replica is asked only where no other is left."), prometheus.GaugeValue,
		func(s balance.Standing) float64 { return oneIf(s.Ejected) }},
	{replicaDesc("reads_in_flight", "Reads that wait for the replica."), prometheus.GaugeValue,
		func(s balance.Standing) float64 { return float64(s.InFlight) }},
	{replicaDesc("slowness", "How long its answers take by what is usual for such questions; 1 is as usual."), prometheus.GaugeValue,
		func(s balance.Standing) float64 { return s.Slowness }},
}

func replicaDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("cairn_replica_"+name, help, []string{"cluster", "replica"}, nil)
}

var hedgesDesc = prometheus.NewDesc("cairn_hedges_total",
	"Second replicas that reads would have been put to: sent, and of these won; refused by the budget.", []string{"cluster", "outcome"}, nil)

// Describe sends every metric's description.
func (c replicaCollector) Describe(out chan<- *prometheus.Desc) {
	out <- hedgesDesc
	for _, each := range replicaMetrics {
		out <- each.desc
	}
}

// Collect reads the standings of all.
func (c replicaCollector) Collect(out chan<- prometheus.Metric) {
	for _, index := range c.list() {
		for _, replica := range index.replicas {
			for _, each := range replicaMetrics {
				out <- prometheus.MustNewConstMetric(each.desc, each.kind, each.value(replica.Standing), index.cluster, replica.Address)
			}
		}
		for outcome, count := range map[string]uint64{"sent": index.hedges.Sent, "won": index.hedges.Won, "refused": index.hedges.Refused} {
			out <- prometheus.MustNewConstMetric(hedgesDesc, prometheus.CounterValue, float64(count), index.cluster, outcome)
		}
	}
}

// watchReplicas adds the metrics of the replicas that this process asks.
func (m *metrics) watchReplicas(list func() []askedIndex) {
	m.registry.MustRegister(replicaCollector{list})
}
