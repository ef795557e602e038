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

// TestLogarithmicAxes draws what grows tenfold each time: a straight line.
func TestLogarithmicAxes(t *testing.T) {
	figure := plot.Figure{Title: "growth", Columns: 1, Charts: []plot.Chart{{
		LogX: true, LogY: true,
		Lines: []plot.Line{{Name: "ours", X: []float64{1, 10, 100, 1_000, 100_000}, Values: []float64{0.1, 1, 10, 100, 10_000}}},
	}, {
		Lines: []plot.Line{{Name: "few", X: []float64{500, 20_000}, Values: []float64{1, 2}}},
	}, {LogX: true, LogY: true}}}
	var out strings.Builder
	if err := figure.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		// From one corner to the other.
		`<path d="M56 152L134 127.6L212 103.2L290 78.8L446 30"`,
		`<circle cx="446" cy="30" r="2.4" fill="#0072b2"/>`,
		">0.1</text>", ">10k</text>", ">100k</text>", ">20k</text>",
		`<circle cx="65.8" `, // 500 of 20,000
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the drawing lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf") {
		t.Error(out.String())
	}
}

func TestDots(t *testing.T) {
	dots := plot.Dots{Title: "ratios", Less: "slower", More: "faster", Groups: []plot.DotGroup{{Name: "a & b", Rows: []plot.Dot{
		{Name: "one", Value: 1, Low: 0.1, High: 10, Wanted: 10},
		{Name: "more", Value: 50, Low: 10, High: 100},
	}}}}
	var out strings.Builder
	if err := dots.Write(&out); err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal([]byte(out.String()), new(struct{})); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"a &amp; b", ">one</text>", ">50.0</text>",
		// From 0.1 to 100 over 400 pixels: 1 is a third of the way, missed, and 10
		// two thirds.
		`<circle cx="653.3" cy="83" r="4" fill="#d55e00"/>`,
		`<path d="M520 83H786.7" stroke="#d55e00"`, `<path d="M786.7 78v10" `,
		`cy="100" r="4" fill="#0072b2"/>`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the drawing lacks %q:\n%s", want, out.String())
		}
	}
}
