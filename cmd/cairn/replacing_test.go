package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
)

// A file is as it was until its replacement is whole, and nothing is left of
// one that is given up.
func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.ndjson")
	write := func(text string, keep bool) {
		t.Helper()
		r, err := replaceFile(&cobra.Command{}, path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.abandon()
		if _, err := r.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if keep {
			if err := r.replace(); err != nil {
				t.Fatal(err)
			}
		}
	}
	holds := func(want string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%v, %v; want the one file", entries, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	write("first", true)
	holds("first")
	write("second", false)
	holds("first")
	write("third", true)
	holds("third")
	if _, err := replaceFile(&cobra.Command{}, filepath.Join(dir, "none", "file")); err == nil {
		t.Error("a file in a folder that is not there")
	}
}
