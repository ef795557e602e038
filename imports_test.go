package cairn_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// may says what a package may import beside the standard library: packages of
// this module by their path below it, and others by a prefix of their path.
// The root package is ".", "*" stands for all packages of this module.
type may struct {
	packages []string
	modules  []string
}

const (
	grpcModule     = "google.golang.org/grpc"
	protobufModule = "google.golang.org/protobuf"
	genproto       = "google.golang.org/genproto/googleapis"
	etcdClient     = "go.etcd.io/etcd/client/v3"
	etcdAPI        = "go.etcd.io/etcd/api/v3"
	etcdServer     = "go.etcd.io/etcd/server/v3"
	bbolt          = "go.etcd.io/bbolt"
	hashicorpRaft  = "github.com/hashicorp/raft"
	roaring        = "github.com/RoaringBitmap/roaring/v2"
)

// importTable is who may import whom. A package that is not in it has no
// place yet: give it one, with the least that it needs.
var importTable = map[string]may{
	".": {},

	"proto/cairn/v1":       {modules: []string{grpcModule, protobufModule, genproto}},
	"proto/cairn/index/v1": {packages: []string{"."}, modules: []string{grpcModule, protobufModule, genproto}},
	"proto/cairn/fleet/v1": {packages: []string{"proto/cairn/index/v1"}, modules: []string{grpcModule, protobufModule}},
	"proto/cairn/mover/v1": {modules: []string{grpcModule, protobufModule}},
	"proto/channel":        {modules: []string{grpcModule}},
	"proto/rpcerr":         {packages: []string{"."}, modules: []string{grpcModule, protobufModule, genproto}},

	"proto/wire": {packages: []string{".", "proto/cairn/v1"}, modules: []string{protobufModule}},

	"shardmap/placement": {packages: []string{"."}, modules: []string{"github.com/cespare/xxhash/v2"}},
	"shardmap/catalog":   {packages: []string{"."}},
	"shardmap":           {packages: []string{".", "shardmap/catalog", "shardmap/placement"}},
	"shardmap/plan":      {packages: []string{".", "shardmap", "shardmap/catalog", "shardmap/placement"}},
	"shardmap/nodeplan":  {packages: []string{".", "shardmap", "shardmap/catalog"}},
	// Worlds in which plans are tried.
	"shardmap/plan/simulate": {
		packages: []string{".", "shardmap", "shardmap/catalog", "shardmap/plan"},
		modules:  []string{"github.com/cespare/xxhash/v2"},
	},
	// The map out of what indexes know of it.
	"shardmap/rebuild": {packages: []string{".", "shardmap", "shardmap/catalog"}},
	"shardmap/etcdstore": {
		packages: []string{".", "shardmap", "shardmap/catalog", "shardmap/placement"},
		modules:  []string{etcdClient, etcdAPI, grpcModule, "golang.org/x/sync"}, // the codes and statuses of etcd's errors
	},

	// A real etcd for tests.
	"shardmap/etcdstore/etcdtest": {modules: []string{etcdClient, etcdServer, "go.uber.org/zap"}},

	"nodeindex": {
		packages: []string{".", "nodeindex/changelog", "nodeindex/durable", "nodeindex/pace", "nodeindex/projection", "shardmap/placement"},
		modules:  []string{bbolt, roaring, "github.com/cespare/xxhash/v2"},
	},
	// The changes of one index, in files.
	"nodeindex/changelog": {packages: []string{".", "nodeindex/durable"}},
	// The steps by which files become durable, and what a crash between them leaves.
	"nodeindex/durable":           {},
	"nodeindex/durable/crashtest": {packages: []string{"nodeindex/durable"}},
	// Rests of what takes long.
	"nodeindex/pace": {},
	// The views of one keyspace in one index.
	"nodeindex/projection": {packages: []string{".", "views", "views/filter"}, modules: []string{roaring}},
	"nodeindex/replica": {
		packages: []string{".", "nodeindex", "nodeindex/durable", "nodeindex/pace"},
		modules:  []string{hashicorpRaft, "github.com/hashicorp/raft-wal", "github.com/hashicorp/go-hclog"},
	},
	"nodeindex/server": {
		packages: []string{".", "proto/cairn/index/v1", "proto/rpcerr"},
		modules:  []string{grpcModule, protobufModule, genproto, "golang.org/x/sync"},
	},

	"router": {
		packages: []string{".", "router/admit", "router/cache", "router/collapse", "shardmap", "shardmap/catalog", "shardmap/placement", "views/page"},
		modules:  []string{"golang.org/x/sync"},
	},
	// Simulated clusters for tests.
	"router/internal/bed": {packages: []string{".", "router", "shardmap", "shardmap/catalog", "shardmap/placement", "views/filter", "views/page"}},
	"router/peer": {
		packages: []string{".", "router", "router/balance", "shardmap/catalog", "proto/cairn/index/v1", "proto/channel", "proto/rpcerr"},
		modules:  []string{grpcModule, protobufModule, genproto},
	},
	// Which replica is asked: decided, not done.
	"router/admit":   {},
	"router/balance": {},
	"router/move":    {packages: []string{".", "shardmap", "shardmap/catalog"}},
	"router/datamover": {
		packages: []string{".", "router/move", "shardmap", "shardmap/catalog", "proto/cairn/mover/v1", "proto/channel", "proto/rpcerr"},
		modules:  []string{grpcModule, protobufModule},
	},
	"router/health":   {packages: []string{"."}, modules: []string{grpcModule}},
	"router/coalesce": {packages: []string{"."}},
	// One request of identical ones that are in flight.
	"router/collapse": {},
	// Located keys, and how fresh each is.
	"router/cache": {packages: []string{".", "shardmap/catalog"}, modules: []string{"github.com/maypok86/otter/v2"}},
	// The other routers of a fleet.
	"router/fleet": {
		packages: []string{".", "router", "router/rendezvous", "proto/cairn/fleet/v1", "proto/cairn/index/v1", "proto/channel", "proto/rpcerr"},
		modules:  []string{grpcModule},
	},
	// Who of the fleet's routers keeps what.
	"router/rendezvous": {modules: []string{"github.com/cespare/xxhash/v2"}},
	"router/admin": {
		packages: []string{".", "router", "shardmap", "shardmap/catalog", "shardmap/nodeplan", "shardmap/plan", "shardmap/placement"},
		modules:  []string{"golang.org/x/sync"},
	},
	"router/server": {
		packages: []string{".", "router", "router/admin", "router/admit", "shardmap", "shardmap/catalog", "shardmap/nodeplan", "shardmap/plan", "proto/cairn/v1", "proto/rpcerr", "proto/wire"},
		modules:  []string{grpcModule, protobufModule, genproto, "golang.org/x/sync", "golang.org/x/time"},
	},
	"router/client": {
		packages: []string{".", "router/admit", "proto/cairn/v1", "proto/channel", "proto/rpcerr", "proto/wire"},
		modules:  []string{grpcModule, protobufModule, genproto},
	},

	"views/order":  {packages: []string{"."}, modules: []string{roaring}},
	"views/filter": {packages: []string{"."}, modules: []string{roaring, "cel.dev/cel-go"}},
	"views/page":   {packages: []string{"."}},
	"views":        {packages: []string{".", "views/order", "views/filter", "views/page"}, modules: []string{roaring}},

	// Mutual TLS, and certificates for tests of it.
	"cmd/secure":            {packages: []string{"."}, modules: []string{grpcModule}},
	"cmd/secure/securetest": {packages: []string{"cmd/secure"}},

	"cmd/manifest": {packages: []string{".", "shardmap/catalog"}, modules: []string{"github.com/goccy/go-yaml"}},
	"cmd/daemon": {
		packages: []string{"*"},
		modules: []string{grpcModule, protobufModule, etcdClient, etcdAPI, etcdServer, "go.etcd.io/etcd/client/pkg/v3",
			"go.uber.org/zap", "github.com/prometheus", "golang.org/x/sync", "github.com/hashicorp/go-hclog"},
	},
	"cmd/cairn/keytext":  {packages: []string{"."}},
	"cmd/cairn/progress": {packages: []string{"cmd/cairn/render"}},
	"cmd/cairn/records":  {packages: []string{".", "cmd/cairn/keytext"}},
	"cmd/cairn/render":   {packages: []string{"."}, modules: []string{"github.com/goccy/go-yaml"}},
	"cmd/cairn/scrape":   {packages: []string{"."}, modules: []string{"github.com/prometheus"}},
	"cmd/cairn/load":     {packages: []string{".", "cmd/cairn/records", "router/client"}, modules: []string{"golang.org/x/sync"}},
	"cmd/cairn": {
		packages: []string{"*"},
		modules: []string{grpcModule, protobufModule, "github.com/spf13", "github.com/goccy/go-yaml",
			"golang.org/x/term", "golang.org/x/sync", roaring}, // which exported views are in
	},

	"bench": {packages: []string{"*"}, modules: []string{grpcModule, protobufModule, bbolt, "github.com/spf13", "golang.org/x/sync"}},
	"bench/etcd": {
		packages: []string{"bench/load", "bench/locates", "bench/report", "bench/spawn", "bench/ycsb"},
		modules:  []string{etcdClient, etcdServer, "golang.org/x/sync", "go.uber.org/zap"},
	},
	"bench/floor": {packages: []string{"bench/load", "proto/cairn/v1"}, modules: []string{grpcModule, protobufModule, bbolt, roaring}},
	"bench/load":  {modules: []string{"github.com/HdrHistogram/hdrhistogram-go"}},
	// What a deployment needs, computed.
	"bench/capacity": {},
	// What is asked of those who know where keys live.
	"bench/locates": {packages: []string{".", "bench/load", "bench/report"}},
	"bench/plot":    {},
	"bench/report":  {packages: []string{"bench/load", "bench/plot"}},
	"bench/spawn":   {},
	"bench/stack":   {packages: []string{"*"}, modules: []string{grpcModule, protobufModule, etcdClient, "golang.org/x/sync", "go.uber.org/zap"}},
	// YCSB's workloads, mapped to Cairn.
	"bench/ycsb": {packages: []string{"bench/load"}},
	// Cairn as one that is asked for both.
	"bench/subject": {packages: []string{".", "bench/load", "bench/locates", "bench/stack", "bench/ycsb", "proto/cairn/v1", "router"}},
	// What is asked of views. bench/peers, which asks others the same, is a
	// module of its own.
	"bench/views": {packages: []string{".", "bench/load", "bench/report", "bench/stack", "proto/cairn/v1"}},
}

