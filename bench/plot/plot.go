package plot

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"strings"
)

// Figure is charts in a grid, row by row.
type Figure struct {
	Title   string
	Columns int
	Charts  []Chart
}

// Chart is lines over numbers.
type Chart struct {
	Title string
	// X and Y name the axes, with their units.
	X, Y string
	// From is where the Y axis begins at the latest.
	From float64
	// LogX and LogY have an axis in powers of ten; all values are above 0 then,
	// and From does not count.
	LogX, LogY bool
	Lines      []Line
}

// Line is one line. Lines of one name have one colour in the whole figure.
type Line struct {
	Name string
	// Values are finite numbers, over those of X or, if that is nil, over 0, 1, 2...
	Values, X []float64
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
	x, y := c.axes()
	fmt.Fprintf(out, `<text x="%d" y="18" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(c.Title))
	for _, tick := range y.ticks {
		fmt.Fprintf(out, `<path d="M%d %sH%d" stroke="#dddddd"/><text x="%d" y="%s" dy="4" text-anchor="end">%s</text>`+"\n",
			left, y.pixel(tick), chartWidth-right, left-6, y.pixel(tick), label(tick))
	}
	for _, tick := range x.ticks {
		fmt.Fprintf(out, `<text x="%s" y="%d" text-anchor="middle">%s</text>`+"\n", x.pixel(tick), chartHeight-bottom+15, label(tick))
	}
	fmt.Fprintf(out, `<text x="%d" y="%d" text-anchor="end" fill="%s">%s</text>`+"\n", chartWidth-right, chartHeight-8, grey, html.EscapeString(c.X))
	fmt.Fprintf(out, `<text transform="translate(12 %d) rotate(-90)" text-anchor="middle" fill="%s">%s</text>`+"\n",
		(chartHeight-bottom+top)/2, grey, html.EscapeString(c.Y))
	for _, line := range c.Lines {
		var path, dots strings.Builder
		for i, v := range line.Values {
			path.WriteString("L" + x.pixel(line.x(i)) + " " + y.pixel(v))
			if line.X != nil {
				fmt.Fprintf(&dots, `<circle cx="%s" cy="%s" r="2.4" fill="%s"/>`+"\n", x.pixel(line.x(i)), y.pixel(v), colour[line.Name])
			}
		}
		fmt.Fprintf(out, `<path d="M%s" %s/>`+"\n%s", strings.TrimPrefix(path.String(), "L"), stroke(line, colour), &dots)
	}
}

// x is where value i stands.
func (l Line) x(i int) float64 {
	if l.X == nil {
		return float64(i)
	}
	return l.X[i]
}
