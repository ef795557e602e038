package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	moverv1 "cairn/proto/cairn/mover/v1"
)

// This file copies and compares values. Each step at a node is under the call's claim, so
// that a call that was overtaken between reading a value and putting it down fails.

// chunk is how many values are read or put down in one step of a node.
const chunk = 200

// places are keys with the nodes that they go to, as encodeTargets writes those.
type places map[string]string

func (p places) chunks(yield func(keys []string) bool) {
	slices.Chunk(slices.Sorted(maps.Keys(p)), chunk)(yield)
}

// take notes where keys go, and copies their values. The last of one key counts.
func (c *call) take(ctx context.Context, keys []*moverv1.MovedKey) error {
	last := map[string]*moverv1.MovedKey{}
	for _, k := range keys {
		last[string(k.GetKey())] = k
	}
	leaving := map[*node]places{}
	for _, n := range c.from {
		leaving[n] = places{}
	}
	gone := places{}
	for key, k := range last {
		if k.GetGone() || c.stays(k) {
			gone[key] = ""
			continue
		}
		if len(k.GetFrom()) == 0 || c.from[k.GetFrom()[0]] == nil {
			return fmt.Errorf("key %q is at nodes %v, and cluster %s has no such", key, k.GetFrom(), c.move.GetFrom().GetCluster())
		}
		leaving[c.from[k.GetFrom()[0]]][key] = encodeTargets(c.targetsOf(k))
	}
	for n := range leaving {
		var args []any
		for key := range last {
			args = append(args, key, leaving[n][key]) // from no other node than its own
		}
		otherwise, err := c.place(ctx, n, args)
		if err == nil && c.within() {
			err = c.takeBack(ctx, otherwise)
		}
		if err != nil {
			return err
		}
	}
	if !c.within() {
		if err := c.drop(ctx, slices.Collect(maps.Keys(gone))); err != nil {
			return err
		}
	}
	for key := range gone {
		delete(c.uncompared, key)
	}
	for n, p := range leaving {
		if err := c.copy(ctx, n, p); err != nil {
			return err
		}
	}
	return nil
}

// stays tells whether a key's value stays where it is: on a node that goes on to have it
// first, which is the one that is written to.
func (c *call) stays(k *moverv1.MovedKey) bool {
	return c.within() && len(k.GetFrom()) > 0 && len(k.GetTo()) > 0 && k.GetFrom()[0] == k.GetTo()[0]
}

// targetsOf are the nodes that a key's value is brought to.
func (c *call) targetsOf(k *moverv1.MovedKey) []uint32 {
	if !c.within() {
		return k.GetTo()
	}
	return slices.DeleteFunc(slices.Clone(k.GetTo()), func(n uint32) bool { return slices.Contains(k.GetFrom(), n) })
}

// place notes at a node where keys go to, and returns those that were to go elsewhere
// from there, with where.
func (c *call) place(ctx context.Context, n *node, keysAndTargets []any) (otherwise places, err error) {
	otherwise = places{}
	for some := range slices.Chunk(keysAndTargets, 2*chunk) {
		flat, err := c.do(ctx, n, "place", append([]any{c.move.GetId()}, some...)...)
		if err != nil {
			return nil, err
		}
		for i := 0; i < len(flat); i += 2 {
			otherwise[flat[i]] = flat[i+1]
		}
	}
	return otherwise, nil
}

// put has a node put values down: keys, what dump has of them, and how long they live.
// Within a cluster it passes over those that were written there since the move began:
// they are of a key that has its place there by now.
func (c *call) put(ctx context.Context, n *node, values []any) error {
	operation := "put"
	if c.within() {
		operation, values = "bring", append([]any{c.move.GetId()}, values...)
	}
	_, err := c.do(ctx, n, operation, values...)
	return err
}

// takeBack removes what was brought to nodes that keys do not go to any more.
func (c *call) takeBack(ctx context.Context, brought places) error {
	at := map[*node][]any{}
	for key, numbers := range brought {
		targets, err := c.decodeTargets(numbers)
		if err != nil {
			return err
		}
		for _, n := range targets {
			at[n] = append(at[n], key, "", 0)
		}
	}
	for n, values := range at {
		for some := range slices.Chunk(values, 3*chunk) {
			if err := c.put(ctx, n, some); err != nil {
				return err
			}
		}
	}
	return nil
}

// drop removes values from all target nodes.
func (c *call) drop(ctx context.Context, keys []string) error {
	return c.each(c.to, func(n *node) error {
		for some := range slices.Chunk(keys, chunk) {
			args := make([]any, 0, 3*len(some))
			for _, key := range some {
				args = append(args, key, "", 0)
			}
			if err := c.put(ctx, n, args); err != nil {
				return err
			}
		}
		return nil
	})
}

