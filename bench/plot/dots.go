package plot

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"math"
)

// Dots are factors in rows, on one axis of powers of ten that has a line at 1:
// what is to its right is more, what is to its left less.
type Dots struct {
	Title string
	// Less and More say what the two sides mean.
	Less, More string
	Groups     []DotGroup
}

// DotGroup is rows under a heading.
type DotGroup struct {
	Name string
	Rows []Dot
}

// Dot is one factor, with the interval in which it lies; all are above 0.
type Dot struct {
	Name      string
	Value     float64
	Low, High float64
	Wanted    float64 // 0: nothing was
}

// The measures of rows in pixels.
const (
	rowHeight  = 17
	nameWidth  = 520
	dotsWidth  = 400
	dotsRight  = 90
	dotsHeader = 66
)

// Write writes them as an SVG document.
func (d Dots) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	x := axis{log: true, from: nameWidth, to: nameWidth + dotsWidth}
	values, rows := []float64{1}, 0
	for _, group := range d.Groups {
		rows += 1 + len(group.Rows)
		for _, row := range group.Rows {
			values = append(values, row.Low, row.High, row.Value)
			if row.Wanted > 0 {
				values = append(values, row.Wanted)
			}
		}
	}
	x.powers(values, true)
	width, height := nameWidth+dotsWidth+dotsRight, dotsHeader+rows*rowHeight+16
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="11">`+"\n", width, height)
	fmt.Fprintf(out, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	fmt.Fprintf(out, `<text x="12" y="22" font-size="15" font-weight="bold">%s</text>`+"\n", html.EscapeString(d.Title))
	for _, tick := range x.ticks {
		colour := "#dddddd"
		if math.Abs(tick-1) < 1e-9 {
			colour = grey
		}
		fmt.Fprintf(out, `<path d="M%s %dV%d" stroke="%s"/><text x="%[1]s" y="%[5]d" text-anchor="middle">%s</text>`+"\n",
			x.pixel(tick), dotsHeader-8, height-12, colour, dotsHeader-14, label(tick))
	}
	fmt.Fprintf(out, `<text x="%s" y="38" text-anchor="end" dx="-8" fill="%s">%s</text>`+"\n", x.pixel(1), grey, html.EscapeString(d.Less))
	fmt.Fprintf(out, `<text x="%s" y="38" dx="8" fill="%s">%s</text>`+"\n", x.pixel(1), grey, html.EscapeString(d.More))
	y := dotsHeader
	for _, group := range d.Groups {
		fmt.Fprintf(out, `<text x="12" y="%d" dy="4" font-weight="bold">%s</text>`+"\n", y, html.EscapeString(group.Name))
		y += rowHeight
		for _, row := range group.Rows {
			row.write(out, &x, y)
			y += rowHeight
		}
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush() // which has the first error of all writes
}

// write draws a row: its interval as a line, its value as a dot, blue if it is at
// least what was wanted or nothing was, and what was wanted as a stroke.
func (d *Dot) write(out io.Writer, x *axis, y int) {
	colour := colours[0]
	if d.Value < d.Wanted {
		colour = colours[1]
	}
	fmt.Fprintf(out, `<text x="%d" y="%d" dy="4" text-anchor="end">%s</text>`+"\n", nameWidth-12, y, html.EscapeString(d.Name))
	fmt.Fprintf(out, `<path d="M%s %dH%s" stroke="%s" stroke-width="2" opacity="0.5"/>`+"\n", x.pixel(d.Low), y, x.pixel(d.High), colour)
	if d.Wanted > 0 {
		fmt.Fprintf(out, `<path d="M%s %dv10" stroke="%s" stroke-width="2"/>`+"\n", x.pixel(d.Wanted), y-5, colour)
	}
	fmt.Fprintf(out, `<circle cx="%s" cy="%d" r="4" fill="%s"/>`+"\n", x.pixel(d.Value), y, colour)
	fmt.Fprintf(out, `<text x="%d" y="%d" dy="4" text-anchor="end">%s</text>`+"\n", nameWidth+dotsWidth+dotsRight-12, y, digits(d.Value))
}

// digits is a factor to two or three digits.
func digits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
