package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cairn/bench/spawn"
)

// TestMain lets this test's executable play the parts that a workload spawns.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == spawn.Verb {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestWorkloads runs every workload for a moment: that it runs to its end and
// that its record has what was asked for. The figures mean nothing.
func TestWorkloads(t *testing.T) {
	t.Chdir("..") // where `go run ./bench` runs
	for _, c := range []struct{ workload, wants string }{
		{"floors", "BenchmarkFloor/bbolt-get-"},
		{"locate-inprocess", "ratio LocateInProcess / bbolt-get: "},
		{"unary", "ratio Locate / two-hop unary echo: "},
		{"stream", "ratio StreamLocate / two-hop stream echo: "},
		{"import", "BenchmarkImport-"},
		{"bulk -bulk 20000", "ratio Locate/writes="},
		{"replicas", "Replicas/killed: none of "},
		{"views", "BenchmarkViews/GroupWhere-"},
		{"map -followers 5 -changes 10", "since etcd had answered: p50"},
		{"balance -clusters 20 -rounds 12", "# growth: "},
	} {
		t.Run(c.workload, func(t *testing.T) {
			if testing.Short() && c.workload != "floors" {
				t.Skip("it starts a whole stack; leave out -short")
			}
			record := filepath.Join(t.TempDir(), "made", "on", "demand", "record.txt")
			args := strings.Fields(c.workload + " -entries 5000 -pairs 1 -warmup 20ms -length 100ms -settle 0s -out " + record)
			if err := run(t.Context(), args); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(record)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"command: go run ./bench " + c.workload, c.wants} {
				if !strings.Contains(string(got), want) {
					t.Errorf("the record lacks %q:\n%s", want, got)
				}
			}
		})
	}
}

func TestWrongUseIsRefused(t *testing.T) {
	for _, args := range []string{"", "nothing", "floors -pairs 0", "floors unary", "floors -no-such-flag", spawn.Verb + " nothing"} {
		if err := run(t.Context(), strings.Fields(args)); err == nil {
			t.Errorf("bench %s: no error", args)
		}
	}
}
