package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/cmd/manifest"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

type applyDocument struct {
	Changes  []changeDocument `json:"changes"`
	Plan     string           `json:"plan,omitempty"`
	Revision uint64           `json:"revision,omitempty"`
}

type changeDocument struct {
	Name       string              `json:"name"`
	Action     string              `json:"action"`
	Fields     []fieldDocument     `json:"fields,omitempty"`
	Membership *membershipDocument `json:"membership,omitempty"`
	Warnings   []string            `json:"warnings,omitempty"`
}

// membershipDocument is how many entries a view would gain and lose.
type membershipDocument struct {
	Gained uint64 `json:"gained"`
	Lost   uint64 `json:"lost"`
}

type fieldDocument struct {
	Field  string `json:"field"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

func newApply(o *options) *cobra.Command {
	var file, plan string
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Apply a manifest of keyspaces, clusters and views",
		Long: `Make the keyspaces, clusters and views that a manifest declares true: all of
them in one step, or none. The order in the file does not matter. "-f -" reads
standard input.

A view with a new filter or sort is built first; until every cluster has built
it, the former version answers. 'cairn get views' shows how far it is.

With --plan, exactly what 'cairn diff' showed is carried out, or nothing if
something that it touches has changed since (exit code 3).`,
		Example: `  cairn diff -f fleet.yaml
  cairn apply -f fleet.yaml`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := o.apply(cmd, file, &cairnv1.ApplyRequest{Plan: plan})
			return err
		},
	}
	clientFlags(cmd, o)
	fileFlag(cmd, &file)
	cmd.Flags().StringVar(&plan, "plan", "", "the `PLAN` that 'cairn diff -o json' showed")
	return cmd
}

func fileFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "file", "f", "", "manifest `FILE`, or - for standard input")
	must(cmd.MarkFlagRequired("file"))
	must(cmd.MarkFlagFilename("file", "yaml", "yml"))
}

// apply sends a manifest, prints what changed or would change, and returns
// that.
func (o *options) apply(cmd *cobra.Command, path string, request *cairnv1.ApplyRequest) (applyDocument, error) {
	var document applyDocument
	file, err := readManifest(cmd, path)
	if err != nil {
		return document, inInput{err}
	}
	for _, resource := range file.Resources {
		request.Resources = append(request.Resources, fromManifest(resource))
	}
	var response *cairnv1.ApplyResponse
	err = o.asking(cmd, func(ctx context.Context, c *client.Client) error {
		response, err = c.Admin().Apply(ctx, request)
		return err
	})
	if err != nil {
		return document, inManifest(file, err)
	}
	document = applyDocument{Changes: []changeDocument{}, Plan: response.GetPlan(), Revision: response.GetRevision()}
	for _, change := range response.GetChanges() {
		d := changeDocument{Name: change.GetName(), Action: strings.ToLower(change.GetAction().String()), Warnings: change.GetWarnings()}
		for _, f := range change.GetFields() {
			d.Fields = append(d.Fields, fieldDocument{f.GetField(), f.GetBefore(), f.GetAfter()})
		}
		if m := change.GetMembership(); m != nil {
			d.Membership = &membershipDocument{m.GetGained(), m.GetLost()}
		}
		document.Changes = append(document.Changes, d)
	}
	return document, o.print(cmd, document, func(out io.Writer) error { return changeTable(out, document.Changes, request.GetValidateOnly()) })
}

// readManifest reads a manifest from a file or, for "-", standard input.
func readManifest(cmd *cobra.Command, path string) (*manifest.File, error) {
	name, in := path, cmd.InOrStdin()
	if path == "-" {
		name = "standard input"
	} else {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, manifest.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return manifest.Parse(name, text)
}

// inManifest puts the place in the file in front of what the server said
// about a field.
func inManifest(file *manifest.File, err error) error {
	e, ok := errors.AsType[*cairn.Error](err)
	if !ok {
		return err
	}
	if position, found := file.Position(e.Field); found {
		err = fmt.Errorf("%s: %w", position, err)
	}
	return inInput{err}
}

// changeTable prints one line a resource, and under it what changes: for one
// that apply has created not each field, since the manifest has them.
func changeTable(out io.Writer, changes []changeDocument, planned bool) error {
	words := map[string]string{"create": "created", "update": "updated", "unchanged": "unchanged"}
	if planned {
		words = map[string]string{"create": "create", "update": "update", "unchanged": "same"}
	}
	var text strings.Builder
	for _, change := range changes {
		fmt.Fprintf(&text, "%-9s  %s\n", words[change.Action], change.Name)
		fields := render.Grid{Indent: "    "}
		for _, f := range change.Fields {
			switch {
			case change.Action == "create" && !planned:
			case f.Before == "":
				fields.Row("+ "+f.Field, oneLine(f.After))
			case f.After == "":
				fields.Row("- "+f.Field, oneLine(f.Before))
			default:
				fields.Row("~ "+f.Field, oneLine(f.Before)+" -> "+oneLine(f.After))
			}
		}
		if err := fields.Write(&text); err != nil {
			return err
		}
		if m := change.Membership; m != nil {
			fmt.Fprintf(&text, "    = would gain %s and lose %s entries\n", render.Count(m.Gained), render.Count(m.Lost))
		}
		for _, warning := range change.Warnings {
			fmt.Fprintf(&text, "    ! %s\n", warning)
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// oneLine is text that fits a table: a filter of several lines is quoted.
func oneLine(text string) string {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return strconv.Quote(text)
	}
	return text
}
