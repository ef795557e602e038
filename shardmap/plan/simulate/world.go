package simulate

import (
	"math/rand/v2"
	"strconv"
)

// World is what the placers live in: keys with a load, and clusters. Placers
// see Measured, and are judged by Load.
type World struct {
	// Load is the operations a second on each key, ascending by hash. Keys
	// stand in even distances, so that key i of n has the hash i/n.
	Load []float64
	// Measured is Load as averages that forget half of the past each round
	// show it.
	Measured []float64
	Clusters []Cluster
	random   *rand.Rand
}

// Cluster is a cluster of a World.
type Cluster struct {
	Name   string
	Weight uint32
	// Active is how many of its NodesPerCluster nodes are up.
	Active int
	// Leaving clusters are to hold nothing.
	Leaving bool
}

// NodesPerCluster is how many nodes each cluster has.
const NodesPerCluster = 4

// Capacity is what the cluster can carry, 0 if it is leaving.
func (c Cluster) Capacity() float64 {
	if c.Leaving {
		return 0
	}
	return float64(c.Weight) * float64(c.Active) / NodesPerCluster
}

// hottest is how far down the list of keys by their load the world begins: the
// hottest ones of all are answered from the caches of routers.
const hottest = 500

// NewWorld is a world of clusters of weight 1 and keys whose load is
// zipf-distributed: that of the k-th hottest is as 1/(k+500), whatever its
// place. On average a key has one operation a second.
func NewWorld(seed uint64, clusters, keys int) *World {
	w := &World{random: rand.New(rand.NewPCG(seed, 0)), Load: make([]float64, keys)}
	w.Grow(clusters)
	var whole float64
	for k := range w.Load {
		w.Load[k] = 1 / float64(k+hottest)
		whole += w.Load[k]
	}
	for k := range w.Load {
		w.Load[k] *= float64(keys) / whole
	}
	w.random.Shuffle(keys, func(i, j int) { w.Load[i], w.Load[j] = w.Load[j], w.Load[i] })
	w.Measured = append([]float64(nil), w.Load...)
	return w
}

// Measure takes a round's load into the averages.
func (w *World) Measure() {
	for k, load := range w.Load {
		w.Measured[k] = (w.Measured[k] + load) / 2
	}
}

// Grow adds so many clusters.
func (w *World) Grow(clusters int) {
	for range clusters {
		w.Clusters = append(w.Clusters, Cluster{Name: "cluster-" + strconv.Itoa(len(w.Clusters)), Weight: 1, Active: NodesPerCluster})
	}
}

// Drift has a part of all keys trade their load with others.
func (w *World) Drift(part float64) {
	for range int(part * float64(len(w.Load)) / 2) {
		i, j := w.random.IntN(len(w.Load)), w.random.IntN(len(w.Load))
		w.Load[i], w.Load[j] = w.Load[j], w.Load[i]
	}
}

// Swell multiplies the load of a part of the keyspace, which begins after
// another part of it.
func (w *World) Swell(after, part, by float64) {
	n := float64(len(w.Load))
	for k := int(after * n); k < int((after+part)*n); k++ {
		w.Load[k] *= by
	}
}

// Some calls change for a part of the clusters that are not leaving.
func (w *World) Some(part float64, change func(c *Cluster)) {
	left := int(part*float64(len(w.Clusters)) + 0.5)
	for _, i := range w.random.Perm(len(w.Clusters)) {
		if c := &w.Clusters[i]; left > 0 && !c.Leaving {
			change(c)
			left--
		}
	}
}

// judge says how even a world is with these owners.
func (w *World) judge(owners []int32) Round {
	loads := make([]float64, len(w.Clusters))
	var whole, capacity, roomiest, fullest, away, hottest float64
	for k, owner := range owners {
		loads[owner] += w.Load[k]
		whole += w.Load[k]
		hottest = max(hottest, w.Load[k])
	}
	for i, c := range w.Clusters {
		if c.Capacity() == 0 {
			away += loads[i]
			continue
		}
		capacity += c.Capacity()
		roomiest = max(roomiest, c.Capacity())
		fullest = max(fullest, loads[i]/c.Capacity())
	}
	mean := whole / capacity
	return Round{Imbalance: fullest / mean, Least: max(1, hottest/roomiest/mean), Away: away / whole}
}
