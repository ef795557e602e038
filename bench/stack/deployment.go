package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"cairn/bench/spawn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

// Keyspace is the name of the keyspace that every stack has.
const Keyspace = "customers"

const clusterName = "north"

// Deployment is Cairn as processes: a router, the index of one cluster, and
// etcd.
type Deployment struct {
	// Router is the router's address.
	Router string

	folder     string
	cacheBytes int64            // of the router
	etcd       string           // its URL
	processes  []*spawn.Process // in the order they were started
}

// Deploy starts a deployment with an empty keyspace in a temporary folder.
func Deploy(ctx context.Context) (*Deployment, error) { return DeployCached(ctx, 0) }

// DeployCached is Deploy whose router caches locations in so many bytes.
func DeployCached(ctx context.Context, bytes int64) (*Deployment, error) {
	d, err := newDeployment()
	if err != nil {
		return nil, err
	}
	d.cacheBytes = bytes
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	return d, nil
}

// newDeployment is a deployment of no processes yet.
func newDeployment() (*Deployment, error) {
	folder, err := os.MkdirTemp("", "cairn-bench-")
	if err != nil {
		return nil, err
	}
	return &Deployment{folder: folder}, nil
}

func (d *Deployment) start(ctx context.Context) error {
	first, err := d.spawn(ctx, partEtcd, filepath.Join(d.folder, "etcd"))
	if err != nil {
		return err
	}
	var address string
	address, d.etcd, _ = strings.Cut(first.Address, " ")
	index, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	if err := apply(ctx, address, clusterAt(clusterName, index), keyspace()); err != nil {
		return err
	}
	if _, err := d.index(ctx, clusterName, index, d.etcd, runtime.GOMAXPROCS(0)); err != nil {
		return err
	}
	router, err := d.spawn(ctx, partRouter, filepath.Join(d.folder, "router"), d.etcd, strconv.FormatInt(d.cacheBytes, 10))
	if err != nil {
		return err
	}
	d.Router, _, _ = strings.Cut(router.Address, " ")
	return nil
}

func (d *Deployment) spawn(ctx context.Context, part string, args ...string) (*spawn.Process, error) {
	process, err := spawn.Start(ctx, part, args...)
	if err == nil {
		d.processes = append(d.processes, process)
	}
	return process, err
}

// index starts the index of a cluster at an address, with so many processors.
func (d *Deployment) index(ctx context.Context, cluster, address, etcd string, processors int) (*spawn.Process, error) {
	return d.spawn(ctx, partIndex, cluster, address, filepath.Join(d.folder, cluster), etcd, strconv.Itoa(processors))
}

// Near opens a router in this process beside the deployment's own.
func (d *Deployment) Near(ctx context.Context) (*Near, error) { return near(ctx, d.etcd) }

// Stop ends the processes, the last started first, and removes their data.
func (d *Deployment) Stop() error {
	var errs []error
	for i := len(d.processes) - 1; i >= 0; i-- {
		errs = append(errs, d.processes[i].Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(d.folder))...)
}

// IndexUsage is what the index has resident, pages of its mapped file included,
// and what its files have on disk, in bytes.
func (d *Deployment) IndexUsage() (memory, disk int64, err error) {
	return usageOf(d.processes[1], filepath.Join(d.folder, clusterName)) // etcd was started before it
}

// clusterAt is a cluster of three nodes whose index's replicas will be at these
// addresses.
func clusterAt(name string, index ...string) *cairnv1.Resource {
	cluster := &cairnv1.Cluster{Name: "clusters/" + name, IndexReplicas: index}
	for i := range 3 {
		cluster.Nodes = append(cluster.Nodes, &cairnv1.Node{
			Name: fmt.Sprintf("%s-%c", name, 'a'+i), Address: fmt.Sprintf("10.0.0.%d:5432", i+1),
		})
	}
	return &cairnv1.Resource{Resource: &cairnv1.Resource_Cluster{Cluster: cluster}}
}

func keyspace() *cairnv1.Resource {
	return &cairnv1.Resource{Resource: &cairnv1.Resource_Keyspace{Keyspace: &cairnv1.Keyspace{
		Name:      "keyspaces/" + Keyspace,
		Placement: &cairnv1.Placement{Scheme: cairnv1.Placement_HASH, InitialShards: 64},
		Attributes: map[string]*cairnv1.Attribute{
			"country": {Type: cairnv1.Attribute_STRING},
			"seats":   {Type: cairnv1.Attribute_INT},
		},
	}}}
}

// apply declares resources through a router.
func apply(ctx context.Context, router string, resources ...*cairnv1.Resource) error {
	c, err := client.Dial(router, client.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Admin().Apply(ctx, &cairnv1.ApplyRequest{Resources: resources}); err != nil {
		return fmt.Errorf("declare what is measured: %w", err)
	}
	return nil
}

// freeAddress is a loopback address that nothing listens on now.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", anyPort)
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
