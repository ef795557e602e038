package simulate

// Scenario is what happens in a world.
type Scenario struct {
	Name string
	Text string
	// Happen changes the world before a round, from round 0 on.
	Happen func(w *World, round int)
}

// Scenarios are all of them.
func Scenarios() []Scenario {
	return []Scenario{
		{"zipf", "zipf loads, placed without knowing them; nothing changes", func(*World, int) {}},
		{"drift", "in each round 1% of the keys trade their load with others", func(w *World, _ int) { w.Drift(0.01) }},
		{"flash", "from round 10 to 40 a thousandth of the keyspace has 20 times its load", flash},
		{"loss", "from round 10 to 40 a tenth of the clusters has half its nodes; from round 25 a twentieth is to be emptied", loss},
		{"growth", "every 10 rounds a twentieth more clusters, and a twentieth of the keyspace gets twice its load", growth},
	}
}

func flash(w *World, round int) {
	switch round {
	case 10:
		w.Swell(0.3, 0.001, 20)
	case 40:
		w.Swell(0.3, 0.001, 1.0/20)
	}
}

func loss(w *World, round int) {
	switch round {
	case 10:
		w.Some(0.1, func(c *Cluster) { c.Active = NodesPerCluster / 2 })
	case 25:
		w.Some(0.05, func(c *Cluster) { c.Leaving = true })
	case 40:
		w.Some(1, func(c *Cluster) { c.Active = NodesPerCluster })
	}
}

func growth(w *World, round int) {
	if round > 0 && round%10 == 0 {
		w.Grow((len(w.Clusters) + 19) / 20)
		w.Swell(float64(round%100)/100, 0.05, 2)
	}
}
