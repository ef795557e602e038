package main

import (
	"strings"
	"testing"
)

// TestChangeTable has what a plan says of a view, which the scripts see only
// once it is built.
func TestChangeTable(t *testing.T) {
	var out strings.Builder
	err := changeTable(&out, []changeDocument{{
		Name: "views/long-lighted", Action: "update",
		Fields:     []fieldDocument{{"filter", "lighted", "lighted\n  && length_ft > 1"}},
		Membership: &membershipDocument{Gained: 1_120, Lost: 3},
		Warnings:   []string{"mind"},
	}}, true)
	const want = `update     views/long-lighted
    ~ filter  lighted -> "lighted\n  && length_ft > 1"
    = would gain 1,120 and lose 3 entries
    ! mind
`
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestViewStates(t *testing.T) {
	for _, test := range []struct {
		d                       viewDocument
		state, version, members string
	}{
		{viewDocument{State: "building", BuildingVersion: 1}, "building", "1", "-"},
		{viewDocument{State: "building", BuildingVersion: 1, Built: 42, Total: 100}, "building 42%", "1", "-"},
		{viewDocument{State: "replacing", ServingVersion: 2, BuildingVersion: 4, Built: 100, Total: 100, Members: 7}, "replacing 99%", "2 -> 4", "7"},
		{viewDocument{State: "serving", ServingVersion: 4, Built: 1, Total: 3}, "serving", "4", "0"},
		{viewDocument{State: "serving", ServingVersion: 4, Problem: "nobody answers"}, "serving", "4", "?"},
	} {
		members, _ := sizeTexts(test.d)
		if s, v := stateText(test.d), versionText(test.d); s != test.state || v != test.version || members != test.members {
			t.Errorf("%+v: %s, %s, %s", test.d, s, v, members)
		}
	}
}
