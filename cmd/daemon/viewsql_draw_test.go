package daemon

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn"
)

// sqlite is a running sqlite3, asked over pipes.
type sqlite struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
}

func openSQLite(t *testing.T) *sqlite {
	t.Helper()
	leaveOut := t.Skip
	if os.Getenv("CI") != "" {
		leaveOut = t.Fatal // .ci/run installs it
	}
	path, err := exec.LookPath("sqlite3")
	if err != nil {
		leaveOut("NOT COMPARED WITH SQL: there is no sqlite3 (apt-get install sqlite3)")
	}
	command := exec.CommandContext(t.Context(), path, "-batch", "-noheader", "-list", ":memory:")
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = t.Output()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = command.Wait()
	})
	return &sqlite{t: t, in: in, out: bufio.NewReader(out)}
}

const endOfAnswer = "--end of answer--"

// run runs statements and returns the lines that they print.
func (s *sqlite) run(statements string) (lines []string) {
	s.t.Helper()
	if _, err := fmt.Fprintf(s.in, "%s\n.print %s\n", statements, endOfAnswer); err != nil {
		s.t.Fatal(err)
	}
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatalf("sqlite3: %v after\n%s", err, statements)
		}
		if line = strings.TrimSuffix(line, "\n"); line == endOfAnswer {
			return lines
		}
		lines = append(lines, line)
	}
}

// column runs a query.
func (s *sqlite) column(query string) []string {
	s.t.Helper()
	return s.run(query + ";")
}

// literalOf is a value as SQL.
func literalOf(v cairn.Value) string {
	switch v.Type() {
	case cairn.TypeNull:
		return "NULL"
	case cairn.TypeString:
		return "'" + strings.ReplaceAll(v.Text(), "'", "''") + "'"
	case cairn.TypeFloat:
		return strconv.FormatFloat(v.Float(), 'e', -1, 64)
	case cairn.TypeTimestamp:
		return strconv.FormatInt(v.Time().UnixMicro(), 10)
	case cairn.TypeBool:
		if v.Bool() {
			return "1"
		}
		return "0"
	default:
		if v.Int() == math.MinInt64 {
			return "(-9223372036854775807-1)"
		}
		return strconv.FormatInt(v.Int(), 10)
	}
}

// sqlField is an attribute; few says that it has few different values.
type sqlField struct {
	name string
	kind cairn.Type
	few  bool
}

func (w *sqlWorld) drawField() sqlField { return w.fields[w.random.IntN(len(w.fields))] }

// drawKey draws one of some hundred keys, of any bytes.
func (w *sqlWorld) drawKey() cairn.Key {
	n := w.random.IntN(500)
	return append(cairn.Key{byte(n * 7), 0xff - byte(n>>8)}, strconv.Itoa(n)...)
}

func (w *sqlWorld) drawEntry() (sqlEntry, cairn.NamedValues) {
	entry := sqlEntry{}
	var values cairn.NamedValues
	for _, f := range w.fields {
		if w.random.IntN(5) == 0 {
			continue
		}
		v := w.drawValue(f)
		entry[f.name] = v
		values = append(values, cairn.NamedValue{Name: f.name, Value: v})
	}
	return entry, values
}

var (
	texts  = []string{"", "a", "ab", "abc", "b", "Ä", "日本", "z'z", "\U0001F600", "a b", "ASP", "\u00ff"}
	ints   = []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, 2, 1 << 53, 1<<53 + 1, math.MaxInt64 - 1, math.MaxInt64}
	floats = []float64{math.Copysign(0, -1), 0, 0.5, -0.5, 1, 1.5, -2.25, 1 << 53, 1e15, -1e15}
)

