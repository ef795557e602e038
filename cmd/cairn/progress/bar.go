package progress

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"cairn/cmd/cairn/render"
)

// State is how far something is.
type State struct {
	// Done of Total, in one unit; Total 0: nobody knows how much there is.
	Done, Total int64
	// Count of Noun are through.
	Count int64
	Noun  string
}

// Line is a state as one line of at most so many columns: a bar with percent
// and the time that is left where the total is known, the count and the rate.
func Line(s State, elapsed time.Duration, columns int) string {
	rate := int64(0)
	if elapsed > 0 {
		rate = int64(float64(s.Count) / elapsed.Seconds())
	}
	facts := fmt.Sprintf("%s %s, %s/s", render.Count(s.Count), s.Noun, render.Count(rate))
	if s.Total <= 0 {
		return cut(facts, columns)
	}
	share := min(float64(s.Done)/float64(s.Total), 1)
	facts = fmt.Sprintf("%3.0f%%  %s", 100*share, facts)
	if share > 0 && share < 1 {
		left := time.Duration(float64(elapsed) * (1 - share) / share)
		facts += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	width := min(columns-utf8.RuneCountInString(facts)-4, 40)
	if width < 5 {
		return cut(facts, columns)
	}
	full := int(share * float64(width))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "] " + facts
}

func cut(text string, columns int) string {
	if columns < 0 || utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns])
}

// Show draws how far something is, four times a second, until the returned
// function is called, which wipes the line. out is a terminal of so many
// columns.
func Show(out io.Writer, columns int, state func() State) (wipe func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		began := time.Now()
		ticker := time.NewTicker(250 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				fmt.Fprint(out, "\r\x1b[K")
				return
			case <-ticker.C:
				fmt.Fprint(out, "\r\x1b[K"+Line(state(), time.Since(began), columns-1))
			}
		}
	}()
	return func() {
		close(stop)
		<-done
	}
}
