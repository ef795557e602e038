package main

import (
	"context"
	"fmt"

	"cairn/bench/etcd"
	"cairn/bench/floor"
	"cairn/bench/spawn"
	"cairn/bench/stack"
)

// playPart is what a process does that spawn started.
func playPart(ctx context.Context, name string, args []string) error {
	if played, err := stack.Play(ctx, name, args); played {
		return err
	}
	if played, err := etcd.Play(ctx, name, args); played {
		return err
	}
	switch name {
	case "echo":
		next := ""
		if len(args) > 0 {
			next = args[0]
		}
		return floor.Serve(next, spawn.Ready)
	}
	return fmt.Errorf("there is no part %q", name)
}
