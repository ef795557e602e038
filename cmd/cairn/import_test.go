package main

import (
	"strings"
	"testing"

	"cairn"
	"cairn/cmd/cairn/records"
)

// TestAdviceOnBadRows blames a row only for what is wrong with it.
func TestAdviceOnBadRows(t *testing.T) {
	for reason, want := range map[*cairn.Error]string{
		cairn.Errorf(cairn.KindExhausted, "DISK_FULL", "the disk is full"):       "make room and import again",
		cairn.Errorf(cairn.KindInvalid, "VALUE_TYPE", "a value of another type"): "mend it and import again, or go on with --skip-bad",
	} {
		err := ended(&records.BadRow{File: "rows.csv", Line: 2, Column: 1, Refused: true, Err: reason}, "rows.csv", 3)
		if got := err.Error(); !strings.Contains(got, want) || !strings.Contains(got, "3 rows") {
			t.Errorf("%v: %q, want %q", reason, got, want)
		}
	}
}
