package cairn_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxLines is how long a file may be that a person wrote. One that needs more
// has more than one duty.
const maxLines = 500

// meaningless are package names that say nothing of what is inside.
var meaningless = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "lib"}

// TestConventions holds what a program can check of how the code is laid out.
func TestConventions(t *testing.T) {
	folders := map[string]bool{} // with Go files that are not tests
	for _, path := range goFiles(t) {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if isTest := strings.HasSuffix(path, "_test.go"); !isTest {
			folders[filepath.Dir(path)] = true
		}
		if generated(source) {
			continue
		}
		if lines := bytes.Count(source, []byte("\n")); lines > maxLines {
			t.Errorf("%s has %d lines; a file has at most %d", path, lines, maxLines)
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.PackageClauseOnly)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if name := strings.TrimSuffix(file.Name.Name, "_test"); slices.Contains(meaningless, name) {
			t.Errorf("%s: a package named %s says nothing of its duty", path, name)
		}
	}
	for folder := range folders {
		path := filepath.Join(folder, "doc.go")
		if generatedOnly(t, folder) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		switch {
		case err != nil:
			t.Errorf("%s: each package has a doc.go: %v", folder, err)
		case file.Doc == nil:
			t.Errorf("%s has no package comment", path)
		}
	}
}

// goFiles are all Go files of the module, by path from its root.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || entry.Name() == "testdata"):
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(path, ".go"):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func generated(source []byte) bool {
	return bytes.HasPrefix(source, []byte("// Code generated "))
}

// generatedOnly reports whether nobody wrote a line of a package: its
// documentation stands in the .proto file.
func generatedOnly(t *testing.T, folder string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	return !slices.ContainsFunc(files, func(path string) bool { return !strings.HasSuffix(path, ".pb.go") })
}
