package filter

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"cairn"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"pgregory.net/rapid"
)

// TestAgainstSQL holds truths against SQLite's three-valued logic.
func TestAgainstSQL(t *testing.T) {
	leaveOut := t.Skip
	if os.Getenv("CI") != "" {
		leaveOut = t.Fatal // .ci/run installs it
	}
	sqlite, err := exec.LookPath("sqlite3")
	if err != nil {
		leaveOut("NOT COMPARED WITH SQL: there is no sqlite3 (apt-get install sqlite3)")
	}
	schema := testSchema(t)
	g := grammar{schema: schema, plain: true}
	rapid.Check(t, func(t *rapid.T) {
		entries := g.entries(t)
		var expressions []written
		for range 5 {
			expressions = append(expressions, g.draw(t))
		}
		answers := askSQLite(t, sqlite, schema, entries, expressions)
		for i, expression := range expressions {
			f, err := Parse(expression.cel, schema, Where, noon)
			if err != nil {
				t.Fatalf("%s: %v", expression.cel, err)
			}
			for j, e := range entries {
				if got, want := f.Truth(e.encode(t, schema)), answers[i*len(entries)+j]; got != want {
					t.Fatalf("%s\nof %v is %s, and in SQL\n%s\nis %s", expression.cel, e, got, expression.sql, want)
				}
			}
		}
	})
}

// entries draws entries of values that the grammar keeps.
func (g grammar) entries(t *rapid.T) []entry {
	var entries []entry
	for range rapid.IntRange(1, 8).Draw(t, "entries") {
		e := drawEntry(t, g.schema)
		for name, value := range e {
			if !g.keeps(value) {
				delete(e, name)
			}
		}
		entries = append(entries, e)
	}
	return entries
}

// askSQLite evaluates expressions over entries: all of the first, then all of
// the second, and so on.
func askSQLite(t *rapid.T, sqlite string, schema *cairn.Schema, entries []entry, expressions []written) []Truth {
	var script strings.Builder
	var names []string
	for _, spec := range schema.Attributes() {
		names = append(names, spec.Name)
	}
	fmt.Fprintf(&script, "CREATE TABLE entries (id, %s);\n", strings.Join(names, ", "))
	for i, e := range entries {
		fmt.Fprintf(&script, "INSERT INTO entries VALUES (%d", i)
		for _, name := range names {
			script.WriteString(", " + inSQL(e[name]))
		}
		script.WriteString(");\n")
	}
	for _, each := range expressions {
		fmt.Fprintf(&script, "SELECT coalesce((%s) + 0, 'unknown') FROM entries ORDER BY id;\n", each.sql)
	}
	command := exec.Command(sqlite, "-batch", ":memory:")
	command.Stdin = strings.NewReader(script.String())
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("sqlite3: %v\n%s\n%s", err, stderr.String(), script.String())
	}
	var truths []Truth
	for line := range strings.Lines(stdout.String()) {
		truths = append(truths, map[string]Truth{"0": False, "1": True, "unknown": Unknown}[strings.TrimSpace(line)])
	}
	if len(truths) != len(entries)*len(expressions) {
		t.Fatalf("sqlite3 gave %d answers to\n%s", len(truths), script.String())
	}
	return truths
}

func inSQL(v cairn.Value) string {
	switch v.Type() {
	case cairn.TypeNull:
		return "NULL"
	case cairn.TypeString:
		return quoteSQL(v.Text())
	case cairn.TypeFloat:
		return strconv.FormatFloat(v.Float(), 'e', -1, 64)
	case cairn.TypeTimestamp:
		return strconv.FormatInt(v.Time().UnixMicro(), 10)
	case cairn.TypeBool:
		return strconv.FormatInt(numberOf(v), 10)
	default:
		if v.Int() == -1<<63 {
			return "(-9223372036854775807-1)"
		}
		return strconv.FormatInt(v.Int(), 10)
	}
}

// TestAgainstCEL holds truths against CEL's own evaluator, in which absent
// attributes are its unknown values. It compares an int with a float as two
// floats, so ints stay small.
func TestAgainstCEL(t *testing.T) {
	schema := testSchema(t)
	g := grammar{schema: schema, small: true}
	presence := func(helper cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
		return helper.NewIdent("has_" + args[0].AsIdent()), nil
	}
	options := []cel.EnvOption{cel.ClearMacros(), cel.Macros(cel.GlobalMacro("has", 1, presence)), cel.Variable("now", cel.TimestampType)}
	for _, spec := range schema.Attributes() {
		options = append(options, cel.Variable(spec.Name, cel.DynType), cel.Variable("has_"+spec.Name, cel.BoolType))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := g.draw(t).cel
		f, err := Parse(text, schema, Where, noon)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		parsed, issues := env.Parse(text)
		if issues.Err() != nil {
			t.Fatalf("%s: %v", text, issues.Err())
		}
		program, err := env.Program(parsed, cel.EvalOptions(cel.OptPartialEval))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, e := range g.entries(t) {
			if got, want := f.Truth(e.encode(t, schema)), askCEL(t, program, schema, e); got != want {
				t.Fatalf("%s\nof %v is %s, and in CEL %s", text, e, got, want)
			}
		}
	})
}

func askCEL(t *rapid.T, program cel.Program, schema *cairn.Schema, e entry) Truth {
	variables := map[string]any{"now": noon}
	var absent []*cel.AttributePatternType
	for _, spec := range schema.Attributes() {
		value, present := e[spec.Name]
		variables["has_"+spec.Name] = present
		switch value.Type() {
		case cairn.TypeNull:
			absent = append(absent, cel.AttributePattern(spec.Name))
		case cairn.TypeString:
			variables[spec.Name] = value.Text()
		case cairn.TypeInt:
			variables[spec.Name] = value.Int()
		case cairn.TypeFloat:
			variables[spec.Name] = value.Float()
		case cairn.TypeBool:
			variables[spec.Name] = value.Bool()
		case cairn.TypeTimestamp:
			variables[spec.Name] = value.Time()
		}
	}
	activation, err := cel.PartialVars(variables, absent...)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := program.Eval(activation)
	switch {
	case err != nil:
		t.Fatalf("CEL: %v", err)
	case types.IsUnknown(out):
		return Unknown
	case out == types.True:
		return True
	}
	return False
}
