package stack

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

// Scattered is Cairn as a service has it that embeds the router: the router in
// this process, over gRPC to the indexes of two clusters, which are processes
// of their own that share the processors, with etcd beside them.
type Scattered struct {
	*Near

	deployment *Deployment
	etcd       string // its URL
	admin      string // the address of an administrator
}

var scatteredClusters = []string{"north", "south"}

// Scatter starts the stack in a temporary folder, with a keyspace, which it
// names, and nothing in it.
func Scatter(ctx context.Context, keyspace *cairnv1.Keyspace) (*Scattered, error) {
	d, err := newDeployment()
	if err != nil {
		return nil, err
	}
	s := &Scattered{deployment: d}
	if err := s.start(ctx, keyspace); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Scattered) start(ctx context.Context, keyspace *cairnv1.Keyspace) error {
	first, err := s.deployment.spawn(ctx, partEtcd, filepath.Join(s.deployment.folder, "etcd"))
	if err != nil {
		return err
	}
	s.admin, s.etcd, _ = strings.Cut(first.Address, " ")
	keyspace.Name = "keyspaces/" + Keyspace
	resources := []*cairnv1.Resource{{Resource: &cairnv1.Resource_Keyspace{Keyspace: keyspace}}}
	addresses := make([]string, len(scatteredClusters))
	for i, name := range scatteredClusters {
		if addresses[i], err = freeAddress(ctx); err != nil {
			return err
		}
		resources = append(resources, clusterAt(name, addresses[i]))
	}
	if err := apply(ctx, s.admin, resources...); err != nil {
		return err
	}
	for i, name := range scatteredClusters {
		processors := max(1, runtime.GOMAXPROCS(0)/len(scatteredClusters))
		if _, err := s.deployment.index(ctx, name, addresses[i], s.etcd, processors); err != nil {
			return err
		}
	}
	s.Near, err = near(ctx, s.etcd)
	return err
}

// Fill puts the first entries into the stack and lets it settle.
func (s *Scattered) Fill(ctx context.Context, entries int, writeOf func(n int) cairn.Write) (err error) {
	if err := fill(ctx, s.Router, entries, writeOf); err != nil {
		return err
	}
	c, err := client.Dial(s.admin, client.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for _, name := range scatteredClusters {
		if err := settle(ctx, name, c.BackupCluster); err != nil {
			return err
		}
	}
	return nil
}

// PIDs are the processes of the indexes, and then those of routers that Serve has
// started.
func (s *Scattered) PIDs() []int {
	var out []int
	for _, process := range s.deployment.processes[1:] { // the first is etcd's
		out = append(out, process.PID())
	}
	return out
}

// Serve starts a router in a process of its own and returns its address.
func (s *Scattered) Serve(ctx context.Context) (address string, err error) {
	process, err := s.deployment.spawn(ctx, partRouter, filepath.Join(s.deployment.folder, "router"), s.etcd)
	if err != nil {
		return "", err
	}
	address, _, _ = strings.Cut(process.Address, " ")
	return address, nil
}

// Declare declares views over the stack's keyspace and waits until they serve.
func (s *Scattered) Declare(ctx context.Context, views ...*cairnv1.View) error {
	return declare(ctx, s.admin, views)
}

// Close ends the router and the processes, and removes their data.
func (s *Scattered) Close() error {
	var errs []error
	if s.Near != nil {
		errs = append(errs, s.Near.Close())
	}
	return errors.Join(append(errs, s.deployment.Stop())...)
}
