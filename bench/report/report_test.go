package report_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/bench/load"
	"cairn/bench/report"
)

// rates gives one result after the other, of so many items a second.
func rates(order *[]string, name string, rates ...int) report.Measure {
	return func(context.Context) (load.Result, error) {
		*order = append(*order, name)
		result := load.Result{Items: rates[0], Calls: 1, Elapsed: time.Second}
		rates = rates[1:]
		return result, nil
	}
}

func TestCompareInterleavesAndTakesTheMedian(t *testing.T) {
	var order []string
	comparison, err := report.Compare(t.Context(), "Locate", "echo", 3,
		rates(&order, "floor", 1000, 100, 1000), rates(&order, "ours", 500, 90, 200))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, " "); got != "floor ours floor ours floor ours" {
		t.Errorf("it ran %s", got)
	}
	if median := report.Median(comparison.Ratios()); median != 0.5 {
		t.Errorf("the median ratio is %v; want 0.5", median)
	}
	var out strings.Builder
	comparison.Write(report.Begin(t.Context(), &out, "bench"), report.Goal{Ratio: 0.8, PerItem: time.Minute, Rate: 1})
	for _, want := range []string{
		"ratio Locate / echo: 0.50 (median of 3 interleaved pairs, 0.20 to 0.90); wanted 0.80 or more: MISSED\n",
		"wanted 1m0s an item or less: reached; wanted 1/s or more: reached\n",
		"BenchmarkLocate/side=floor-", "BenchmarkLocate/side=ours-", "\t500\t2000000.0 ns/op\t500 items/s\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &out)
		}
	}
}

func TestCompareEndsWithAFailure(t *testing.T) {
	failure := errors.New("no")
	var order []string
	_, err := report.Compare(t.Context(), "Locate", "echo", 3, rates(&order, "floor", 1, 1, 1),
		func(context.Context) (load.Result, error) { return load.Result{}, failure })
	if !errors.Is(err, failure) || len(order) != 1 {
		t.Errorf("%v after %v; want the failure after one run", err, order)
	}
}

func TestTypicalIsTheMiddleRun(t *testing.T) {
	var order []string
	comparison, err := report.Compare(t.Context(), "Locate", "echo", 3, rates(&order, "floor", 1, 1, 1), rates(&order, "ours", 30, 10, 20))
	if err != nil {
		t.Fatal(err)
	}
	if typical := comparison.Typical(); typical.Items != 20 || comparison.Pairs[0].Ours.Items != 30 {
		t.Errorf("%d items of %+v; want 20, and the pairs as they were", typical.Items, comparison.Pairs)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		figures []float64
		want    float64
	}{{nil, 0}, {[]float64{2}, 2}, {[]float64{1, 3}, 2}, {[]float64{1, 2, 9}, 2}} {
		if got := report.Median(c.figures); got != c.want {
			t.Errorf("the median of %v is %v; want %v", c.figures, got, c.want)
		}
	}
}

func TestRecordSaysWhere(t *testing.T) {
	var out strings.Builder
	report.Begin(t.Context(), &out, "bench all")
	for _, want := range []string{"command: bench all\n", "go: go1", "kernel: ", "cpu: ", "date: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the record lacks %q:\n%s", want, &out)
		}
	}
}

func TestRecordIsReadAsItWasSaved(t *testing.T) {
	var order []string
	record := report.Begin(t.Context(), io.Discard, "bench all")
	comparison, err := report.Compare(t.Context(), "Locate", "echo", 2, rates(&order, "floor", 100, 100), rates(&order, "ours", 50, 70))
	if err != nil {
		t.Fatal(err)
	}
	comparison.Write(record, report.Goal{Ratio: 0.8})
	record.AddPeer(report.Peer{Name: "Redis", Version: "7", Settings: "its defaults"})
	path := filepath.Join(t.TempDir(), "record.json")
	if err := record.Save(path); err != nil {
		t.Fatal(err)
	}
	saved, err := report.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	joined := report.Begin(t.Context(), io.Discard, "bench all")
	joined.Join(saved)
	for _, got := range []*report.Record{saved, joined} {
		if !reflect.DeepEqual(got.Findings, record.Findings) || !reflect.DeepEqual(got.Peers, record.Peers) {
			t.Errorf("%+v\nwant %+v", got, record)
		}
	}
	if !saved.Environment.Date.Equal(record.Environment.Date) || saved.Environment.Command != "bench all" {
		t.Errorf("%+v; want %+v", saved.Environment, record.Environment)
	}
	if ratios := saved.Findings[0].Ratios(); !slices.Equal(ratios, []float64{0.5, 0.7}) {
		t.Errorf("ratios %v; want 0.5 and 0.7", ratios)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := report.Load(path); err == nil {
		t.Error("a file without findings is a record")
	}
}

func TestProcessorsIsTheTimeOfAnItem(t *testing.T) {
	var order []string
	used := []time.Duration{time.Second, 3 * time.Second}
	measure := report.Processors(rates(&order, "ours", 1000), func() time.Duration {
		u := used[0]
		used = used[1:]
		return u
	}, time.Second, time.Second)
	result, err := measure(t.Context())
	// 1000 items were counted, and as many in the warm-up.
	if err != nil || result.Processor != time.Millisecond {
		t.Errorf("%v, %v; want 1ms", result.Processor, err)
	}
}

func TestPointsMakeCurves(t *testing.T) {
	var out strings.Builder
	record := report.Begin(t.Context(), &out, "bench")
	for _, at := range []float64{1, 2} {
		record.AddPoint(report.Callers, "a side, of two", at, load.Result{Items: 10, Calls: 10, Elapsed: time.Second}, 3<<20, 0)
		record.AddPoint(report.Callers, "another", at, load.Result{Items: 10, Calls: 10, Elapsed: time.Second}, 0, 0)
	}
	if len(record.Curves) != 2 || len(record.Curves[0].Points) != 2 || record.Curves[0].Points[1].At != 2 {
		t.Errorf("%+v; want two curves of two points", record.Curves)
	}
	for _, want := range []string{"BenchmarkCurve/side=a-side--of-two/callers=2-", "memory 3072 KiB, disk 0 KiB\n", "\t10 items/s\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the record lacks %q:\n%s", want, &out)
		}
	}
}
