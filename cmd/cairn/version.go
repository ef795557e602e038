package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

type versionDocument struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// builtFrom is what this binary was built from, as far as the build knew.
func builtFrom() versionDocument {
	d := versionDocument{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return d
	}
	d.Version = cmp.Or(build.Main.Version, d.Version)
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			d.Commit = s.Value
		case "vcs.modified":
			d.Modified = s.Value == "true"
		}
	}
	return d
}

func (d versionDocument) String() string {
	text := fmt.Sprintf("cairn %s %s %s", d.Version, d.Go, d.Platform)
	if d.Commit != "" {
		text += " commit " + d.Commit
	}
	if d.Modified {
		text += " with changes"
	}
	return text
}

func newVersion(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and what it was built from",
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := builtFrom()
			return o.print(cmd, d, func(out io.Writer) error {
				_, err := fmt.Fprintln(out, d)
				return err
			})
		},
	}
}
