package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"cairn/cmd/cairn/render"
	"cairn/shardmap"
	"cairn/shardmap/rebuild"
)

func recoveredMapOf(plan *rebuild.Plan) *recoveredMapDocument {
	d := &recoveredMapDocument{Noted: plan.Revision, Cancelled: len(plan.Moves)}
	for _, c := range plan.Clusters {
		d.Clusters = append(d.Clusters, knownClusterDocument{
			Name: c.Name, UID: c.UID, Dir: c.Source, Replicas: c.Replicas, Noted: c.Map.Revision, Applied: c.Map.Applied,
		})
	}
	for _, k := range plan.Keyspaces {
		known := knownKeyspaceDocument{Name: k.Name, UID: k.UID}
		for _, v := range k.Views {
			known.Views = append(known.Views, v.Name)
		}
		scheme := k.Placement.Scheme
		for _, s := range k.Shards {
			known.Shards = append(known.Shards, knownShardDocument{
				Range: shardmap.Interval(scheme, s.Start, s.End), ID: uint64(s.ID), Cluster: s.Owner, Epoch: s.Epoch, Pinned: s.Pinned, Note: shardNote(s),
			})
		}
		for _, g := range k.Gaps {
			note := "GAP: no index given has it"
			if len(g.Staged) > 0 {
				note += "; staged as a whole at " + strings.Join(g.Staged, ", ")
			}
			known.Shards = append(known.Shards, knownShardDocument{Range: shardmap.Interval(scheme, g.Start, g.End), Note: note})
		}
		for _, r := range k.Overruled {
			known.Shards = append(known.Shards, knownShardDocument{
				Range: shardmap.Interval(scheme, r.Start, r.End), Cluster: r.Cluster, Epoch: r.Epoch,
				Note: fmt.Sprintf("OVERRULED: %s has it in epoch %d", r.By, r.Higher),
			})
		}
		d.Keyspaces = append(d.Keyspaces, known)
	}
	return d
}

func shardNote(s rebuild.Shard) string {
	var notes []string
	if s.Pinned {
		notes = append(notes, "pinned")
	}
	if s.Lost {
		notes = append(notes, "WHAT IT HELD IS LOST")
	}
	if s.Staged {
		notes = append(notes, "taken from what was staged")
	}
	return strings.Join(notes, ", ")
}

// table shows the clusters, then each keyspace by its shards.
func (d *recoveredMapDocument) table(out io.Writer) error {
	clusters := render.Grid{Header: []string{"CLUSTER", "MAP REVISION", "LOG INDEX", "REPLICAS", "FROM"}, Right: []int{1, 2, 3}}
	for _, c := range d.Clusters {
		clusters.Row(c.Name, strconv.FormatUint(c.Noted, 10), strconv.FormatUint(c.Applied, 10), strconv.Itoa(c.Replicas), c.Dir)
	}
	if err := clusters.Write(out); err != nil {
		return err
	}
	for _, k := range d.Keyspaces {
		views := ""
		if len(k.Views) > 0 {
			views = ", views " + strings.Join(k.Views, ", ")
		}
		if _, err := fmt.Fprintf(out, "\nkeyspace %s%s\n", k.Name, views); err != nil {
			return err
		}
		grid := render.Grid{Header: []string{"SHARD", "CLUSTER", "EPOCH", "RANGE", "NOTE"}, Right: []int{0, 2}, Indent: "  "}
		for _, s := range k.Shards {
			row := []string{"-", "-", "-", s.Range, s.Note}
			if s.ID > 0 {
				row[0] = strconv.FormatUint(s.ID, 10)
			}
			if s.Cluster != "" {
				row[1] = s.Cluster
			}
			if s.Epoch > 0 {
				row[2] = strconv.FormatUint(s.Epoch, 10)
			}
			grid.Row(row...)
		}
		if err := grid.Write(out); err != nil {
			return err
		}
	}
	return d.summary(out)
}

// summary says what becomes of moves, and how etcd stands.
func (d *recoveredMapDocument) summary(out io.Writer) error {
	if _, err := fmt.Fprintf(out, "\n%s under way, to be cancelled\n", render.Counted(uint64(d.Cancelled), "move", "moves")); err != nil {
		return err
	}
	if d.Etcd == nil {
		return nil
	}
	_, err := fmt.Fprintf(out, "etcd is at revision %d, and has to be at %d; it has %s of a map\n", d.Etcd.Revision, d.Etcd.Needed, render.Counted(uint64(d.Etcd.Records), "record", "records"))
	return err
}
