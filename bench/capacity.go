package main

import (
	"errors"
	"flag"
	"io"

	"cairn/bench/capacity"
)

// needs computes what a deployment needs, and writes it.
func needs(out io.Writer, args []string) error {
	flags := flag.NewFlagSet("capacity", flag.ContinueOnError)
	var d capacity.Demand
	var m capacity.Machine
	for _, each := range []struct {
		to          *float64
		name, usage string
		value       float64
	}{
		{&d.Keys, "keys", "all entries", 10e9},
		{&d.Clusters, "clusters", "clusters that they are spread over", 300},
		{&d.Replicas, "replicas", "replicas of each cluster's index", 3},
		{&d.Locates, "locates", "keys located a second", 2e6},
		{&d.LocateBatch, "locate-batch", "keys in a request for locating", 1},
		{&d.Writes, "writes", "writes a second", 50e3},
		{&d.WriteBatch, "write-batch", "writes in a request", 1},
		{&d.EntriesAShard, "entries-a-shard", "entries that shards are kept at", 100e3},
		{&d.Views, "views", "views of all entries", 0},
		{&m.Cores, "cores", "cores of a machine", 16},
		{&m.MemoryGiB, "memory", "GiB of memory of a machine", 128},
		{&m.DiskMBs, "disk", "MB a second that its disk writes in random order", 300},
		{&m.Share, "share", "how much of a machine is planned for, of 1", 0.6},
	} {
		flags.Float64Var(each.to, each.name, each.value, each.usage)
	}
	flags.BoolVar(&d.Embedded, "embedded", false, "routers are in the callers' processes")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	for _, v := range []float64{d.Keys, d.Clusters, d.Replicas, d.Locates, d.LocateBatch, d.Writes, d.WriteBatch, d.EntriesAShard, m.Cores, m.MemoryGiB, m.DiskMBs, m.Share} {
		if !(v > 0) {
			return errors.New("everything but -views is above 0")
		}
	}
	if flags.NArg() > 0 || d.Views < 0 {
		return errors.New("nothing but flags, and no fewer than no views")
	}
	computed := capacity.Plan(d, m, capacity.Measured)
	computed.Write(out, d, m)
	return nil
}
