package report

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
	"time"
)

// Profile is where one process of a workload spent its time.
type Profile struct {
	Workload string `json:"workload"`
	// Process is the part that it played; its files are in the folder ProfilesFolder
	// beside the page, in one of the workload's name, and begin with this.
	Process string `json:"process"`
	// Items are how many of ours were counted meanwhile; 0 where none were.
	Items int `json:"items,omitempty"`
	// Functions are those that took the most, the most first.
	Functions []FunctionCost `json:"functions"`
}

// FunctionCost is what one function took by itself of a process's processor time: a
// share of all, and how long.
type FunctionCost struct {
	Name  string        `json:"name"`
	Share float64       `json:"share"`
	Took  time.Duration `json:"took_ns"`
}

// ProfilesFolder is where a report's profiles are, beside its page.
const ProfilesFolder = "profiles"

// AddProfile notes where a process spent its time.
func (r *Record) AddProfile(p Profile) {
	r.Profiles = append(r.Profiles, p)
	fmt.Fprintf(r, "profile of %s, %s: %s\n", p.Workload, p.Process, p.most())
}

func (p *Profile) most() string {
	texts := make([]string, len(p.Functions))
	for i, f := range p.Functions {
		texts[i] = fmt.Sprintf("%.1f%% %s", 100*f.Share, f.Name)
		if p.Items > 0 {
			texts[i] += fmt.Sprintf(" (%v)", duration(float64(f.Took)/float64(p.Items)))
		}
	}
	return strings.Join(texts, ", ")
}

// whatWasDone is a list by hand: where the time went, and what was done about it.
//
//go:embed done.md
var whatWasDone string

// whereTimeGoes is the page's last section: what the profiles say, if there are any, and
// what was done about what they said before.
func (r *Record) whereTimeGoes(w io.Writer) {
	fmt.Fprintf(w, "\n## Where the time goes, and what was done about it\n\n")
	if len(r.Profiles) > 0 {
		fmt.Fprintf(w, "What the functions took by themselves of each process's processor time, those that took most; in brackets by the items "+
			"of ours that were counted, though filling and warming up are in it too. "+
			"Beside the profiles of that are those of allocations and of waits (`go tool pprof`).\n\n| workload | process | functions |\n|---|---|---|\n")
		for i := range r.Profiles {
			p := &r.Profiles[i]
			fmt.Fprintf(w, "| %s | [%s](%s/%[1]s/%[2]s.cpu.pprof) | %[4]s |\n", p.Workload, p.Process, ProfilesFolder, cell(p.most()))
		}
		fmt.Fprintln(w)
	}
	_, _ = io.WriteString(w, whatWasDone)
}
