package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"cairn"
)

var rewrite = flag.Bool("rewrite", false, "write what scripts print into them; read the diff")

// TestMain makes this test's binary a cairn of its own for the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cairn": main})
}

// TestScripts runs the scripts of testdata/script, each in a directory of its
// own, with the real binary. Beside testscript's own commands they have
//
//	stack DIR            start a development stack and point CAIRN_ADDR to it
//	serve NAME ARGS...   start a server; NAME_LISTEN and NAME_ETCD are its addresses
//	end [-kill] [NAME]   end the stack or another server, cleanly or not
//	certificates DIR AUTHORITY NAME...  make certificates, and have CAIRN_TLS_* name the last
//	port NAME            set NAME to the address of a free port
//	exits N ARGS...      run cairn, whose exit code must be N
//	until PATTERN ARGS...  run cairn until its standard output matches
//	masked               take what differs from run to run out of standard output
//	json PATH WANT       compare a value of the JSON on standard output
//	size PATH N          compare how many elements a list of it has
//	narrow N             no line on standard output has more than N columns
//	generate ...         make a file that is too big to stand in a script
//	pages N VIEW ARGS... read a view page by page, and print its keys
//	longlighted FILE CSV write the ids of a view of the runways without Cairn
//	exported BITMAP KEYS compare both files of an exported view, and print the keys
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *rewrite,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, "CAIRN_ADDR=127.0.0.1:1", "RUNWAYS="+runways(t))
			env.Values[serversKey{}] = servers{}
			return nil
		},
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "short":
				return testing.Short(), nil
			case "runways":
				return runways(t) != "", nil
			}
			return false, fmt.Errorf("no condition %q", condition)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"stack": stack, "serve": serve, "end": end, "port": port, "certificates": certificates, "exits": exits, "until": until, "masked": masked,
			"json": jsonIs, "size": sizeIs, "remember": remember, "generate": generate, "narrow": narrow,
			"pages": pages, "longlighted": longLighted, "exported": exported,
		},
	})
}

