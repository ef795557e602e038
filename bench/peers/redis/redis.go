package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"cairn/bench/load"
	"cairn/bench/locates"
	"cairn/bench/peers/server"
	"cairn/bench/report"
)

const (
	peerName = "Redis 7"
	install  = "apt-get install redis-server"
)

// settings are what the documentation advises for a cache: nothing is written
// to disk. It advises threads for input and output from four cores up; without
// them it is one thread.
var settings = []string{"--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--daemonize", "no", "--loglevel", "warning"}

// Redis is Redis with a string for each entry: the name of its node.
type Redis struct {
	server    *server.Server
	pipelined rueidis.Client
	plain     rueidis.Client
	version   string
}

// Open starts it, empty. It is a *server.Missing where it is not installed.
func Open(ctx context.Context, callers int) (*Redis, error) {
	program, err := server.Find(peerName, "", "redis-server", install)
	if err != nil {
		return nil, err
	}
	s, err := server.New(ctx, false)
	if err != nil {
		return nil, err
	}
	r := &Redis{server: s}
	err = s.Start(ctx, program, append([]string{"--port", strconv.Itoa(s.Port), "--dir", s.Folder}, settings...)...)
	if err == nil {
		err = s.Await(ctx, func(ctx context.Context) error { return r.dial(ctx, callers) })
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// dial connects once both clients can, and asks for the version.
func (r *Redis) dial(ctx context.Context, callers int) (err error) {
	option := rueidis.ClientOption{
		InitAddress: []string{fmt.Sprintf("127.0.0.1:%d", r.server.Port)},
		// Keys are read once, so that being told of their changes only costs.
		DisableCache: true,
	}
	if r.pipelined == nil {
		if r.pipelined, err = rueidis.NewClient(option); err != nil {
			r.pipelined = nil
			return err
		}
	}
	if r.plain == nil {
		option.DisableAutoPipelining, option.BlockingPoolSize = true, callers
		if r.plain, err = rueidis.NewClient(option); err != nil {
			r.plain = nil
			return err
		}
	}
	hello, err := r.pipelined.Do(ctx, r.pipelined.B().Hello().Protover(3).Build()).AsMap()
	if err != nil {
		return err
	}
	version := hello["version"]
	r.version, err = version.ToString()
	return err
}

// Peer says what it is.
func (r *Redis) Peer() report.Peer {
	return report.Peer{Name: "Redis", Version: r.version, Settings: "no persistence, one thread, TCP on loopback, rueidis, which pipelines by itself; plain: a connection a caller"}
}

// PIDs are its processes.
func (r *Redis) PIDs() []int { return r.server.PIDs() }

// Fill sets a string for each of the first entries.
func (r *Redis) Fill(ctx context.Context, entries int, nodes locates.Nodes) error {
	const batch = 2_000
	for first := 0; first < entries; first += batch {
		of, err := nodes(ctx, first, min(first+batch, entries))
		if err != nil {
			return err
		}
		sets := make(rueidis.Commands, len(of))
		for i, node := range of {
			sets[i] = r.pipelined.B().Set().Key(string(load.Key(first + i))).Value(node).Build()
		}
		for _, result := range r.pipelined.DoMulti(ctx, sets...) {
			if err := result.Error(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Pipelined is asked through the connections that all callers share, their
// commands pipelined.
func (r *Redis) Pipelined() locates.Side { return side{r.pipelined} }

// Plain is asked by each caller through a connection of its own, a command
// after the answer to the one before.
func (r *Redis) Plain() locates.Side { return side{r.plain} }

// Close ends it and removes its data.
func (r *Redis) Close() error {
	for _, client := range []rueidis.Client{r.pipelined, r.plain} {
		if client != nil {
			client.Close()
		}
	}
	return r.server.Stop()
}

type side struct{ client rueidis.Client }

func (s side) Locate(ctx context.Context, batch *locates.Batch) error {
	node, err := s.client.Do(ctx, s.client.B().Get().Key(batch.Texts[0]).Build()).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		return err
	}
	return batch.Put(0, node)
}

func (s side) LocateBatch(ctx context.Context, batch *locates.Batch) error {
	nodes, err := s.client.Do(ctx, s.client.B().Mget().Key(batch.Texts...).Build()).ToArray()
	if err != nil {
		return err
	}
	for i := range nodes {
		node, err := nodes[i].ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
		if err := batch.Put(i, node); err != nil {
			return err
		}
	}
	return nil
}
