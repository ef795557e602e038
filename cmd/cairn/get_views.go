package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
	"cairn/shardmap/catalog"
)

type viewDocument struct {
	Name     string   `json:"name"`
	Keyspace string   `json:"keyspace"`
	Filter   string   `json:"filter,omitempty"`
	Sort     []string `json:"sort,omitempty"`
	Fields   []string `json:"fields,omitempty"`
	// State is building, serving or replacing.
	State string `json:"state"`
	// ServingVersion and BuildingVersion are absent where there is none.
	ServingVersion  uint64 `json:"serving_version,omitempty"`
	BuildingVersion uint64 `json:"building_version,omitempty"`
	// Built is how many of Total entries the version that is being built has.
	Built    uint64 `json:"built"`
	Total    uint64 `json:"total"`
	Members  uint64 `json:"members"`
	Bytes    uint64 `json:"bytes"`
	Problem  string `json:"problem,omitempty"`
	UID      string `json:"uid"`
	Revision uint64 `json:"revision"`
}

func newViewDocument(v *cairnv1.View) viewDocument {
	return viewDocument{
		Name: short(v.GetName()), Keyspace: short(v.GetKeyspace()), Filter: v.GetFilter(), Sort: v.GetSort(), Fields: v.GetFields(),
		State: strings.ToLower(v.GetState().String()), ServingVersion: v.GetServingVersion(), BuildingVersion: v.GetBuildingVersion(),
		Built: v.GetBuilt(), Total: v.GetTotal(), Members: v.GetMembers(), Bytes: v.GetBytes(), Problem: v.GetProblem(),
		UID: v.GetUid(), Revision: v.GetRevision(),
	}
}

// getViews prints the view of a name, or all for none.
func (o *options) getViews(ctx context.Context, cmd *cobra.Command, c *client.Client, name string) error {
	var all []*cairnv1.View
	if name != "" {
		one, err := c.Admin().GetView(ctx, &cairnv1.GetViewRequest{Name: viewName(name)})
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	for token := ""; name == ""; {
		page, err := c.Admin().ListViews(ctx, &cairnv1.ListViewsRequest{PageToken: token})
		if err != nil {
			return err
		}
		all = append(all, page.GetViews()...)
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	documents := make([]viewDocument, len(all))
	resources := make([]catalog.Resource, len(all))
	grid := render.Grid{Header: []string{"NAME", "KEYSPACE", "STATE", "VERSION", "MEMBERS", "BYTES", "PROBLEM"}, Right: []int{4, 5}}
	for i, v := range all {
		d := newViewDocument(v)
		documents[i], resources[i] = d, viewSpec(v)
		members, bytes := sizeTexts(d)
		grid.Row(d.Name, d.Keyspace, stateText(d), versionText(d), members, bytes, oneLine(d.Problem))
	}
	if name != "" {
		return o.printResources(cmd, resources, documents[0], grid.Write)
	}
	return o.printResources(cmd, resources, struct {
		Views []viewDocument `json:"views"`
	}{documents}, grid.Write)
}

// sizeTexts are how many members the serving version has and how many bytes it
// takes, as far as that is known.
func sizeTexts(d viewDocument) (members, bytes string) {
	switch {
	case d.ServingVersion == 0:
		return "-", "-"
	case d.Problem != "" && d.Total == 0:
		return "?", "?" // nobody could be asked
	}
	return render.Count(d.Members), render.Count(d.Bytes)
}

// stateText is the state with, while a version is built, how far it is. It is
// not 100 % before it serves.
func stateText(d viewDocument) string {
	if d.BuildingVersion == 0 || d.Total == 0 {
		return d.State
	}
	percent := min(99, int(100*float64(d.Built)/float64(d.Total)))
	return d.State + " " + strconv.Itoa(percent) + "%"
}

// versionText is the version that serves and the one that is to take its
// place, as in "2 -> 3".
func versionText(d viewDocument) string {
	building := strconv.FormatUint(d.BuildingVersion, 10)
	serving := strconv.FormatUint(d.ServingVersion, 10)
	switch {
	case d.BuildingVersion == 0:
		return serving
	case d.ServingVersion == 0:
		return building
	}
	return serving + " -> " + building
}
