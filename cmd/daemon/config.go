package daemon

import (
	"io"
	"log/slog"
	"math"
	"time"

	"cairn"
	"cairn/cmd/secure"
	"cairn/nodeindex/replica"
	"cairn/router/server"
)

// Where servers listen unless they are told otherwise.
const (
	DefaultListen      = "127.0.0.1:7600"
	DefaultHTTP        = "127.0.0.1:7601"
	DefaultIndexListen = "127.0.0.1:7711"
	DefaultIndexHTTP   = "127.0.0.1:7712"
)

// ShutdownTimeout is how long a server may take to end after its context has.
const ShutdownTimeout = 5 * time.Second

// Addresses are where a server listens, with the real ports.
type Addresses struct {
	// Listen is the public gRPC listener's, as in "127.0.0.1:7600".
	Listen string
	// HTTP is the admin listener's; empty if there is none.
	HTTP string
	// Etcd is the embedded etcd's URL; empty outside the development stack.
	Etcd string
}

// Common is what every server's Config has.
type Common struct {
	// Listen is the public gRPC address, as in "127.0.0.1:7600"; port 0 takes
	// a free one.
	Listen string
	// HTTP is the admin address; empty: no admin listener.
	HTTP string
	// Insecure allows listeners off the loopback interface without TLS.
	Insecure bool
	// TLS has every listener take TLS alone, and every other process of Cairn be called
	// by it; etcd where its URL says https.
	TLS secure.Files
	// Log takes the events; nil: nothing is logged.
	Log *slog.Logger
	// Stdout gets one line that starts with "ready" and names the addresses,
	// once the server serves; nil: nobody does.
	Stdout io.Writer
	// Ready, if set, is called once with the addresses, after that line.
	Ready func(Addresses)

	transport *secure.Transport // after prepare; nil without TLS
}

// RouterConfig is what RunRouter needs.
type RouterConfig struct {
	Common
	// Etcd are the URLs of the etcd that holds the map.
	Etcd []string
	// Data is the directory of the map's journal, from which the router
	// serves while etcd is down at its start; empty: it then waits for etcd.
	Data string
	// Zone is where the router runs, as manifests spell it: replicas there are
	// asked first. Empty: all are as good.
	Zone string
	// Choose is which of an entry's nodes to use where a request does not say.
	Choose cairn.NodeRule
	// Fleet is where other routers reach this one, as in "10.0.0.5:7602": those that
	// have one share their questions about views. Port 0 takes a free one. Empty: the
	// router is of no fleet.
	Fleet string
	// FleetSilence is how long another router may say nothing before the index is
	// asked in its place; 0 for the default of package fleet.
	FleetSilence time.Duration
	// Callers bound what each caller may ask.
	Callers server.CallerLimits
	// Moves is how this router carries moves out, when it is the one to.
	Moves Moves
	// Cache is of the cache of locations.
	Cache Cache
}

// Cache bounds a router's cache of locations. The zero Cache is none.
type Cache struct {
	// Bytes is how much memory it may take, in about; 0 for no cache.
	Bytes int64
	// Staleness is how long an eventual read may be answered from it after an index
	// was last heard of; 0 for router.DefaultCacheStaleness.
	Staleness time.Duration
	// CheckEvery has one of so many answers compared with an index's; 0 for
	// router.DefaultCheckEvery.
	CheckEvery uint32
}

func (c Cache) validate() error {
	if c.Bytes < 0 {
		return cairn.Invalid("cache-bytes", "NEGATIVE", "%d is below zero", c.Bytes)
	}
	if c.Staleness < 0 {
		return cairn.Invalid("cache-staleness", "NEGATIVE", "%s is below zero", c.Staleness)
	}
	return nil
}

// IndexConfig is what RunIndex needs.
type IndexConfig struct {
	Common
	// Cluster is the name of the cluster whose index this is.
	Cluster string
	// Data is the index's directory.
	Data string
	// Advertise is the address by which routers and other replicas find this
	// one; empty: that of Listen.
	Advertise string
	// Join has an empty directory wait to be made another replica of the index
	// that the cluster has, instead of beginning it.
	Join bool
	// Restored has a directory that Restore or RecoverIndex made take the place of
	// the index that the cluster has. Replaces is the replica that has that place,
	// where the index has been restored since the directory was saved.
	Restored bool
	Replaces string
	// Etcd are the URLs of the etcd that holds the map.
	Etcd []string
	// Checkpoint says when a checkpoint is due.
	Checkpoint Checkpoint
	// Changes bound the changes kept on disk for watches.
	Changes Changes
	// Tune, if set, may change how the replica is opened: for tests, whose disks
	// hang and whose clocks jump.
	Tune func(*replica.Config)
}

// Checkpoint says when the changes that an index holds in memory are written
// to its file; whichever comes first counts. Zeros stand for the defaults of
// package replica.
type Checkpoint struct {
	// Bytes is how much memory they may take.
	Bytes int64
	// Age is how old the oldest of them may get.
	Age time.Duration
}

// Changes bound the changes that an index keeps on its disk for watches; zeros
// stand for the defaults of package nodeindex/changelog.
type Changes struct {
	Bytes int64
	Age   time.Duration
}

// DevConfig is what RunDev needs.
type DevConfig struct {
	Common
	// Data is the directory of everything: etcd/ and etcd.log, and clusters/
	// with a directory for each index, named by its cluster's uid. It is made
	// if it does not exist.
	Data string
	// Checkpoint says when a checkpoint of an index is due.
	Checkpoint Checkpoint
	// Cache is of the router's cache of locations.
	Cache Cache
}

// prepare fills in what is not set, and reads the files.
func (c *Common) prepare() (err error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	c.transport, err = secure.Open(c.TLS, c.Log)
	return err
}

func (c *Common) validate() error {
	if c.Listen == "" {
		return cairn.Invalid("listen", "LISTEN_MISSING", "no address to listen on; one looks like %s", DefaultListen)
	}
	return nil
}

func (c *RouterConfig) validate() error {
	if err := c.Common.validate(); err != nil {
		return err
	}
	for field, value := range map[string]int64{
		"caller-rate": int64(math.Floor(c.Callers.Rate)), "caller-calls": int64(c.Callers.Calls),
		"moves-per-cluster": int64(c.Moves.PerCluster), "move-bytes": c.Moves.Rate.Bytes, "move-entries": c.Moves.Rate.Entries,
	} {
		if value < 0 {
			return cairn.Invalid(field, "NEGATIVE", "%d is below zero", value)
		}
	}
	if err := c.Cache.validate(); err != nil {
		return err
	}
	return validateEtcd(c.Etcd)
}

func (c *IndexConfig) validate() error {
	if err := c.Common.validate(); err != nil {
		return err
	}
	switch {
	case c.Cluster == "":
		return cairn.Invalid("cluster", "CLUSTER_MISSING", "name the cluster whose index this is")
	case c.Data == "":
		return cairn.Invalid("data", "DATA_MISSING", "name the directory that holds the index")
	case c.Join && c.Restored:
		return cairn.Invalid("restored", "FLAGS_EXCLUSIVE", "a restored directory takes the index's place; it can't join it")
	case c.Replaces != "" && !c.Restored:
		return cairn.Invalid("replaces", "FLAGS_EXCLUSIVE", "only a restored directory replaces another; say --restored too")
	}
	return validateEtcd(c.Etcd)
}

func (c *DevConfig) validate() error {
	if c.Data == "" {
		return cairn.Invalid("data", "DATA_MISSING", "name the directory that holds the stack's data")
	}
	if err := c.Cache.validate(); err != nil {
		return err
	}
	return c.Common.validate()
}