func (w *sqlWorld) drawValue(f sqlField) cairn.Value {
	few := f.few || w.random.IntN(3) == 0
	switch f.kind {
	case cairn.TypeString:
		text := texts[w.random.IntN(len(texts))]
		if !few {
			text += strconv.Itoa(w.random.IntN(40))
		}
		return must(cairn.String(text))(w.t)
	case cairn.TypeInt:
		if few {
			return cairn.Int(ints[w.random.IntN(len(ints))])
		}
		return cairn.Int(int64(w.random.IntN(200)) - 100)
	case cairn.TypeFloat:
		if few {
			return must(cairn.Float(floats[w.random.IntN(len(floats))]))(w.t)
		}
		return must(cairn.Float(float64(w.random.IntN(400))/8 - 10))(w.t)
	case cairn.TypeBool:
		return cairn.Bool(w.random.IntN(2) == 0)
	default:
		return must(cairn.Timestamp(time.UnixMicro(int64(w.random.IntN(50))*3_600_000_000 + 1_700_000_000_000_000)))(w.t)
	}
}

func must(v cairn.Value, err error) func(*testing.T) cairn.Value {
	return func(t *testing.T) cairn.Value {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// drawSort draws a sort of up to three attributes.
func (w *sqlWorld) drawSort() (sort []string) {
	for _, i := range w.random.Perm(len(w.fields))[:w.random.IntN(4)] {
		name := w.fields[i].name
		if w.random.IntN(2) == 0 {
			name = "-" + name
		}
		sort = append(sort, name)
	}
	return sort
}

// condition is a condition in CEL and in SQL.
type condition struct{ cel, sql string }

// drawCondition draws a condition of a depth.
func (w *sqlWorld) drawCondition(depth int) condition {
	if depth > 0 && w.random.IntN(3) > 0 {
		a, b := w.drawCondition(depth-1), w.drawCondition(depth-1)
		switch w.random.IntN(3) {
		case 0:
			return condition{"(" + a.cel + ") && (" + b.cel + ")", "(" + a.sql + ") AND (" + b.sql + ")"}
		case 1:
			return condition{"(" + a.cel + ") || (" + b.cel + ")", "(" + a.sql + ") OR (" + b.sql + ")"}
		default:
			return condition{"!(" + a.cel + ")", "NOT (" + a.sql + ")"}
		}
	}
	f := w.drawField()
	switch {
	case w.random.IntN(6) == 0:
		return condition{"has(" + f.name + ")", f.name + " IS NOT NULL"}
	case f.kind == cairn.TypeString && w.random.IntN(3) == 0:
		prefix := texts[w.random.IntN(len(texts))]
		return condition{
			fmt.Sprintf("%s.startsWith(%s)", f.name, strconv.Quote(prefix)),
			fmt.Sprintf("substr(%s, 1, length(%[2]s)) = %[2]s", f.name, "'"+strings.ReplaceAll(prefix, "'", "''")+"'"),
		}
	case w.random.IntN(4) == 0:
		var cel, sql []string
		for range 1 + w.random.IntN(3) {
			v := w.drawValue(f)
			cel, sql = append(cel, celOf(v)), append(sql, literalOf(v))
		}
		return condition{f.name + " in [" + strings.Join(cel, ", ") + "]", f.name + " IN (" + strings.Join(sql, ", ") + ")"}
	}
	operator := []string{"==", "!=", "<", "<=", ">", ">="}[w.random.IntN(6)]
	v := w.drawValue(f)
	return condition{f.name + " " + operator + " " + celOf(v), f.name + " " + operator + " " + literalOf(v)}
}

// celOf is a value as a CEL literal.
func celOf(v cairn.Value) string {
	switch v.Type() {
	case cairn.TypeString:
		return strconv.Quote(v.Text())
	case cairn.TypeFloat:
		text := strconv.FormatFloat(v.Float(), 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	case cairn.TypeBool:
		return strconv.FormatBool(v.Bool())
	case cairn.TypeTimestamp:
		return `timestamp("` + v.Time().UTC().Format(time.RFC3339Nano) + `")`
	default:
		return strconv.FormatInt(v.Int(), 10)
	}
}
