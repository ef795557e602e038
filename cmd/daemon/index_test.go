package daemon

import (
	"fmt"
	"testing"

	"cairn/shardmap/catalog"
)

func TestDescribeClusters(t *testing.T) {
	var clusters []*catalog.Cluster
	for n, want := range map[int]string{
		0: "no cluster is applied yet", 1: "those applied are c0", 3: "those applied are c0, c1, c2",
		10: "those applied are c0, c1, c2, c3, c4, c5, c6, c7, c8, c9",
		12: "those applied are c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more",
	} {
		for len(clusters) < n {
			clusters = append(clusters, &catalog.Cluster{Name: fmt.Sprintf("c%d", len(clusters))})
		}
		if got := describeClusters(clusters[:n]); got != want {
			t.Errorf("%d clusters: %q; want %q", n, got, want)
		}
	}
}
