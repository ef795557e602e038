# `make` alone runs what a change must pass: check, then test.
#
# One install step on a fresh clone: `make tools` puts pinned tools into .bin.

BIN := $(CURDIR)/.bin
export PATH := $(BIN):$(PATH)

TOOLS := \
	github.com/bufbuild/buf/cmd/buf@v1.75.0 \
	google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12 \
	google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2 \
	github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 \
	golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

# How long `make fuzz` gives each target; how many kills `make torture` survives
# before it is content, and how many operations it judges under each fault; how
# many leaders `make failover` kills; how many shards `make moves` moves before the
# mover is killed, and after, how many writes are read by their tokens meanwhile, and how often
# each fault happens while shards change; how many rounds `make crash` makes, of each kind.
FUZZTIME ?= 10s
ROUNDS ?= 100
OPERATIONS ?= 10000
KILLS ?= 50
MOVES ?= 100
OWN_WRITES ?= 100000
RESHARDINGS ?= 2
CRASHES ?= 20

.DELETE_ON_ERROR:

.PHONY: all
all: check test

.PHONY: build
build: ## bin/cairn
	go build -o bin/cairn ./cmd/cairn

# ---- tools ------------------------------------------------------------------

# An empty file beside each tool names the version that is there.
.PHONY: tools
tools:
	@mkdir -p $(BIN); for tool in $(TOOLS); do \
		mark="$(BIN)/.$$(basename $$tool)"; if [ -e "$$mark" ]; then continue; fi; \
		echo "go install $$tool"; GOBIN=$(BIN) go install "$$tool" || exit 1; touch "$$mark"; \
	done

# ---- check ------------------------------------------------------------------

.PHONY: check
check: check-format check-tidy check-proto check-breaking check-generated check-vet check-lint check-conventions

.PHONY: check-format
check-format:
	@files="$$(find . -name '*.go' ! -name '*.pb.go' ! -path './.*' ! -path '*/node_modules/*' | xargs gofmt -l)"; \
	if [ -n "$$files" ]; then echo "not formatted; run gofmt -w:"; echo "$$files"; exit 1; fi

# The peers of the benchmarks and the Redis example are modules of their own, which
# ./... leaves out.
PEERS := bench/peers
MODULES := $(PEERS) examples/redis

.PHONY: check-tidy
check-tidy:
	go mod tidy -diff
	go mod verify
	@set -e; for module in $(MODULES); do go -C $$module mod tidy -diff; done

.PHONY: check-proto
check-proto: tools
	buf lint
	buf format --diff --exit-code --path proto/cairn

# Against the last release or, before the first, against main. The old files
# are taken out of git's store, so that a clone of one branch will do.
.PHONY: check-breaking
check-breaking: tools
	@base="$$(git describe --tags --abbrev=0 2>/dev/null || \
		git rev-parse --verify --quiet origin/main || git rev-parse --verify --quiet main)" || true; \
	if [ -z "$$base" ] || ! git cat-file -e "$$base:proto" 2>/dev/null; then \
		echo "breaking changes: there is no tag and no main to compare with"; exit 0; fi; \
	old="$$(mktemp -d)"; trap 'rm -rf "$$old"' EXIT; \
	git archive "$$base" proto buf.yaml | tar -x -C "$$old"; \
	echo "buf breaking --against $$base"; buf breaking --against "$$old"

.PHONY: check-generated
check-generated: tools
	@new="$$(mktemp -d)"; trap 'rm -rf "$$new"' EXIT; \
	buf generate -o "$$new"; \
	have="$$(find proto -name '*.pb.go' | LC_ALL=C sort)"; want="$$(cd "$$new" && find proto -name '*.pb.go' | LC_ALL=C sort)"; \
	if [ "$$have" != "$$want" ]; then \
		echo "generated files differ; run make generate. Here:"; echo "$$have"; echo "generated:"; echo "$$want"; exit 1; fi; \
	for file in $$want; do diff -u "$$file" "$$new/$$file" || { echo "run make generate"; exit 1; }; done

.PHONY: check-vet
check-vet:
	go vet ./...
	@set -e; for module in $(MODULES); do go -C $$module vet ./...; done

.PHONY: check-lint
check-lint: tools
	golangci-lint run ./...
	@set -e; for module in $(MODULES); do (cd $$module && golangci-lint run -c $(CURDIR)/.golangci.yml ./...); done

# Who imports whom, and the other conventions that a program can check.
.PHONY: check-conventions
check-conventions:
	go test -count=1 -run '^(TestImports|TestConventions)' .

.PHONY: generate
generate: tools
	buf generate