// copy copies values from a node. What changes meanwhile stays noted there.
func (c *call) copy(ctx context.Context, from *node, p places) error {
	for keys := range p.chunks {
		args := []any{c.move.GetId()}
		for _, key := range keys {
			args = append(args, key)
		}
		dumped, err := c.do(ctx, from, "dump", args...)
		if err != nil {
			return err
		}
		puts, copied, bytes := map[*node][]any{}, []any{c.move.GetId()}, 0
		for i, key := range keys {
			targets, err := c.decodeTargets(p[key])
			if err != nil {
				return err
			}
			value, lives, mark := dumped[3*i], dumped[3*i+1], dumped[3*i+2]
			for number, n := range c.to {
				if targets[number] != nil {
					puts[n] = append(puts[n], key, value, lives)
				} else if !c.within() {
					puts[n] = append(puts[n], key, "", 0)
				}
			}
			if mark != "" {
				copied = append(copied, key, mark)
			}
			bytes += len(value)
		}
		err = c.each(c.to, func(n *node) error { return c.put(ctx, n, puts[n]) })
		if err != nil {
			return err
		}
		if _, err := c.do(ctx, from, "copied", copied...); err != nil {
			return err
		}
		for _, key := range keys {
			c.uncompared[key] = from.address + " " + p[key]
		}
		c.change(func(p *moverv1.Progress) {
			p.ValuesCopied += uint64(len(keys))
			p.BytesCopied += uint64(bytes)
		})
	}
	return nil
}

// follow copies values that have changed, at most one chunk of each source node, and
// returns how many that were.
func (c *call) follow(ctx context.Context) (changed int, err error) {
	for _, n := range c.from {
		flat, err := c.do(ctx, n, "changed", c.move.GetId(), chunk)
		if err != nil {
			return changed, err
		}
		p := places{}
		for i := 0; i < len(flat); i += 2 {
			p[flat[i]] = flat[i+1]
		}
		if err := c.copy(ctx, n, p); err != nil {
			return changed, err
		}
		changed += len(p)
	}
	return changed, nil
}

// compare compares up to so many values that were copied, and returns those that differ,
// which without a fence may have changed since: they stay to be compared.
func (c *call) compare(ctx context.Context, most int) (differing []string, err error) {
	byPlace := map[string][]string{}
	for key, place := range c.uncompared {
		if most--; most < 0 {
			break
		}
		byPlace[place] = append(byPlace[place], key)
	}
	for place, all := range byPlace {
		address, numbers, _ := strings.Cut(place, " ")
		targets, err := c.decodeTargets(numbers)
		if err != nil {
			return nil, err
		}
		for keys := range slices.Chunk(all, chunk) {
			args := make([]any, len(keys))
			for i, key := range keys {
				args[i] = key
			}
			var source []string
			for _, n := range c.from {
				if n.address == address {
					if source, err = c.do(ctx, n, "digests", args...); err != nil {
						return nil, err
					}
				}
			}
			if source == nil {
				return nil, fmt.Errorf("node %s is no longer of cluster %s", address, c.move.GetFrom().GetCluster())
			}
			same := make([]bool, len(keys))
			for i := range same {
				same[i] = true
			}
			for _, n := range targets {
				target, err := c.do(ctx, n, "digests", args...)
				if err != nil {
					return nil, err
				}
				for i := range keys {
					same[i] = same[i] && source[i] == target[i]
				}
			}
			for i, key := range keys {
				if same[i] {
					delete(c.uncompared, key)
				} else {
					differing = append(differing, key)
				}
			}
		}
	}
	return differing, nil
}

// empty removes what is noted of a move at a node, and the values: the node's own, or
// those at the target.
func (c *call) empty(ctx context.Context, n *node, move string, own bool) error {
	for {
		flat, err := c.do(ctx, n, "some", move)
		if err != nil {
			return err
		}
		if len(flat) == 0 {
			_, err := c.do(ctx, n, "forget", move)
			return err
		}
		brought, noted, puts := places{}, []any{move}, []any{}
		for i := 0; i < len(flat); i += 2 {
			brought[flat[i]] = flat[i+1]
			noted, puts = append(noted, flat[i], ""), append(puts, flat[i], "", 0)
		}
		switch {
		case own:
			err = c.put(ctx, n, puts)
		case c.within():
			err = c.takeBack(ctx, brought)
		default:
			err = c.drop(ctx, slices.Collect(maps.Keys(brought)))
		}
		if err != nil {
			return err
		}
		if _, err := c.do(ctx, n, "place", noted...); err != nil {
			return err
		}
	}
}
