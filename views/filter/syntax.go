package filter

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"cairn"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"
)

// source is an expression as it was written and what CEL's parser knows of
// where its parts stand.
type source struct {
	mode Mode
	text string
	info *ast.SourceInfo
}

// celParser reads CEL without its macros: those over lists are not supported,
// and CEL's has is of another shape than ours, so that all of them reach the
// checker as calls, with their place. It is the library's recursive-descent
// parser, which is bounded in depth and, at the lengths that filters have,
// several times faster than the generated one. Any number of goroutines may use it.
var celParser = sync.OnceValues(func() (*parser.Parser, error) {
	return parser.NewParser(
		parser.EnablePrattParser(true),
		parser.EnableVariadicOperatorASTs(true),
		parser.MaxRecursionDepth(MaxDepth),
		parser.ExpressionSizeCodePointLimit(MaxLength),
		parser.MaxExpressionNodeCount(MaxLength),
		parser.ErrorRecoveryLimit(1),
	)
})

// parseSource reads an expression's syntax.
func parseSource(text string, mode Mode) (*source, ast.Expr, error) {
	src := &source{mode: mode, text: text}
	switch {
	case strings.TrimSpace(text) == "":
		return nil, nil, src.refuse(place{1, 1}, "FILTER_EMPTY", "the expression is empty; write true for all entries")
	case len(text) > MaxLength:
		return nil, nil, src.refuse(place{1, 1}, "FILTER_TOO_LONG", "the expression has %d bytes; it may have %d", len(text), MaxLength)
	case !utf8.ValidString(text):
		line, column := invalidUTF8(text)
		return nil, nil, src.refuse(place{line, column}, "FILTER_SYNTAX", "the expression is not UTF-8")
	}
	reader, err := celParser()
	if err != nil {
		return nil, nil, fmt.Errorf("the options of CEL's parser: %w", err)
	}
	parsed, failed := reader.Parse(common.NewTextSource(text))
	if len(failed.GetErrors()) > 0 {
		return nil, nil, src.syntaxError(failed.GetErrors())
	}
	src.info = parsed.SourceInfo()
	return src, parsed.Expr(), nil
}

// syntaxError is the first of the parser's errors. Those without a place are
// its limits.
func (s *source) syntaxError(found []*common.Error) error {
	first := found[0]
	for _, each := range found {
		if each.Location.Line() < 1 {
			return s.refuse(place{1, 1}, "FILTER_TOO_DEEP", "parentheses, lists and operators stand inside each other more than %d deep", MaxDepth)
		}
		if after(first.Location, each.Location) {
			first = each
		}
	}
	message := strings.TrimPrefix(first.Message, "Syntax error: ")
	message = strings.ReplaceAll(message, "mismatched input '<EOF>'", "it ends too early,")
	message = strings.Join(strings.Fields(message), " ")
	return s.refuse(place{first.Location.Line(), first.Location.Column() + 1}, "FILTER_SYNTAX", "%s", shorten(message))
}

func after(a, b common.Location) bool {
	return a.Line() > b.Line() || a.Line() == b.Line() && a.Column() > b.Column()
}

// place is a position in an expression, both from 1, the column in
// characters.
type place struct{ line, column int }

// at is where an expression stands: an operator's sign, a function's name, or
// the first character of anything else.
func (s *source) at(e ast.Expr) place {
	span, _ := s.info.GetOffsetRange(e.ID())
	offset := span.Start
	if e.Kind() == ast.CallKind {
		offset = s.nameBefore(offset, e.AsCall().FunctionName())
	}
	where := s.info.GetLocationByOffset(offset)
	return place{where.Line(), where.Column() + 1}
}

// begin is where the text of an expression begins, parentheses around it left
// out: at its own place or that of a part that stands before it, as what is
// left of an operator does.
func (s *source) begin(e ast.Expr) place {
	first := s.at(e)
	switch e.Kind() {
	case ast.CallKind:
		if call := e.AsCall(); call.IsMemberFunction() {
			first = earlier(first, s.begin(call.Target()))
		}
		for _, argument := range e.AsCall().Args() {
			first = earlier(first, s.begin(argument))
		}
	case ast.SelectKind:
		first = earlier(first, s.begin(e.AsSelect().Operand()))
	}
	return first
}

func earlier(a, b place) place {
	if b.line < a.line || b.line == a.line && b.column < a.column {
		return b
	}
	return a
}

// nameBefore goes from a call's parenthesis, where the parser places it, back
// to the function's name. Offsets are in characters.
func (s *source) nameBefore(offset int32, name string) int32 {
	bytes, characters := 0, int32(0)
	for range s.text {
		if characters == offset {
			break
		}
		_, size := utf8.DecodeRuneInString(s.text[bytes:])
		bytes += size
		characters++
	}
	if !strings.HasPrefix(s.text[bytes:], "(") {
		return offset
	}
	trimmed := strings.TrimRight(s.text[:bytes], " \t\r\n\f")
	if !strings.HasSuffix(trimmed, name) {
		return offset
	}
	// The name and the spaces after it are ASCII, a byte a character.
	return offset - int32(bytes-len(trimmed)+len(name))
}

func invalidUTF8(text string) (line, column int) {
	line, column = 1, 1
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				break
			}
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column
}

// refuse makes the error for what stands at a place.
func (s *source) refuse(at place, reason, format string, args ...any) error {
	return cairn.Invalid(s.mode.field(), reason, "%d:%d: %s", at.line, at.column, fmt.Sprintf(format, args...))
}

// shorten keeps what a message quotes from drowning it.
func shorten(text string) string {
	const most = 120
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "..."
}
