package main

import (
	"regexp"
	"strconv"
	"strings"

	"cairn"
)

// place is how an error about a condition begins: with line and column.
var place = regexp.MustCompile(`^(\d+):(\d+): `)

// pointedError is an error with the line that it is about under it, and a
// caret under the column.
type pointedError struct {
	error
	line, caret string
}

func (e pointedError) Error() string { return e.error.Error() + "\n    " + e.line + "\n    " + e.caret }

func (e pointedError) Unwrap() error { return e.error }

// pointed shows where in a condition an error is, if the error says it.
func pointed(err *cairn.Error, condition string) error {
	if err.Err == nil {
		return err
	}
	at := place.FindStringSubmatch(err.Err.Error())
	if at == nil {
		return err
	}
	number, _ := strconv.Atoi(at[1])
	column, _ := strconv.Atoi(at[2])
	lines := strings.Split(condition, "\n")
	if number < 1 || number > len(lines) || column < 1 {
		return err
	}
	line := strings.TrimRight(lines[number-1], "\r")
	var caret strings.Builder
	for i, r := range []rune(line) {
		if i == column-1 {
			break
		}
		if r == '\t' {
			caret.WriteRune(r) // whatever it is wide there, it is here
		} else {
			caret.WriteByte(' ')
		}
	}
	caret.WriteByte('^')
	return pointedError{err, line, caret.String()}
}
