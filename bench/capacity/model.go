package capacity

import (
	"cmp"
	"math"
	"slices"
)

// Demand is what a deployment is to hold and to answer.
type Demand struct {
	// Keys are all entries, Clusters what they are spread over evenly, Replicas
	// how many each index has.
	Keys, Clusters, Replicas float64
	// Locates and Writes are how many a second, in all, with so many keys in a
	// request of each.
	Locates, LocateBatch float64
	Writes, WriteBatch   float64
	// Embedded has callers with the router in their own process: no processes
	// of routers then.
	Embedded bool
	// EntriesAShard is how large shards are kept; Views how many views there
	// are of all entries.
	EntriesAShard, Views float64
}

// Machine is one machine, and how much of it may be in use.
type Machine struct {
	Cores, MemoryGiB, DiskMBs float64
	// Share is how much of the processors, the memory and the disk is planned
	// for: the rest is for peaks, moves and the loss of a replica.
	Share float64
}

// Costs are what things cost: bytes, and microseconds of one processor.
type Costs struct {
	IndexBase, Entry float64 // bytes resident, of an index and of each entry in it
	FirstView, View  float64 // bytes resident for an entry: of a keyspace's first view and of each more
	Shard            float64 // bytes of the map, in every router
	ShardRecord      float64 // bytes in etcd
	WriteBytes       float64 // bytes written to disk for a new entry, checkpoints included

	// The processor time of one key, and what a request of any size adds: one
	// from a client to a router, one from a router to an index for either, and a
	// put at each replica.
	RouterKey, RouterRequest, RouterAsk float64
	IndexKey, IndexRequest              float64
	PutKey, PutRequest                  float64
}

// The limits that are ours or etcd's.
const (
	mostEntries    = 1 << 32   // in one index: ordinals have 32 bits
	mostShards     = 1_000_000 // that have been measured in one map
	mostEtcdBytes  = 8 << 30   // the quota that etcd advises at the most
	mostFollowers  = 10_000    // watches of the map that one etcd is planned with
	microseconds   = 1e6
	gibibyte       = 1 << 30
	megabyte       = 1e6
	fewestRouters  = 2
	etcdsMembers   = 3
	etcdBytesTimes = 2 // a record and its last revision, until etcd compacts
)

// Needs are what a Demand needs.
type Needs struct {
	EntriesAnIndex, IndexBytes    float64
	Shards, MapBytes, EtcdBytes   float64
	IndexCores, RouterCores       float64 // in all
	WriteMBs                      float64 // of one index
	IndexMachines, RouterMachines float64 // with etcd's, all that there are
	ReplicasAMachine              float64
	Followers                     float64
	Limits                        []Limit // how near each is, the nearest first
}

// Limit is how much of something is used.
type Limit struct {
	Name     string
	Used, Of float64
}

// Share is how much of it is used, of one.
func (l Limit) Share() float64 { return l.Used / l.Of }

// Plan computes what is needed. Replicas of one cluster are on different
// machines; those of different clusters may share one.
func Plan(d Demand, m Machine, c Costs) Needs {
	var n Needs
	indexes := d.Clusters * d.Replicas
	n.EntriesAnIndex = d.Keys / d.Clusters
	perEntry := c.Entry
	if d.Views > 0 {
		perEntry += c.FirstView + (d.Views-1)*c.View
	}
	n.IndexBytes = c.IndexBase + n.EntriesAnIndex*perEntry
	n.Shards = math.Ceil(d.Keys / d.EntriesAShard)
	n.MapBytes = n.Shards * c.Shard
	n.EtcdBytes = n.Shards * c.ShardRecord * etcdBytesTimes

	// A batch of keys from anywhere becomes a request to each cluster that has
	// some of them.
	asked := func(batch float64) float64 {
		return d.Clusters * (1 - math.Pow(1-1/d.Clusters, batch)) / batch
	}
	locates := d.Locates * (c.IndexKey + c.IndexRequest*asked(d.LocateBatch))
	puts := d.Writes * (c.PutKey + c.PutRequest*asked(d.WriteBatch)) * d.Replicas
	n.IndexCores = (locates + puts) / microseconds
	routed := func(rate, batch float64) float64 {
		each := c.RouterKey + c.RouterAsk*asked(batch)
		if !d.Embedded {
			each += c.RouterRequest / batch
		}
		return rate * each / microseconds
	}
	n.RouterCores = routed(d.Locates, d.LocateBatch) + routed(d.Writes, d.WriteBatch)
	n.WriteMBs = d.Writes / d.Clusters * c.WriteBytes / megabyte

	byMemory := indexes * n.IndexBytes / (m.MemoryGiB * gibibyte * m.Share)
	byCores := n.IndexCores / (m.Cores * m.Share)
	byDisk := indexes * n.WriteMBs / (m.DiskMBs * m.Share)
	n.IndexMachines = math.Max(d.Replicas, math.Ceil(max(byMemory, byCores, byDisk)))
	n.ReplicasAMachine = indexes / n.IndexMachines
	if !d.Embedded {
		n.RouterMachines = math.Max(fewestRouters, math.Ceil(n.RouterCores/(m.Cores*m.Share)))
	}
	n.Followers = indexes + n.RouterMachines

	n.Limits = []Limit{
		{"memory of the machines with indexes", byMemory, n.IndexMachines},
		{"their processors", byCores, n.IndexMachines},
		{"their disks", byDisk, n.IndexMachines},
		{"entries of an index", n.EntriesAnIndex, mostEntries},
		{"memory of one index on one machine", n.IndexBytes, m.MemoryGiB * gibibyte * m.Share},
		{"shards of the map", n.Shards, mostShards},
		{"etcd's quota", n.EtcdBytes, mostEtcdBytes},
		{"who follows the map", n.Followers, mostFollowers},
	}
	slices.SortStableFunc(n.Limits, func(a, b Limit) int { return cmp.Compare(b.Share(), a.Share()) })
	return n
}

// Machines are all that there are, etcd's included.
func (n *Needs) Machines() float64 { return n.IndexMachines + n.RouterMachines + etcdsMembers }
