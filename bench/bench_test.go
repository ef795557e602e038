package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/bench/report"
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
		{"cached", "ratio CachedLocate / one-hop unary echo: "},
		{"stream", "ratio StreamLocate / two-hop stream echo: "},
		{"import", "BenchmarkImport-"},
		{"bulk -bulk 20000", "ratio Locate/writes="},
		{"replicas", "Replicas/killed: none of "},
		{"views", "ratio Views/GroupWhere / bare servers, two asked at once: "},
		{"overload -flood 300ms", "Overload/healthy again after"},
		{"map -followers 5 -changes 10", "since etcd had answered: p50"},
		{"growth -most-entries 1 -most-shards 100", "ratio Growth/shards=100/router=process / 10 shards: "},
		{"balance -clusters 20 -rounds 12", "# growth: "},
	} {
		t.Run(c.workload, func(t *testing.T) {
			if testing.Short() && c.workload != "floors" {
				t.Skip("it starts a whole stack; leave out -short")
			}
			record := filepath.Join(t.TempDir(), "made", "on", "demand", "record.txt")
			args := strings.Fields(c.workload + " -entries 5000 -pairs 1 -warmup 20ms -length 100ms -out " + record)
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

// TestConstants runs for as long as a workload that starts a stack and asks it in
// six ways: it is run by make bench-test.
func TestConstants(t *testing.T) {
	if os.Getenv("CAIRN_BENCH_TEST") == "" {
		t.Skip("set CAIRN_BENCH_TEST, or make bench-test")
	}
	record := filepath.Join(t.TempDir(), "record.txt")
	if err := run(t.Context(), strings.Fields("constants -entries 5000 -warmup 20ms -length 100ms -out "+record)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"constant an entry of 5000: resident: ", "constant a durable put in batches of 128: written by the index: ",
		"constant a locate in batches of 1, router in its own: the router's process: ",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("the record lacks %q:\n%s", want, got)
		}
	}
}

// TestReportsAreComparedWithEachOther makes the report of one workload and
// compares it with itself, and with one that was far faster.
func TestReportsAreComparedWithEachOther(t *testing.T) {
	folder := t.TempDir()
	if err := run(t.Context(), strings.Fields("locate-inprocess -entries 2000 -pairs 2 -warmup 5ms -length 30ms -profile -report "+folder)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, report.JSONFile)
	for _, kind := range []string{"cpu", "allocs", "block", "mutex"} {
		profile := filepath.Join(folder, report.ProfilesFolder, "locate-inprocess", "main."+kind+".pprof")
		if info, err := os.Stat(profile); err != nil || info.Size() == 0 {
			t.Errorf("a profile of %s: %v", kind, err)
		}
	}
	if page, err := os.ReadFile(filepath.Join(folder, report.PageFile)); err != nil || !strings.Contains(string(page), "| bbolt-get |") {
		t.Errorf("%v\n%s", err, page)
	}
	var out strings.Builder
	if err := compare(&out, []string{"-ratios", path, path}); err != nil || !strings.Contains(out.String(), "LocateInProcess") {
		t.Errorf("%v\n%s", err, &out)
	}
	faster, err := report.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range faster.Findings {
		for i := range finding.Ours {
			finding.Ours[i].Rate *= 100
		}
	}
	before := filepath.Join(folder, "before.json")
	if err := faster.Save(before); err != nil {
		t.Fatal(err)
	}
	if err := compare(&out, []string{before, path}); err == nil {
		t.Error("a hundredth of the rate is no regression")
	}
	for _, wrong := range [][]string{nil, {path}, {path, "no-such-file"}, {"-no-such-flag", path, path}} {
		if err := compare(&out, wrong); err == nil {
			t.Errorf("bench compare %s: no error", wrong)
		}
	}
}

func TestFunctionsOfProfile(t *testing.T) {
	const top = `File: bench
Type: cpu
Duration: 200ms, Total samples = 50ms (25%)
Showing nodes accounting for 50ms, 100% of 50ms total
      flat  flat%   sum%        cum   cum%
      30ms 60.00% 60.00%       40ms 80.00%  cairn/shardmap.(*Map).Lookup (inline)
      20ms 40.00%   100%       20ms 40.00%  runtime.mapaccess2[go.shape.string int]
`
	want := []report.FunctionCost{
		{Name: "cairn/shardmap.(*Map).Lookup", Share: 0.6, Took: 30 * time.Millisecond},
		{Name: "runtime.mapaccess2[go.shape.string int]", Share: 0.4, Took: 20 * time.Millisecond},
	}
	if got := functionsOf(top); !slices.Equal(got, want) {
		t.Errorf("functions %v; want %v", got, want)
	}
	if got := functionsOf("Type: cpu\nDuration: 1ms, Total samples = 0\n"); got != nil {
		t.Errorf("functions %v of an empty profile", got)
	}
}

// TestCapacityPageSaysWhatTheModelComputes compares docs/capacity.md with the
// command that it names.
func TestCapacityPageSaysWhatTheModelComputes(t *testing.T) {
	page, err := os.ReadFile("../docs/capacity.md")
	if err != nil {
		t.Fatal(err)
	}
	_, command, found := strings.Cut(string(page), "go run ./bench capacity ")
	command, _, _ = strings.Cut(command, "\n")
	var out strings.Builder
	if err := needs(&out, strings.Fields(command)); err != nil || !found {
		t.Fatalf("bench capacity %s: %v", command, err)
	}
	if !strings.Contains(string(page), out.String()) {
		t.Errorf("docs/capacity.md does not have what bench capacity %s says:\n%s", command, &out)
	}
	for _, wrong := range []string{"-keys 0", "-views -1", "-share NaN", "more", "-no-such-flag"} {
		if err := needs(&out, strings.Fields(wrong)); err == nil {
			t.Errorf("bench capacity %s: no error", wrong)
		}
	}
}

func TestWrongUseIsRefused(t *testing.T) {
	for _, args := range []string{"", "nothing", "floors -pairs 0", "floors unary", "floors -no-such-flag", "floors -quick -full", spawn.Verb + " nothing"} {
		if err := run(t.Context(), strings.Fields(args)); err == nil {
			t.Errorf("bench %s: no error", args)
		}
	}
}
