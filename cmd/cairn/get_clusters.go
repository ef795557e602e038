package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
	"cairn/shardmap/catalog"
)

type clusterDocument struct {
	Name   string `json:"name"`
	Zone   string `json:"zone,omitempty"`
	Weight uint32 `json:"weight"`
	Index  struct {
		Replicas []string `json:"replicas"`
	} `json:"index"`
	Health   string          `json:"health,omitempty"`
	Nodes    []nodeDocument  `json:"nodes"`
	Shards   uint64          `json:"shards"`
	UID      string          `json:"uid"`
	Revision uint64          `json:"revision"`
	Status   *statusDocument `json:"status,omitempty"`
}

type nodeDocument struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Zone    string `json:"zone,omitempty"`
	Weight  uint32 `json:"weight"`
	State   string `json:"state"`
	// Entries is absent where the index was not asked, or did not answer.
	Entries *uint64 `json:"entries,omitempty"`
}

// statusDocument is what a cluster's node index says of itself.
type statusDocument struct {
	Replica         string `json:"replica,omitempty"`
	Entries         uint64 `json:"entries"`
	AppliedIndex    uint64 `json:"applied_index"`
	CheckpointIndex uint64 `json:"checkpoint_index"`
	// CheckpointAge is in seconds.
	CheckpointAge float64 `json:"checkpoint_age"`
	MapRevision   uint64  `json:"map_revision"`
	FileBytes     uint64  `json:"file_bytes"`
	// ViewBytes is the memory of all views, with their attributes and keys.
	ViewBytes    uint64 `json:"view_bytes"`
	WriteRefusal string `json:"write_refusal,omitempty"`
	Error        string `json:"error,omitempty"`
}

func newClusterDocument(c *cairnv1.Cluster) clusterDocument {
	d := clusterDocument{
		Name: short(c.GetName()), Zone: c.GetZone(), Weight: weightOf(c.Weight),
		Shards: c.GetShardCount(), UID: c.GetUid(), Revision: c.GetRevision(),
	}
	d.Health = cairn.HealthCheck(c.GetHealth()).String()
	d.Index.Replicas = append([]string{}, c.GetIndexReplicas()...)
	for _, n := range c.GetNodes() {
		d.Nodes = append(d.Nodes, nodeDocument{
			Name: n.GetName(), Address: n.GetAddress(), Zone: n.GetZone(), Weight: weightOf(n.Weight), State: states[n.GetState()].String(),
		})
	}
	return d
}

func weightOf(weight *uint32) uint32 {
	if weight == nil {
		return catalog.DefaultWeight
	}
	return *weight
}

// getClusters prints the cluster of a name with its index's state, or all
// without for none.
func (o *options) getClusters(ctx context.Context, cmd *cobra.Command, c *client.Client, name string) error {
	if name != "" {
		return o.getCluster(ctx, cmd, c, name)
	}
	var resources []catalog.Resource
	documents := []clusterDocument{}
	grid := render.Grid{Header: []string{"NAME", "ZONE", "WEIGHT", "SHARDS", "INDEX", "NODES"}, Right: []int{2, 3}}
	for token := ""; ; {
		page, err := c.Admin().ListClusters(ctx, &cairnv1.ListClustersRequest{PageToken: token})
		if err != nil {
			return err
		}
		for _, each := range page.GetClusters() {
			d := newClusterDocument(each)
			documents, resources = append(documents, d), append(resources, clusterSpec(each))
			grid.Row(d.Name, d.Zone, strconv.Itoa(int(d.Weight)), render.Count(d.Shards), indexText(d), nodeList(d.Nodes))
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	return o.printResources(cmd, resources, struct {
		Clusters []clusterDocument `json:"clusters"`
	}{documents}, grid.Write)
}

func indexText(d clusterDocument) string {
	if len(d.Index.Replicas) == 0 {
		return "in-process"
	}
	return strings.Join(d.Index.Replicas, ",")
}

func nodeList(nodes []nodeDocument) string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = n.Name
		if n.State != "active" {
			out[i] += " (" + n.State + ")"
		}
	}
	return strings.Join(out, ", ")
}

func (o *options) getCluster(ctx context.Context, cmd *cobra.Command, c *client.Client, name string) error {
	cluster, err := c.Admin().GetCluster(ctx, &cairnv1.GetClusterRequest{Name: clusterName(name)})
	if err != nil {
		return err
	}
	d := newClusterDocument(cluster)
	if o.output != render.YAML { // a manifest has no use for it
		d.Status = indexStatus(ctx, c, &d)
	}
	return o.printResources(cmd, []catalog.Resource{clusterSpec(cluster)}, d, func(out io.Writer) error { return clusterTable(out, d) })
}

// indexStatus asks the cluster's index how it is, and notes in the document
// how many entries each node has. That it does not answer is an answer too.
func indexStatus(ctx context.Context, c *client.Client, d *clusterDocument) *statusDocument {
	status, err := c.Admin().GetIndexStatus(ctx, &cairnv1.GetIndexStatusRequest{Cluster: clusterName(d.Name)})
	if err != nil {
		return &statusDocument{Error: err.Error()}
	}
	for i := range d.Nodes {
		entries := status.GetNodeEntries()[d.Nodes[i].Name]
		d.Nodes[i].Entries = &entries
	}
	return &statusDocument{
		Replica: status.GetReplica(), Entries: status.GetEntries(), AppliedIndex: status.GetAppliedIndex(),
		CheckpointIndex: status.GetCheckpointIndex(), CheckpointAge: status.GetCheckpointAge().AsDuration().Seconds(),
		MapRevision: status.GetMapRevision(), FileBytes: status.GetFileBytes(), ViewBytes: status.GetViewBytes(), WriteRefusal: status.GetWriteRefusal(),
	}
}

func clusterTable(out io.Writer, d clusterDocument) error {
	facts := render.Grid{}
	facts.Row("cluster", d.Name)
	if d.Zone != "" {
		facts.Row("zone", d.Zone)
	}
	facts.Row("weight", strconv.Itoa(int(d.Weight)))
	facts.Row("shards", render.Count(d.Shards))
	if d.Health != "" {
		facts.Row("health", "nodes are checked by "+d.Health)
	}
	if s := d.Status; s.Error != "" {
		facts.Row("index", "does not answer: "+s.Error)
	} else {
		facts.Row("index", s.Replica)
		facts.Row("entries", render.Count(s.Entries))
		facts.Row("log", fmt.Sprintf("applied to %d, checkpoint at %d, %s old", s.AppliedIndex, s.CheckpointIndex, render.Duration(time.Duration(s.CheckpointAge*float64(time.Second)))))
		facts.Row("map revision", strconv.FormatUint(s.MapRevision, 10))
		facts.Row("file", render.Count(s.FileBytes)+" bytes")
		facts.Row("views", render.Count(s.ViewBytes)+" bytes of memory")
		if s.WriteRefusal != "" {
			facts.Row("writes", "refused: "+s.WriteRefusal)
		}
	}
	if err := facts.Write(out); err != nil {
		return err
	}
	nodes := render.Grid{Header: []string{"NODE", "ADDRESS", "ZONE", "WEIGHT", "STATE", "ENTRIES"}, Right: []int{3, 5}}
	for _, n := range d.Nodes {
		entries := "?"
		if n.Entries != nil {
			entries = render.Count(*n.Entries)
		}
		nodes.Row(n.Name, n.Address, n.Zone, strconv.Itoa(int(n.Weight)), n.State, entries)
	}
	if _, err := io.WriteString(out, "\n"); err != nil {
		return err
	}
	return nodes.Write(out)
}
