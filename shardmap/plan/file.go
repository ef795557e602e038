package plan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"cairn"
)

// fileVersion is that of the files that Write writes; Read reads no other.
const fileVersion = 1

// head is what of a file is not in a list.
type head struct {
	Version  int       `json:"version"`
	Revision uint64    `json:"revision"`
	Made     time.Time `json:"made"`
	By       string    `json:"by"`
	Before   Figures   `json:"before"`
	After    Figures   `json:"after"`
}

// Write writes a plan as one JSON document with a line for each keyspace,
// cluster, step and obstacle, so that two plans can be compared line by line.
func Write(w io.Writer, p *Plan) error {
	out := bufio.NewWriter(w)
	first, err := encode(head{fileVersion, p.Revision, p.Made, p.By, p.Before, p.After})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s", bytes.TrimSuffix(first, []byte("}")))
	for _, list := range []struct {
		name  string
		write func() error
	}{
		{"keyspaces", func() error { return writeList(out, p.Keyspaces) }},
		{"clusters", func() error { return writeList(out, p.Clusters) }},
		{"steps", func() error { return writeList(out, p.Steps) }},
		{"held", func() error { return writeList(out, p.Held) }},
	} {
		fmt.Fprintf(out, ",\n%q: [", list.name)
		if err := list.write(); err != nil {
			return err
		}
		fmt.Fprint(out, "]")
	}
	fmt.Fprintln(out, "}")
	return out.Flush() // which has the first error of all writes
}

func writeList[T any](out *bufio.Writer, items []T) error {
	for i, item := range items {
		line, err := encode(item)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprint(out, ",")
		}
		fmt.Fprintf(out, "\n  %s", line)
	}
	if len(items) > 0 {
		fmt.Fprintln(out)
	}
	return nil
}

// encode is a value as JSON on one line, with < and > as they are.
func encode(value any) ([]byte, error) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(line.Bytes(), []byte("\n")), err
}

// Read reads a plan that Write wrote. It refuses (KindInvalid) what is no plan
// or one of another version (PLAN_MALFORMED, PLAN_VERSION), and a plan whose
// steps can't be, naming the field as in "steps[3].to".
func Read(r io.Reader) (*Plan, error) {
	var file struct {
		head
		Keyspaces []Keyspace `json:"keyspaces"`
		Clusters  []Cluster  `json:"clusters"`
		Steps     []Step     `json:"steps"`
		Held      []Held     `json:"held"`
	}
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, malformed("", "this is no plan: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("", "something follows the plan")
	}
	if file.Version != fileVersion {
		return nil, cairn.Invalid("version", "PLAN_VERSION", "a plan of version %d; this program reads version %d", file.Version, fileVersion)
	}
	p := &Plan{file.Revision, file.Made, file.By, file.Before, file.After, file.Keyspaces, file.Clusters, file.Steps, file.Held}
	if err := p.validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// validate refuses steps that can't be: of a kind that is none, without what
// their kind needs, two of one shard.
func (p *Plan) validate() error {
	touched := map[string]bool{}
	once := func(s *Step, id cairn.ShardID) error {
		name := s.Keyspace + "/" + id.String()
		if touched[name] {
			return malformed("shard", "shard %s is in two steps; a plan touches a shard once", name)
		}
		touched[name] = true
		return nil
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		err := once(s, s.Shard)
		switch {
		case err != nil:
		case s.Keyspace == "":
			err = malformed("keyspace", "no keyspace")
		case s.Shard == 0 || s.Revision == 0:
			err = malformed("shard", "no shard or revision of its record")
		case s.Kind == Split && len(s.At) == 0:
			err = malformed("at", "a split without the placement key to split at")
		case s.Kind == Merge && (s.With == 0 || s.WithRevision == 0):
			err = malformed("with", "a merge without the shard to merge with or the revision of its record")
		case s.Kind == Merge:
			err = once(s, s.With)
		case s.Kind == Move && (s.From == "" || s.To == "" || s.From == s.To):
			err = malformed("to", "a move from %q to %q", s.From, s.To)
		case s.Kind != Split && s.Kind != Move:
			err = malformed("do", "%q is none of split, merge and move", s.Kind)
		}
		if err != nil {
			return cairn.InField(stepField(i), err)
		}
	}
	if i := slices.IndexFunc(p.Held, func(h Held) bool { return obstacles[h.Why] == "" }); i >= 0 {
		return malformed("held["+strconv.Itoa(i)+"].why", "%q is no obstacle", p.Held[i].Why)
	}
	return nil
}

func stepField(i int) string { return "steps[" + strconv.Itoa(i) + "]" }
