package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"cairn/cmd/cairn/render"
)

// redraw prints a screen in the place of the last one, or under it where that is no
// terminal.
func redraw(out io.Writer, text string) error {
	if file, is := out.(*os.File); is {
		if _, rows, err := term.GetSize(int(file.Fd())); err == nil && rows > 0 {
			text = "\x1b[H\x1b[J" + firstLines(text, rows-1)
		}
	}
	_, err := io.WriteString(out, text)
	return err
}

// firstLines cuts what a screen has no room for, and says so.
func firstLines(text string, most int) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) <= most || most < 2 {
		return text
	}
	kept := strings.Join(lines[:most-1], "")
	return kept + fmt.Sprintf("... and %s\n", render.Counted(len(lines)-most+1, "more line", "more lines"))
}
