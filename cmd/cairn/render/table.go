package render

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Grid is a table of text with aligned columns. The zero Grid has no header;
// it grows by Row.
type Grid struct {
	// Header names the columns; without one, rows stand alone.
	Header []string
	// Right are the columns, from 0, that are aligned at the right, as
	// numbers are.
	Right []int
	// Indent is put before each line.
	Indent string

	rows [][]string
}

// Row adds a row. Rows may have fewer cells than others.
func (g *Grid) Row(cells ...string) { g.rows = append(g.rows, cells) }

// Len is how many rows there are.
func (g *Grid) Len() int { return len(g.rows) }

// Write prints the table: columns two spaces apart, none after the last cell
// of a line. A header with no rows under it is printed too.
func (g *Grid) Write(out io.Writer) error {
	lines := g.rows
	if len(g.Header) > 0 {
		lines = append([][]string{g.Header}, lines...)
	}
	var widths []int
	for _, line := range lines {
		for i, cell := range line {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	right := make([]bool, len(widths))
	for _, i := range g.Right {
		if i < len(right) {
			right[i] = true
		}
	}
	var text strings.Builder
	for _, line := range lines {
		var row strings.Builder
		row.WriteString(g.Indent)
		for i, cell := range line {
			if i > 0 {
				row.WriteString("  ")
			}
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if right[i] {
				row.WriteString(space + cell)
			} else {
				row.WriteString(cell + space)
			}
		}
		text.WriteString(strings.TrimRight(row.String(), " "))
		text.WriteByte('\n')
	}
	_, err := io.WriteString(out, text.String())
	return err
}