# ---- test -------------------------------------------------------------------

.PHONY: test
test: ## everything, with the race detector, and what explores without it
	go test -race -timeout 20m ./...
	go test -run '^Test(Explore|Wander)' ./router/move

.PHONY: test-short
test-short: ## without the slow ones, while working
	go test -short ./...

# Has 10,000 identical questions about a view asked at once, of routers that share
# them and of such that do not.
.PHONY: crowd
crowd:
	CAIRN_CROWD=10000 go test -count=1 -v -run '^Test(IdenticalColdQueriesAreOneOf|TheFirstQuerysTrouble|TheFleetsFirstQuerysTrouble|AFleetAsksEachIndexOnce)' ./router ./cmd/daemon

# Kills the real binary at random moments until ROUNDS are survived; and has
# three replicas suffer each fault until OPERATIONS have been judged. A failure
# is replayed with the seed that was printed: CAIRN_TORTURE_SEED=... make torture
.PHONY: torture
torture:
	CAIRN_TORTURE_ROUNDS=$(ROUNDS) CAIRN_TORTURE_OPERATIONS=$(OPERATIONS) \
		go test -count=1 -timeout 3h -v -run '^(TestKilledImport|TestLinearizable)$$' ./cmd/daemon

# Ends a replica before and after each step that makes something durable, by kills,
# and by losses of power that leave some of what was not synced; flips bits. Round n
# begins with seed CAIRN_CRASH_SEED + n, which a failure names.
.PHONY: crash
crash:
	CAIRN_CRASH_ROUNDS=$(CRASHES) CAIRN_TEST_KILL_ROUNDS=$(CRASHES) go test -count=1 -timeout 1h \
		-run '^(TestCrashes|TestFlips|TestFollowerCrashes|TestRestartCrashes|TestKill)$$' ./nodeindex/replica

# How long writes stand still after the leader of three replicas is killed.
.PHONY: failover
failover:
	CAIRN_FAILOVER_KILLS=$(KILLS) go test -count=1 -timeout 1h -v -run '^TestFailover$$' ./cmd/daemon

# How long shards are fenced that move while clients read and write; then each thing that
# can die or stand still at each step of a move, and shards that split, merge, move and move
# back at random, with each fault RESHARDINGS times.
.PHONY: moves
moves:
	CAIRN_TORTURE_MOVES=$(MOVES) CAIRN_OWN_WRITES=$(OWN_WRITES) CAIRN_TORTURE_STEPS=1 \
	CAIRN_TORTURE_RESHARDING=60 CAIRN_TORTURE_CONTESTED=$(RESHARDINGS) go test -count=1 -timeout 2h -v \
		-run '^Test(Moves|Resharding|SourceIsLost|Cursors|LaggingReplicas)' ./cmd/daemon

# Every interleaving of larger worlds of movers: longer, in minutes.
.PHONY: explore
explore:
	CAIRN_TORTURE_EXPLORE=1 go test -count=1 -timeout 1h -v -run '^TestExplore$$' ./router/move

# Go fuzzes one target at a time.
.PHONY: fuzz
fuzz:
	@set -e; for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

# ---- measure ----------------------------------------------------------------

# Ratios beside the floors of this machine and beside peers, and a report of them in
# bench-report; it can be kept under bench/results. `make bench-go` runs the benchmarks
# beside the code.
.PHONY: bench
bench:
	go run ./bench all

# Locates beside Redis 7, PostgreSQL 15, etcd and SQLite, and views beside PostgreSQL, Redis and
# SQLite; of those that are not installed it says what brings them.
.PHONY: bench-peers
bench-peers:
	go run -C $(PEERS) . all

.PHONY: bench-views
bench-views:
	go run -C $(PEERS) . views

# Every workload for a moment, also those that the tests leave out for their time, and
# the peers': that they run, the figures mean nothing.
.PHONY: bench-test
bench-test:
	CAIRN_BENCH_TEST=1 go test -count=1 -run '^(TestWorkloads|TestConstants)$$' ./bench
	go test -C $(PEERS) ./...
	go run -C $(PEERS) . all -entries 10000 -pairs 1 -warmup 30ms -length 60ms

# What regressed since a report that was kept: its ratios, which depend little on the
# machine, with their intervals. PERF=-quick takes ten minutes and sees the large ones,
# beside a BASE that was made with it too.
BASE ?= bench/results/report/report.json
PERF ?=
.PHONY: check-perf
check-perf:
	go run ./bench all $(PERF)
	go run ./bench compare -ratios $(BASE) bench-report/report.json

.PHONY: bench-go
bench-go:
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: clean
clean:
	rm -rf bin
