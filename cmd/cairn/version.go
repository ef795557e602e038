package main

import (
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

func newVersion(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what was built, from what",
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := versionDocument{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			if build, ok := debug.ReadBuildInfo(); ok {
				if build.Main.Version != "" {
					d.Version = build.Main.Version
				}
				for _, s := range build.Settings {
					switch s.Key {
					case "vcs.revision":
						d.Commit = s.Value
					case "vcs.modified":
						d.Modified = s.Value == "true"
					}
				}
			}
			return o.print(cmd, d, func(out io.Writer) error {
				text := fmt.Sprintf("cairn %s %s %s", d.Version, d.Go, d.Platform)
				if d.Commit != "" {
					text += " commit " + d.Commit
				}
				if d.Modified {
					text += " with changes"
				}
				_, err := fmt.Fprintln(out, text)
				return err
			})
		},
	}
}
