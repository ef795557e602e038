package report_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/bench/load"
	"cairn/bench/report"
)

// found is a record with three comparisons of five pairs, at a factor of the
// rates that they have at first, and a curve.
func found(t *testing.T, factor float64) *report.Record {
	t.Helper()
	record := report.Begin(t.Context(), io.Discard, "bench all")
	for _, c := range []struct {
		name, about, floor string
		ours               int
		goal               report.Goal
	}{
		{"Locate/batch=128/router=inprocess/beside=redis", "16 callers, beside MGET of 128", "Redis", 1_200, report.Goal{Ratio: 1}},
		{"Locate/batch=1/router=process/beside=etcd", "64 callers", "etcd", 300, report.Goal{Ratio: 3}},
		{"Views/Count", "the members | of a view", "PostgreSQL", 5_000, report.Goal{}},
	} {
		var order []string
		ours := int(float64(c.ours) * factor)
		comparison, err := report.Compare(t.Context(), c.name, c.floor, 5,
			rates(&order, "floor", 1_000, 1_010, 990, 1_000, 1_000), rates(&order, "ours", ours, ours*101/100, ours*99/100, ours, ours))
		if err != nil {
			t.Fatal(err)
		}
		comparison.About = c.about
		comparison.Write(record, c.goal)
	}
	report.Single(record, "Bulk/burst", []load.Result{{Items: 170_000, Calls: 1, Elapsed: time.Second}}, report.Goal{Rate: 200_000})
	record.AddPeer(report.Peer{Name: "Redis", Version: "7.0.15", Settings: "no persistence"})
	record.AddPeer(report.Peer{Name: "PostgreSQL", Settings: "to install it: apt-get install postgresql-15"})
	record.AddConstant("an entry: resident", "bytes", 537)
	record.AddProfile(report.Profile{Workload: "views", Process: "index-north", Items: 1000, Functions: []report.FunctionCost{{Name: "runtime.memmove", Share: 0.25, Took: 2500 * time.Microsecond}, {Name: "roaring.or|and", Share: 0.1, Took: time.Millisecond}}})
	slow := func(items int) load.Result {
		call := func(context.Context) (int, error) {
			time.Sleep(time.Millisecond)
			return items, nil
		}
		result, err := load.Exactly(t.Context(), []load.Call{call}, 3*items)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	for _, callers := range []float64{1, 8, 64} {
		record.AddPoint(report.Callers, "Cairn", callers, slow(int(callers)), 0, 0)
		record.AddPoint(report.Rate, "Cairn", 1_000*callers, slow(1), 0, 0)
		record.AddPoint(report.Entries, "Cairn", 10_000*callers, slow(1), int64(callers)<<20, 2<<20)
	}
	return record
}

func TestReportIsAPageWithDrawings(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "made", "on demand")
	if err := found(t, 1).WriteReport(folder); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, report.PageFile))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, want := range []string{
		"Made by `bench all` on ",
		"Of 3 goals 1 are reached. Missed:\n\n- Locate, batch=1, router=process, beside=etcd: 0.30, wanted 3.00 or more\n- Bulk, burst: 170,000/s, wanted 200,000/s or more\n",
		"| batch=128, router=inprocess: 16 callers, beside MGET of 128 | Redis | **1.20** (1.20 to 1.20) | 1.00 |  |\n",
		`| Count: the members \| of a view | PostgreSQL | **5.00** (`,
		"| burst | Cairn | 170,000/s | 5.88µs |  |  |  |  |\n",
		"![Locates of single keys by more and more callers](callers.svg)",
		"| an entry: resident | 537 bytes |\n",
		"| views | [index-north](profiles/views/index-north.cpu.pprof) | 25.0% runtime.memmove (2.5µs), 10.0% roaring.or\\|and (1µs) |\n",
		"\n## Where the time goes, and what was done about it\n",
		"| Redis | 7.0.15 | no persistence |\n",
		"| PostgreSQL | not there | to install it: apt-get install postgresql-15 |\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if ratios, absolutes := strings.Index(page, "## Ratios"), strings.Index(page, "## Absolute figures"); ratios < 0 || absolutes < ratios {
		t.Error("ratios do not come first")
	}
	for _, drawing := range []string{"ratios.svg", "callers.svg", "rate.svg", "entries.svg"} {
		file, err := os.Open(filepath.Join(folder, drawing))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for decoder := xml.NewDecoder(file); ; {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", drawing, err)
			}
		}
	}
	if _, err := report.Load(filepath.Join(folder, report.JSONFile)); err != nil {
		t.Error(err)
	}
}

func TestChangesAreSeenWhereTheyAreSure(t *testing.T) {
	before := found(t, 1)
	for _, c := range []struct {
		factor              float64
		regressed, improved int
	}{{1, 0, 0}, {0.98, 0, 0}, {0.8, 3, 0}, {1.3, 0, 3}} {
		changes := report.Changes(before, found(t, c.factor), true)
		if len(changes) != 3 {
			t.Fatalf("%d changes; want three ratios", len(changes))
		}
		regressed, improved := 0, 0
		for i := range changes {
			if changes[i].Regressed() {
				regressed++
			}
			if changes[i].Improved() {
				improved++
			}
		}
		if regressed != c.regressed || improved != c.improved {
			t.Errorf("at %v of the rates %d regressed and %d improved; want %d and %d", c.factor, regressed, improved, c.regressed, c.improved)
		}
	}
	var out strings.Builder
	// Rates too, of what has no ratio.
	regressed, err := report.WriteChanges(&out, report.Changes(before, found(t, 0.8), false))
	if err != nil || regressed != 3 || !strings.Contains(out.String(), "Bulk/burst") || !strings.Contains(out.String(), "REGRESSED") {
		t.Errorf("%d regressed, %v:\n%s", regressed, err, out.String())
	}
}
