package etcd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"cairn/bench/load"
	"cairn/bench/spawn"
)

// Group is the members of one etcd, and a client of it.
type Group struct {
	folder    string
	processes []*spawn.Process
	client    *clientv3.Client
}

// Start starts a group of so many members in a temporary folder.
func Start(ctx context.Context, members int) (*Group, error) {
	folder, err := os.MkdirTemp("", "etcd-bench-")
	if err != nil {
		return nil, err
	}
	g := &Group{folder: folder}
	if err := g.start(ctx, members); err != nil {
		return nil, errors.Join(err, g.Stop())
	}
	return g, nil
}

func (g *Group) start(ctx context.Context, members int) error {
	var names, clients, peers []string
	for i := range members {
		names = append(names, fmt.Sprint("m", i+1))
		for _, into := range []*[]string{&clients, &peers} {
			listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			*into = append(*into, listener.Addr().String())
			if err := listener.Close(); err != nil {
				return err
			}
		}
	}
	// All at once: none serves before a majority is there.
	started := make([]*spawn.Process, members)
	failures := make(chan error)
	for i := range names {
		go func() {
			var err error
			started[i], err = spawn.Start(ctx, partMember, names[i], g.folder, clients[i], peers[i], initialCluster(names, peers))
			failures <- err
		}()
	}
	var errs []error
	for range names {
		errs = append(errs, <-failures)
	}
	for _, process := range started {
		if process != nil {
			g.processes = append(g.processes, process)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var err error
	g.client, err = clientv3.New(clientv3.Config{Endpoints: clients[:1], Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	// The member that leads is asked, as a client that cares would.
	for _, address := range clients {
		status, err := g.client.Status(ctx, address)
		if err != nil {
			return fmt.Errorf("ask etcd who leads: %w", err)
		}
		if status.Leader == status.Header.MemberId {
			g.client.SetEndpoints(address)
		}
	}
	return nil
}

// Puts are callers that each put one new key after the other, unary, with a
// value of the size of what Cairn keeps of an entry.
func (g *Group) Puts(keys *load.NewKeys, callers int) []load.Call {
	calls := make([]load.Call, callers)
	for i := range calls {
		calls[i] = func(ctx context.Context) (int, error) {
			if _, err := g.client.Put(ctx, string(keys.Next()), "north-a"); err != nil {
				return 0, err
			}
			return 1, nil
		}
	}
	return calls
}

// Stop ends the members and removes their data.
func (g *Group) Stop() error {
	var errs []error
	if g.client != nil {
		errs = append(errs, g.client.Close())
	}
	for _, process := range g.processes {
		errs = append(errs, process.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(g.folder))...)
}
