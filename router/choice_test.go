package router_test

import (
	"context"
	"testing"

	"cairn"
	"cairn/router/internal/bed"
	"cairn/shardmap"
)

// TestTheNodeToUseIsChosen by the rule of the request, of those that are up.
func TestTheNodeToUseIsChosen(t *testing.T) {
	ctx := context.Background()
	v := newViewBed(t)
	for _, cluster := range v.Map().Catalog().Clusters() {
		next := *cluster
		next.Nodes = append([]cairn.Node(nil), cluster.Nodes...)
		next.Nodes[0].Weight, next.Nodes[1].Weight = 1, 3
		next.Nodes[1].Zone = "other"
		if err := v.Commit(shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: next.Name, Expected: cluster.Revision, Put: &next}}}); err != nil {
			t.Fatal(err)
		}
	}
	v.topology.CatchUp()
	key := cairn.Key("k20")
	placed, _, err := v.Locate(ctx, bed.Things, key, cairn.Reading{})
	if err != nil || placed.Use != placed.Primary || len(placed.Replicas) != 1 {
		t.Fatalf("by default %+v, %v", placed, err)
	}
	const asks = 4000
	for _, test := range []struct {
		name        string
		choice      cairn.NodeChoice
		failing     cairn.NodeID
		first, last float64 // the share of node 1
	}{
		{"the primary", cairn.NodeChoice{Rule: cairn.RulePrimary, Zone: "other"}, 0, share(placed.Primary.ID == 1), share(placed.Primary.ID == 1)},
		{"any", cairn.NodeChoice{Rule: cairn.RuleAny}, 0, 0.2, 0.3},
		{"any but one that fails", cairn.NodeChoice{Rule: cairn.RuleAny}, 2, 1, 1},
		{"the nearest", cairn.NodeChoice{Rule: cairn.RuleNearest, Zone: "other"}, 0, 0, 0},
		{"the nearest, which fails", cairn.NodeChoice{Rule: cairn.RuleNearest, Zone: "other"}, 2, 1, 1},
		{"the nearest of none in the zone", cairn.NodeChoice{Rule: cairn.RuleNearest, Zone: "nowhere"}, 0, 0.2, 0.3},
	} {
		v.failing = map[cairn.NodeID]bool{test.failing: true}
		count := func(how string, use func() *cairn.Node) {
			t.Helper()
			ones := 0
			for range asks {
				if use().ID == 1 {
					ones++
				}
			}
			if got := float64(ones) / asks; got < test.first || got > test.last {
				t.Errorf("%s, %s: node 1 in %.3f; want %.2f to %.2f", test.name, how, got, test.first, test.last)
			}
		}
		read := cairn.Reading{Choice: test.choice}
		count("alone", func() *cairn.Node {
			location, _, err := v.Locate(ctx, bed.Things, key, read)
			if err != nil {
				t.Fatal(err)
			}
			return location.Use
		})
		count("in a batch", func() *cairn.Node {
			locations, _, err := v.BatchLocate(ctx, bed.Things, []cairn.Key{cairn.Key("nothing"), key}, read)
			if err != nil || locations[0].Use != nil {
				t.Fatalf("%+v, %v", locations, err)
			}
			return locations[1].Use
		})
		count("in parts", func() (use *cairn.Node) {
			err := v.BatchLocateInParts(ctx, bed.Things, []cairn.Key{key}, read, func(locations []cairn.Location, _ []int32, _ cairn.Token) {
				use = locations[0].Use
			})
			if err != nil {
				t.Fatal(err)
			}
			return use
		})
	}
}

func share(all bool) float64 {
	if all {
		return 1
	}
	return 0
}
