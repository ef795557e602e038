package report

import (
	"fmt"
	"io"
	"strings"
)

// Profile is where one process of a workload spent its time.
type Profile struct {
	Workload string `json:"workload"`
	// Process is the part that it played; its files are in the folder ProfilesFolder
	// beside the page, in one of the workload's name, and begin with this.
	Process string `json:"process"`
	// Functions are those that took the most, the most first.
	Functions []FunctionCost `json:"functions"`
}

// FunctionCost is what one function took by itself of a process's processor time.
type FunctionCost struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"`
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
	}
	return strings.Join(texts, ", ")
}

// whereTimeGoes is the page's section about the profiles.
func (r *Record) whereTimeGoes(w io.Writer) {
	if len(r.Profiles) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## Where the time goes\n\nWhat the functions took by themselves of each process's processor time, those that took most. "+
		"Beside the profiles of that are those of allocations and of waits (`go tool pprof`).\n\n| workload | process | functions |\n|---|---|---|\n")
	for i := range r.Profiles {
		p := &r.Profiles[i]
		fmt.Fprintf(w, "| %s | [%s](%s/%[1]s/%[2]s.cpu.pprof) | %[4]s |\n", p.Workload, p.Process, ProfilesFolder, cell(p.most()))
	}
}