// links says what a binary that imports a package must not carry, through
// whomever: what a data service that embeds the router does not pay for.
var links = map[string][]string{
	".":             {"google.golang.org", "go.etcd.io", "github.com"},
	"shardmap":      {grpcModule, protobufModule, "go.etcd.io"},
	"nodeindex":     {grpcModule, "go.etcd.io/etcd", hashicorpRaft}, // CEL's library brings protobuf
	"router":        {grpcModule, protobufModule, "go.etcd.io", hashicorpRaft, "cel.dev"},
	"router/admin":  {grpcModule, protobufModule, "go.etcd.io", hashicorpRaft, "cel.dev"},
	"router/client": {"go.etcd.io", hashicorpRaft, "cel.dev"},
	"router/peer":   {"go.etcd.io", hashicorpRaft, "cel.dev"},
	"router/server": {bbolt, etcdServer, hashicorpRaft, "cel.dev"},
	// The store of a service that routes in process.
	"shardmap/etcdstore": {bbolt, etcdServer, hashicorpRaft, "cel.dev"},
}

const module = "cairn"

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

// TestImports holds the import table: who may know whom, and what each part
// may bring into a binary.
func TestImports(t *testing.T) {
	packages := list(t)
	standard := map[string]bool{}
	for _, p := range packages {
		standard[p.ImportPath] = p.Standard
	}
	seen := map[string]bool{}
	for _, p := range packages {
		path, ours := ofModule(p.ImportPath)
		if !ours {
			continue
		}
		seen[path] = true
		rule, known := importTable[path]
		if !known {
			t.Errorf("package %s is not in the import table of imports_test.go", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if standard[imported] || imported == "C" {
				continue
			}
			if inner, ours := ofModule(imported); ours {
				if !slices.Contains(rule.packages, inner) && !slices.Contains(rule.packages, "*") {
					t.Errorf("%s imports %s, which the import table does not allow", p.ImportPath, imported)
				}
				continue
			}
			if !slices.ContainsFunc(rule.modules, func(prefix string) bool { return below(imported, prefix) }) {
				t.Errorf("%s imports %s, which the import table does not allow", p.ImportPath, imported)
			}
		}
		for _, linked := range p.Deps {
			for _, banned := range links[path] {
				if below(linked, banned) {
					t.Errorf("whoever imports %s links %s", p.ImportPath, linked)
				}
			}
		}
	}
	for path := range importTable {
		if !seen[path] {
			t.Errorf("the import table has %s, which is not there", path)
		}
	}
}

// list asks the go command for every package of the module and all they need.
func list(t *testing.T) []listed {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Imports,Deps,Standard", "./...")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("go list's output: %v", err)
		}
		packages = append(packages, p)
	}
}

// ofModule is a package's path below this module, "." for the root.
func ofModule(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// below reports whether path is prefix or lies under it.
func below(path, prefix string) bool {
	rest, found := strings.CutPrefix(path, prefix)
	return found && (rest == "" || rest[0] == '/')
}
