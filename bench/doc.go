// Command bench measures Cairn beside floors that the same machine gives in
// the same run, so that its ratios can be repeated anywhere:
//
//	go run ./bench locate-inprocess  a router and an index in one process, 1M entries
//	go run ./bench stream            StreamLocate, batches of 128, through router and index
//	go run ./bench unary             Locate, 64 callers, through router and index
//	go run ./bench cached            Locate, 64 callers, from a router's cache
//	go run ./bench locates           plain Locate of 64 goroutines, through the Go client and in process
//	go run ./bench import            1M entries from NDJSON to durable, end to end
//	go run ./bench puts              durable puts of single keys, beside real etcd
//	go run ./bench bulk              20M new keys in batches of 128, then locates beside writes
//	go run ./bench replicas          reads of three replicas: one slow, one key hot, one killed
//	go run ./bench moves             1,000 moves of shards under 64 callers, and of larger ones
//	go run ./bench map               a change of the map, until the last of 100 routers has it
//	go run ./bench views             questions about views of 1M entries, 16 callers
//	go run ./bench overload          three times as many questions as can be answered, for a minute
//	go run ./bench balance           plans of the shard map beside consistent hashing, simulated
//	go run ./bench growth            a locate as entries and shards become more
//	go run ./bench constants         what an entry, a view, a locate and a put cost
//	go run ./bench floors            the floors alone
//	go run ./bench peers             Redis, PostgreSQL, etcd and SQLite beside it: bench/peers, all of it
//	go run ./bench all               all of these, and a report
//	go run ./bench capacity          what a deployment needs (docs/capacity.md)
//	go run ./bench compare A B       what regressed from one report's JSON to another's
//
// It prints ratios first, absolute figures after and every run as a line for
// benchstat. -out FILE keeps a copy; the records under results were made so,
// each naming its command and machine. -report FOLDER, which all has without
// being asked, makes a page with drawings of what was found, and JSON of every
// run. -profile has each process leave profiles beside it: of processor time, and of
// allocations, of waits and of those for mutexes since the process began. -quick takes about ten minutes for all, -full grows what can grow to its most.
//
// Client, router and index are processes of their own on loopback, with etcd
// beside them, and so are the client, proxy and backend of the floors. Each
// side runs in turn (floor, ours, floor, ours, ...) and the ratio is the
// median of the pairs'. On a machine that does other work at the time the
// figures mean nothing.
//
// The parts, each of one duty:
//
//	bench/load    keys and callers: what is asked, and counting the answers
//	bench/etcd    real etcd, as a peer of what both can do
//	bench/floor   bare gRPC echoes and bbolt's own read
//	bench/stack   Cairn's processes as a deployment has them
//	bench/locates what is asked of those who know where keys live
//	bench/views   what is asked of views
//	bench/peers   others that are asked the same, a module of its own
//	bench/spawn   parts in processes of their own
//	bench/ycsb    YCSB's core workloads
//	bench/subject Cairn as one that is asked these two
//	bench/capacity what a deployment needs, computed
//	bench/report  pairs, ratios, how they are written and compared
//	bench/plot    lines, as SVG
package main