// runways is the path of a file with real data, empty where it is not at hand.
func runways(t *testing.T) string {
	path := os.Getenv("CAIRN_RUNWAYS")
	if path == "" {
		path = "../../../shared/data/runways.csv"
	}
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	directory, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(path, "/") {
		path = directory + "/" + path
	}
	return path
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARGUMENTS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec("cairn", args[1:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// until is for what the servers do by themselves, such as building a view.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN ARGUMENTS...")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for range 300 {
		if err := ts.Exec("cairn", args[1:]...); err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("standard output never matches %s", args[0])
}

var differing = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`(?m)  +\d+(\.\d+)? (ns|µs|ms|s)$`), "  DURATION"},
	{regexp.MustCompile(`(?m)  +TOOK$`), "  TOOK"},
	{regexp.MustCompile(`\d+(\.\d+)? (ns|µs|ms|s)\b`), "DURATION"},
	{regexp.MustCompile(`\([\d,]+/s\)`), "(RATE/s)"},
	{regexp.MustCompile(`(?m)^(token +)[A-Za-z0-9_-]+$`), "${1}TOKEN"},
	{regexp.MustCompile(`("next_cursor": ?)"[A-Za-z0-9_-]+"`), `${1}"CURSOR"`},
	{regexp.MustCompile(`(?m)^(next_cursor: )[A-Za-z0-9_-]+$`), "${1}CURSOR"},
	{regexp.MustCompile(`"((?:token|plan)": ?)"[A-Za-z0-9_-]+"`), `"${1}"TOKEN"`},
	{regexp.MustCompile(`(?m)^(token: ).*$`), "${1}TOKEN"},
	{regexp.MustCompile(`(?m)^( *version: )"\d+\.\d+\.\d+"$`), "${1}VERSION"},
	{regexp.MustCompile(`"uid": "[0-9a-f]{16}"`), `"uid": "UID"`},
	{regexp.MustCompile(`("(?:revision|epoch|index|map_revision|log_revision|seconds|microseconds)": ?)[\d.e+-]+`), "${1}N"},
	{regexp.MustCompile(`\b((?:epoch|log index|applied to|checkpoint at|version) )\d[\d.]*`), "${1}N"},
	{regexp.MustCompile(`(?m)^(map revision +)\d+`), "${1}N"},
	{regexp.MustCompile(`\d+ in the index's log`), "N in the index's log"},
	{regexp.MustCompile(`("version": ?)"\d+\.\d+\.\d+"`), `${1}"VERSION"`},
	{regexp.MustCompile(`\b\d+\.\d+\.\d+$`), "VERSION"},
	{regexp.MustCompile(`(?m)  \d+\.\d+\.\d+$`), "  VERSION"},
	{regexp.MustCompile(`"time":"[^"]+"`), `"time":"TIME"`},
	{regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d\d\d`), "TIME"},
	{regexp.MustCompile(`(?m)^(file +)[\d,]+ bytes`), "${1}N bytes"},
}

func masked(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: masked")
	}
	text := ts.ReadFile("stdout")
	for _, d := range differing {
		text = d.pattern.ReplaceAllString(text, d.mask)
	}
	fmt.Fprint(ts.Stdout(), text)
}

// value finds a value by a path such as results.0.found in the JSON that was
// printed.
func value(ts *testscript.TestScript, path string) any {
	var at any
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	decoder.UseNumber()
	ts.Check(decoder.Decode(&at))
	for step := range strings.SplitSeq(path, ".") {
		switch inner := at.(type) {
		case map[string]any:
			next, found := inner[step]
			if !found {
				ts.Fatalf("%s: no field %q", path, step)
			}
			at = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(inner) {
				ts.Fatalf("%s: no element %q of %d", path, step, len(inner))
			}
			at = inner[i]
		default:
			ts.Fatalf("%s: nothing is inside %v", path, at)
		}
	}
	return at
}

func jsonIs(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: json PATH WANT")
	}
	got, err := json.Marshal(value(ts, args[0]))
	ts.Check(err)
	if want := args[1]; (string(got) == want || string(got) == strconv.Quote(want)) == neg {
		ts.Fatalf("%s is %s, want %s (negated: %t)", args[0], got, want, neg)
	}
}

// remember sets an environment variable to what stands at a path of the JSON that
// was printed last.
func remember(ts *testscript.TestScript, neg bool, args []string) {
	text, ok := value(ts, args[1]).(string)
	if neg || !ok {
		ts.Fatalf("usage: remember NAME PATH, of a string")
	}
	ts.Setenv(args[0], text)
}

func sizeIs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: size PATH N")
	}
	list, ok := value(ts, args[0]).([]any)
	if !ok || strconv.Itoa(len(list)) != args[1] {
		ts.Fatalf("%s has %d elements, want %s", args[0], len(list), args[1])
	}
}

func narrow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: narrow N")
	}
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > most {
			ts.Fatalf("%d columns: %s", n, line)
		}
	}
}

// generate makes files: "generate keys FILE N" of N keys k-0, k-1, ..., one a
// line; "generate csv FILE N" of N rows of id and n; "generate word NAME N"
// sets an environment variable to N letters; "generate gzip FILE N" is N lines,
// compressed; "generate ids FILE CSV" is the
// first column of a CSV file without its header; "generate wide NAME N" is a
// keyspace of N attributes, NAME.yaml, and NAME.ndjson, whose second entry has
// all of them at their longest.
func generate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: generate keys|csv|word|gzip|ids|wide NAME N")
	}
	n, _ := strconv.Atoi(args[2])
	var out bytes.Buffer
	switch args[0] {
	case "word":
		ts.Setenv(args[1], strings.Repeat("k", n))
		return
	case "keys":
		for i := range n {
			fmt.Fprintf(&out, "k-%d\n", i)
		}
	case "csv":
		out.WriteString("id,n\n")
		for i := range n {
			fmt.Fprintf(&out, "k-%d,%d\n", i, i)
		}
	case "wide":
		var manifest bytes.Buffer
		manifest.WriteString("kind: Keyspace\nname: wide\nplacement: {scheme: hash}\nattributes:\n")
		out.WriteString(`{"key":"narrow","attributes":{"a0":"x"}}` + "\n" + `{"key":"wide","attributes":{`)
		for i := range n {
			fmt.Fprintf(&manifest, "  a%d: {type: string}\n", i)
			fmt.Fprintf(&out, `%s"a%d":"%s"`, strings.Repeat(",", min(i, 1)), i, strings.Repeat("x", cairn.MaxStringLength))
		}
		out.WriteString("}}\n")
		ts.Check(os.WriteFile(ts.MkAbs(args[1]+".yaml"), manifest.Bytes(), 0o600))
		args[1] += ".ndjson"
	case "gzip":
		packed := gzip.NewWriter(&out)
		_, err := packed.Write(bytes.Repeat([]byte("id,n\n"), n))
		ts.Check(errors.Join(err, packed.Close()))
	case "ids":
		_, rows, _ := strings.Cut(ts.ReadFile(args[2]), "\n")
		for line := range strings.Lines(rows) {
			id, _, _ := strings.Cut(line, ",")
			out.WriteString(strings.Trim(id, `"`) + "\n")
		}
	default:
		ts.Fatalf("nothing is made of %q", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out.Bytes(), 0o600))
}
