package capacity_test

import (
	"math"
	"testing"

	"cairn/bench/capacity"
)

var machine = capacity.Machine{Cores: 16, MemoryGiB: 128, DiskMBs: 300, Share: 0.6}

func demand() capacity.Demand {
	return capacity.Demand{
		Keys: 10e9, Clusters: 300, Replicas: 3, Locates: 2e6, LocateBatch: 1, Writes: 50e3, WriteBatch: 1, EntriesAShard: 100e3,
	}
}

// TestMeasuredMemory compares the model with what an index had resident at
// three sizes (bench/results/2026-11-29-bulk.txt).
func TestMeasuredMemory(t *testing.T) {
	for _, c := range []struct{ entries, mebibytes float64 }{{2_003_968, 1_517}, {10_019_840, 2_803}, {20_001_920, 4_616}} {
		d := demand()
		d.Keys, d.Clusters, d.Replicas = c.entries, 1, 1
		needs := capacity.Plan(d, machine, capacity.Measured)
		if got := needs.IndexBytes / (1 << 20); math.Abs(got-c.mebibytes) > 0.15*c.mebibytes {
			t.Errorf("%.0f entries: %.0f MiB; measured were %.0f", c.entries, got, c.mebibytes)
		}
	}
}

func TestPlanGrowsWithTheDemand(t *testing.T) {
	least := capacity.Plan(demand(), machine, capacity.Measured)
	for _, c := range []struct {
		name   string
		change func(*capacity.Demand)
		of     func(*capacity.Needs) float64
		factor float64 // 0: more, by whatever
	}{
		{"keys", func(d *capacity.Demand) { d.Keys *= 2 }, func(n *capacity.Needs) float64 { return n.Shards }, 2},
		{"views", func(d *capacity.Demand) { d.Views = 3 }, func(n *capacity.Needs) float64 { return n.IndexMachines }, 0},
		{"locates", func(d *capacity.Demand) { d.Locates *= 2 }, func(n *capacity.Needs) float64 { return n.RouterMachines }, 0},
		{"writes", func(d *capacity.Demand) { d.Writes *= 2 }, func(n *capacity.Needs) float64 { return n.WriteMBs }, 2},
		{"replicas", func(d *capacity.Demand) { d.Replicas = 5 }, func(n *capacity.Needs) float64 { return n.IndexMachines }, 0},
	} {
		d := demand()
		c.change(&d)
		more := capacity.Plan(d, machine, capacity.Measured)
		if got := c.of(&more) / c.of(&least); got <= 1 || c.factor > 0 && math.Abs(got-c.factor) > 0.01 {
			t.Errorf("%s: %.2f times as much; want %v (0: more)", c.name, got, c.factor)
		}
	}
	d := demand()
	d.LocateBatch = 128
	if batched := capacity.Plan(d, machine, capacity.Measured); batched.RouterCores >= least.RouterCores || batched.IndexCores >= least.IndexCores {
		t.Error("batches cost no less than single keys")
	}
	d.Embedded = true
	if embedded := capacity.Plan(d, machine, capacity.Measured); embedded.RouterMachines != 0 || embedded.Followers >= least.Followers+1 {
		t.Errorf("embedded routers need %v machines", embedded.RouterMachines)
	}
}

func TestTheNearestLimitComesFirst(t *testing.T) {
	needs := capacity.Plan(demand(), machine, capacity.Measured)
	for i := range needs.Limits[1:] {
		if needs.Limits[i].Share() < needs.Limits[i+1].Share() {
			t.Errorf("%+v before %+v", needs.Limits[i], needs.Limits[i+1])
		}
	}
	if most := needs.Limits[0].Share(); most > 1 {
		t.Errorf("%.0f machines are too few: %.2f of %s", needs.IndexMachines, most, needs.Limits[0].Name)
	}
}
