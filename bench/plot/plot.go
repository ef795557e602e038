package plot

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
)

// Figure is charts in a grid, row by row.
type Figure struct {
	Title   string
	Columns int
	Charts  []Chart
}

// Chart is lines over the numbers 0, 1, 2...
type Chart struct {
	Title string
	// X and Y name the axes, with their units.
	X, Y string
	// From is where the Y axis begins at the latest.
	From  float64
	Lines []Line
}

// Line is one line. Lines of one name have one colour in the whole figure.
type Line struct {
	Name string
	// Values are finite numbers.
	Values []float64
	// Dashed lines are grey: what others are compared with.
	Dashed bool
}

// The measures of a figure in pixels.
const (
	chartWidth, chartHeight = 460, 190
	left, right             = 56, 14
	top, bottom             = 30, 38
	header                  = 58
)

// colours can be told apart by everybody (Okabe and Ito, 2008).
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

const grey = "#777777"

// Write writes the figure as an SVG document.
func (f Figure) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	rows := (len(f.Charts) + f.Columns - 1) / f.Columns
	width, height := f.Columns*chartWidth, header+rows*chartHeight
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="11">`+"\n", width, height)
	fmt.Fprintf(out, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	fmt.Fprintf(out, `<text x="12" y="22" font-size="15" font-weight="bold">%s</text>`+"\n", html.EscapeString(f.Title))
	colour := f.legend(out)
	for i, c := range f.Charts {
		fmt.Fprintf(out, `<g transform="translate(%d %d)">`+"\n", i%f.Columns*chartWidth, header+i/f.Columns*chartHeight)
		c.write(out, colour)
		fmt.Fprintln(out, "</g>")
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush() // which has the first error of all writes
}

// legend writes a sample of each line's name and returns the colours.
func (f Figure) legend(out io.Writer) map[string]string {
	colour := map[string]string{}
	x, solid := 12, 0
	for _, c := range f.Charts {
		for _, line := range c.Lines {
			if _, known := colour[line.Name]; known {
				continue
			}
			if line.Dashed {
				colour[line.Name] = grey
			} else {
				colour[line.Name] = colours[solid%len(colours)]
				solid++
			}
			fmt.Fprintf(out, `<path d="M%d 40h22" %s/><text x="%d" y="44">%s</text>`+"\n", x, stroke(line, colour), x+28, html.EscapeString(line.Name))
			x += 48 + 7*len(line.Name)
		}
	}
	return colour
}

func stroke(line Line, colour map[string]string) string {
	dashes := ""
	if line.Dashed {
		dashes = ` stroke-dasharray="4 3"`
	}
	return fmt.Sprintf(`fill="none" stroke="%s" stroke-width="1.6" stroke-linejoin="round"%s`, colour[line.Name], dashes)
}

// write draws a chart with its upper left corner at 0 0.
func (c Chart) write(out io.Writer, colour map[string]string) {
	last, low, high := 1, c.From, c.From
	for _, line := range c.Lines {
		last = max(last, len(line.Values)-1)
		for _, v := range line.Values {
			low, high = min(low, v), max(high, v)
		}
	}
	ticks := scale(low, high)
	low, high = ticks[0], ticks[len(ticks)-1]
	x := func(i float64) string {
		return pixel(left + i/float64(last)*(chartWidth-left-right))
	}
	y := func(v float64) string {
		return pixel(chartHeight - bottom - (v-low)/(high-low)*(chartHeight-top-bottom))
	}
	fmt.Fprintf(out, `<text x="%d" y="18" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(c.Title))
	for _, tick := range ticks {
		fmt.Fprintf(out, `<path d="M%d %sH%d" stroke="#dddddd"/><text x="%d" y="%s" dy="4" text-anchor="end">%s</text>`+"\n",
			left, y(tick), chartWidth-right, left-6, y(tick), strconv.FormatFloat(tick, 'g', 6, 64))
	}
	for _, tick := range scale(0, float64(last)) {
		if tick <= float64(last) && tick == math.Round(tick) {
			fmt.Fprintf(out, `<text x="%s" y="%d" text-anchor="middle">%s</text>`+"\n", x(tick), chartHeight-bottom+15, strconv.FormatFloat(tick, 'g', 6, 64))
		}
	}
	fmt.Fprintf(out, `<text x="%d" y="%d" text-anchor="end" fill="%s">%s</text>`+"\n", chartWidth-right, chartHeight-8, grey, html.EscapeString(c.X))
	fmt.Fprintf(out, `<text transform="translate(12 %d) rotate(-90)" text-anchor="middle" fill="%s">%s</text>`+"\n",
		(chartHeight-bottom+top)/2, grey, html.EscapeString(c.Y))
	for _, line := range c.Lines {
		var path strings.Builder
		for i, v := range line.Values {
			path.WriteString("L" + x(float64(i)) + " " + y(v))
		}
		fmt.Fprintf(out, `<path d="M%s" %s/>`+"\n", strings.TrimPrefix(path.String(), "L"), stroke(line, colour))
	}
}

// scale is round numbers, three to seven, that begin at or below low and end at
// or above high.
func scale(low, high float64) []float64 {
	if high <= low {
		high = low + 1
	}
	fifth := (high - low) / 5
	step := math.Pow(10, math.Floor(math.Log10(fifth)))
	for _, times := range []float64{1, 2, 5, 10} {
		if fifth <= times*step {
			step *= times
			break
		}
	}
	var numbers []float64
	for i := math.Floor(low/step + 1e-9); ; i++ {
		numbers = append(numbers, i*step)
		if i*step >= high-1e-9*step {
			return numbers
		}
	}
}

func pixel(x float64) string { return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64) }
