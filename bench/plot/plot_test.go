package plot_test

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"cairn/bench/plot"
)

// TestWrite draws two charts and reads what is in them.
func TestWrite(t *testing.T) {
	figure := plot.Figure{Title: "a < b", Columns: 2, Charts: []plot.Chart{
		{Title: "first", X: "round", Y: "imbalance", From: 1, Lines: []plot.Line{
			{Name: "ours", Values: []float64{3, 2, 1}}, {Name: "least", Values: []float64{1, 1, 1}, Dashed: true},
		}},
		{Title: "second", X: "round", Y: "moved", Lines: []plot.Line{{Name: "ours", Values: []float64{0, 0, 0}}}},
	}}
	var out strings.Builder
	if err := figure.Write(&out); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(strings.NewReader(out.String()))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for want, times := range map[string]int{
		"a &lt; b": 1,
		// From the upper left to the lower right of the first chart: 3 at
		// the top, 1 at the bottom, the same distance apart.
		`<path d="M56 30L251 91L446 152" fill="none" stroke="#0072b2"`: 1,
		// The legend's sample and the line itself, in both charts of one colour.
		`stroke="#0072b2"`: 3,
		`stroke="#777777"`: 2,
		">ours</text>":     1,
		">2.5</text>":      1, // a number of the first Y axis
	} {
		if got := strings.Count(out.String(), want); got != times {
			t.Errorf("%q stands there %d times; want %d\n%s", want, got, times, out.String())
		}
	}
	if strings.Contains(out.String(), "NaN") || regexp.MustCompile(`[0-9]e[+-]`).MatchString(out.String()) {
		t.Error(out.String())
	}
}
