package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The files of a report in its folder, besides the drawings.
const (
	PageFile = "report.md"
	JSONFile = "report.json"
)

// WriteReport writes the record into a folder as a page, its drawings, and JSON.
func (r *Record) WriteReport(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	drawings := r.drawings()
	for i := range drawings {
		if err := drawings[i].write(folder); err != nil {
			return err
		}
	}
	file, err := os.Create(filepath.Join(folder, PageFile))
	if err != nil {
		return err
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	r.page(out, drawings)
	if err := out.Flush(); err != nil {
		return err
	}
	return r.Save(filepath.Join(folder, JSONFile))
}

// page writes Markdown: ratios first, drawn and in tables, then absolute figures,
// then who the peers are, and where the time went if profiles tell.
func (r *Record) page(w io.Writer, drawings []drawing) {
	e := &r.Environment
	fmt.Fprintf(w, "# Cairn beside others\n\n")
	fmt.Fprintf(w, "Made by `%s` on %s, from revision `%s`, with %s on Linux %s: %d cores of %s, %s of memory. "+
		"Everything ran on this one machine, clients included, over its loopback interface. [%s](%[9]s) has every run.\n\n",
		e.Command, e.Date.Format("2006-01-02 at 15:04 UTC"), e.Revision, e.Go, e.Kernel, e.Cores, e.CPU, memory(e.Memory), JSONFile)
	r.goals(w)
	fmt.Fprintf(w, "## Ratios\n\nA ratio is our rate by the other's: above 1 we are faster. It is the median of pairs of runs, "+
		"the other's and ours in turn; in brackets is where it lies with a confidence of 95%% (bootstrap). "+
		"The last column compares what both sides took of the processors for one item, clients included: there too more than 1 is for us.\n")
	for _, d := range drawings {
		fmt.Fprintf(w, "\n![%s](%s)\n\n%s\n", d.title, d.file, d.about)
	}
	for _, section := range r.sections() {
		r.ratios(w, section)
	}
	fmt.Fprintf(w, "\n## Absolute figures\n\nMedians of the runs. A call is one request, an item one key of it or one write.\n")
	for _, section := range r.sections() {
		r.absolutes(w, section)
	}
	if len(r.Constants) > 0 {
		fmt.Fprintf(w, "\n## What things cost\n\nFor the [capacity model](/docs/capacity.md).\n\n| of what | how much |\n|---|---:|\n")
		for _, c := range r.Constants {
			fmt.Fprintf(w, "| %s | %s %s |\n", c.Name, figure(c.Value), c.Unit)
		}
	}
	fmt.Fprintf(w, "\n## Who the others are\n\n| peer | version | set up so |\n|---|---|---|\n")
	for _, p := range r.distinctPeers() {
		version := p.Version
		if version == "" {
			version = "not there"
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", p.Name, version, cell(p.Settings))
	}
	fmt.Fprintf(w, "\nWhat is compared with floors instead of peers: bare gRPC echoes of the same messages, bbolt's own read, a Go map's and Roaring's intersections, "+
		"described in [bench/floor](/bench/floor/doc.go).\n")
	r.whereTimeGoes(w)
}

// floors is how the names of findings begin that are of floors by themselves.
const floors = "Floor/"

// goals says what was wanted and what was missed.
func (r *Record) goals(w io.Writer) {
	var missed []string
	set := 0
	for i := range r.Findings {
		f := &r.Findings[i]
		for _, g := range f.goals() {
			set++
			if !g.reached {
				missed = append(missed, fmt.Sprintf("- %s: %s, wanted %s", title(f), g.is, g.wanted))
			}
		}
	}
	if set == 0 {
		return
	}
	fmt.Fprintf(w, "Of %d goals %d are reached.", set, set-len(missed))
	if len(missed) > 0 {
		fmt.Fprintf(w, " Missed:\n\n%s", strings.Join(missed, "\n"))
	}
	fmt.Fprint(w, "\n\n")
}

// goal is one thing that was wanted of a finding.
type goal struct {
	is, wanted string
	reached    bool
}

func (f *Finding) goals() []goal {
	var out []goal
	rate := medianOf(f.Ours, rateOf)
	if f.Goal.Ratio > 0 && len(f.Theirs) > 0 {
		ratio := middle(f.Ratios())
		out = append(out, goal{figure(ratio), figure(f.Goal.Ratio) + " or more", ratio >= f.Goal.Ratio})
	}
	if f.Goal.PerItem > 0 {
		each := duration(1e9 / rate)
		out = append(out, goal{each.String(), f.Goal.PerItem.String() + " or less", each <= f.Goal.PerItem})
	}
	if f.Goal.Rate > 0 {
		out = append(out, goal{perSecond(rate), perSecond(f.Goal.Rate) + " or more", rate >= f.Goal.Rate})
	}
	return out
}

// section is the findings of one kind of work.
type section struct {
	name     string
	findings []*Finding
}

// headings are those of the sections that we know.
var headings = map[string]string{
	"Locate":          "Locates: router in the caller's process or in its own, index in another",
	"LocateInProcess": "Locates with caller, router and index in one process",
	"PlainLocate":     "Plain locates that share their way: by the Go client, and by a router in the caller's process",
	"StreamLocate":    "Locates on a stream, through router and index",
	"Put":             "Durable puts of single new keys",
	"Import":          "An import of a CSV file with `cairn import`",
	"Bulk":            "New keys in batches of 128",
	"YCSB":            "YCSB's core workloads",
	"Views":           "Questions about views: pages, counts, groups and sums",
	"Floor":           "Floors: what the machine and the libraries give",
	"Growth":          "Cost as it grows",
	"Map":             "Changes of the map",
	"Moves":           "Moves of shards while clients read and write",
}

// heading is the section's name in words.
func (s *section) heading() string {
	if text, known := headings[s.name]; known {
		return text
	}
	return s.name
}

// sections are the findings by the first part of their names, in the order in
// which these came.
func (r *Record) sections() []section {
	var out []section
	for i := range r.Findings {
		name, _, _ := strings.Cut(r.Findings[i].Name, "/")
		at := slices.IndexFunc(out, func(s section) bool { return s.name == name })
		if at < 0 {
			at = len(out)
			out = append(out, section{name: name})
		}
		out[at].findings = append(out[at].findings, &r.Findings[i])
	}
	return out
}

func (r *Record) ratios(w io.Writer, s section) {
	begun := false
	for _, f := range s.findings {
		ratios := f.Ratios()
		if len(ratios) == 0 {
			continue
		}
		if !begun {
			begun = true
			fmt.Fprintf(w, "\n### %s\n\n| what | beside | ratio | wanted | processors |\n|---|---|---:|---:|---:|\n", s.heading())
		}
		interval := intervalOf(middle, ratios)
		wanted := ""
		if f.Goal.Ratio > 0 {
			wanted = figure(f.Goal.Ratio)
		}
		processors := ""
		if ours, theirs := medianOf(f.Ours, processorOf), medianOf(f.Theirs, processorOf); ours > 0 && theirs > 0 {
			processors = figure(theirs / ours)
		}
		fmt.Fprintf(w, "| %s | %s | **%s** (%s to %s) | %s | %s |\n", cell(f.what()), f.Beside, figure(middle(ratios)),
			figure(interval.Low), figure(interval.High), wanted, processors)
	}
}

func (r *Record) absolutes(w io.Writer, s section) {
	fmt.Fprintf(w, "\n### %s\n\n| what | who | items/s | an item | a call: median | 99%% | 99.9%% | processors an item |\n|---|---|---:|---:|---:|---:|---:|---:|\n", s.heading())
	for _, f := range s.findings {
		row := func(what, who string, runs []Run) {
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", cell(what), who, perSecond(medianOf(runs, rateOf)), duration(1e9/medianOf(runs, rateOf)),
				orNothing(medianOf(runs, quantileAt(0))), orNothing(medianOf(runs, quantileAt(2))), orNothing(medianOf(runs, quantileAt(3))), orNothing(medianOf(runs, processorOf)))
		}
		who := "Cairn"
		if strings.HasPrefix(f.Name, floors) {
			who = "the floor"
		}
		row(f.what(), who, f.Ours)
		if len(f.Theirs) > 0 {
			row("", f.Beside, f.Theirs)
		}
	}
}

// distinctPeers are the peers, each once.
func (r *Record) distinctPeers() []Peer {
	var out []Peer
	for _, p := range r.Peers {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// short is a finding's name without its section and without who it is beside.
func (f *Finding) short() string {
	_, rest, _ := strings.Cut(f.Name, "/")
	rest, _, _ = strings.Cut(rest, "/beside=")
	return strings.ReplaceAll(rest, "/", ", ")
}

// what is a finding's short name, and what was done.
func (f *Finding) what() string {
	rest := f.short()
	switch {
	case f.About == "":
		return cmp.Or(rest, f.Name)
	case rest == "":
		return f.About
	}
	return rest + ": " + f.About
}

// title names a finding in a sentence.
func title(f *Finding) string {
	name := strings.ReplaceAll(f.Name, "/", ", ")
	if f.Beside != "" && !strings.Contains(name, "beside=") {
		name += " beside " + f.Beside
	}
	return name
}

// cell is text that does not end a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// figure is a number to two or three digits.
func figure(v float64) string {
	digits := 2
	switch {
	case v >= 100:
		digits = 0
	case v >= 10:
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// perSecond is a rate to three digits, with commas between thousands.
func perSecond(v float64) string {
	step := 1.0
	for v/step >= 1000 {
		step *= 10
	}
	text := strconv.FormatFloat(float64(int64(v/step+0.5))*step, 'f', 0, 64)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text + "/s"
}

func orNothing(ns float64) string {
	if ns == 0 {
		return ""
	}
	return duration(ns).String()
}

// memory is what the kernel says, as in "24683620 kB", in GiB.
func memory(kernel string) string {
	kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(kernel, " kB"), 64)
	if err != nil {
		return kernel
	}
	return strconv.FormatFloat(kilobytes/(1<<20), 'f', 1, 64) + " GiB"
}
