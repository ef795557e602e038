package main

import (
	csvfile "encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/rogpeppe/go-internal/testscript"
)

// pages reads a view to its end, N rows a page: "pages N VIEW ARGS..." prints
// the keys in the order in which they came, one a line, and each must come
// once.
func pages(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: pages N VIEW ARGS...")
	}
	seen := map[string]bool{}
	var keys strings.Builder
	for cursor := ""; ; {
		command := append([]string{"query", "-o", "json", "--limit", args[0]}, args[1:]...)
		if cursor != "" {
			command = append(command, "--cursor", cursor)
		}
		ts.Check(ts.Exec("cairn", command...))
		var page struct {
			Rows       []keyField `json:"rows"`
			NextCursor string     `json:"next_cursor"`
		}
		ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &page))
		for _, row := range page.Rows {
			if seen[row.Key] {
				ts.Fatalf("%s is on two pages", row.Key)
			}
			seen[row.Key] = true
			fmt.Fprintln(&keys, row.Key)
		}
		if cursor = page.NextCursor; cursor == "" {
			fmt.Fprint(ts.Stdout(), keys.String())
			return
		}
	}
}

// longLighted reads the runways' file by itself: "longlighted FILE CSV" writes
// the ids of those that are lighted, open and 8,000 feet or more, the longest
// first.
func longLighted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: longlighted FILE CSV")
	}
	file, err := os.Open(ts.MkAbs(args[1]))
	ts.Check(err)
	defer file.Close()
	rows, err := csvfile.NewReader(file).ReadAll()
	ts.Check(err)
	column := func(name string) int { return slices.Index(rows[0], name) }
	id, length, lighted, closed := column("id"), column("length_ft"), column("lighted"), column("closed")
	feet := func(row []string) int {
		n, _ := strconv.Atoi(row[length]) // none is as good as 0 here
		return n
	}
	members := slices.DeleteFunc(rows[1:], func(row []string) bool {
		return row[lighted] != "1" || row[closed] != "0" || feet(row) < 8000
	})
	slices.SortFunc(members, func(a, b []string) int {
		if c := feet(b) - feet(a); c != 0 {
			return c
		}
		return strings.Compare(a[id], b[id])
	})
	var ids strings.Builder
	for _, row := range members {
		fmt.Fprintln(&ids, row[id])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ids.String()), 0o600))
}

// exported reads what 'cairn view export' wrote: "exported BITMAP KEYS" prints
// the keys, whose ordinals must be those of the bitmap.
func exported(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: exported BITMAP KEYS")
	}
	bitmap := roaring.New()
	ts.Check(bitmap.UnmarshalBinary([]byte(ts.ReadFile(args[0]))))
	var ordinals []uint32
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		var record ordinalRecord
		ts.Check(json.Unmarshal([]byte(line), &record))
		ordinals = append(ordinals, record.Ordinal)
		fmt.Fprintln(ts.Stdout(), record.Key)
	}
	if !slices.Equal(ordinals, bitmap.ToArray()) {
		ts.Fatalf("%d ordinals in %s, %d in %s, and they are not the same", len(ordinals), args[1], bitmap.GetCardinality(), args[0])
	}
}
