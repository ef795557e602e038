package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Record takes what a command finds: as text at once, and as figures for the
// JSON and the page that are made of them in the end. It is a writer, for text
// that is nothing but text.
type Record struct {
	Environment Environment `json:"environment"`
	Peers       []Peer      `json:"peers,omitempty"`
	Findings    []Finding   `json:"findings"`
	Curves      []Curve     `json:"curves,omitempty"`
	Constants   []Constant  `json:"constants,omitempty"`
	Profiles    []Profile   `json:"profiles,omitempty"`

	out io.Writer
}

// Peer is a system that something is measured beside.
type Peer struct {
	Name string `json:"name"`
	// Version is what it says of itself; empty if it is not there.
	Version string `json:"version,omitempty"`
	// Settings are how it was set up or, if it is not there, what brings it.
	Settings string `json:"settings"`
}

// Constant is what one thing costs, for a capacity model.
type Constant struct {
	// Name says of what, Unit in what.
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
}

// Begin begins a record of what a command finds, with where and when.
func Begin(ctx context.Context, out io.Writer, command string) *Record {
	r := &Record{Environment: environment(ctx, command), out: out}
	r.Environment.write(out)
	return r
}

// Write writes text.
func (r *Record) Write(text []byte) (int, error) { return r.out.Write(text) }

// AddPeer notes that a peer takes part, or that it is missing.
func (r *Record) AddPeer(p Peer) {
	r.Peers = append(r.Peers, p)
	if p.Version == "" {
		fmt.Fprintf(r, "peer: %s is left out: %s\n", p.Name, p.Settings)
		return
	}
	fmt.Fprintf(r, "peer: %s, %s: %s\n", p.Name, p.Version, p.Settings)
}

// AddConstant notes what something costs.
func (r *Record) AddConstant(name, unit string, value float64) {
	r.Constants = append(r.Constants, Constant{Name: name, Unit: unit, Value: value})
	fmt.Fprintf(r, "constant %s: %s %s\n", name, figure(value), unit)
}

// Join adds what another command found.
func (r *Record) Join(other *Record) {
	r.Peers = append(r.Peers, other.Peers...)
	r.Findings = append(r.Findings, other.Findings...)
	r.Curves = append(r.Curves, other.Curves...)
	r.Constants = append(r.Constants, other.Constants...)
	r.Profiles = append(r.Profiles, other.Profiles...)
}

// Save writes the record as JSON.
func (r *Record) Save(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Load reads a record that was saved.
func Load(path string) (*Record, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Record{out: io.Discard}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s is not a record of bench: %w", path, err)
	}
	if len(r.Findings) == 0 {
		return nil, errors.New(path + " has no findings")
	}
	return r, nil
}
