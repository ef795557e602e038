#!/usr/bin/env bash
# Runs main.js against a fresh development stack: builds the binary, starts it
# on free ports, applies the manifest. CAIRN names a binary that is built.
set -euo pipefail
cd "$(dirname "$0")"

work="$(mktemp -d)"
server=
finish() {
	status=$?
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" || true
	fi
	if [ "$status" != 0 ] && [ -s "$work/log" ]; then
		echo "the stack's log:" >&2
		tail -n 50 "$work/log" >&2
	fi
	rm -rf "$work"
	exit "$status"
}
trap finish EXIT

cairn="${CAIRN:-}"
if [ -z "$cairn" ]; then
	cairn="$work/cairn"
	(cd ../.. && go build -o "$cairn" ./cmd/cairn)
fi
npm ci --no-progress

"$cairn" dev --data "$work/data" --listen 127.0.0.1:0 --http 127.0.0.1:0 >"$work/out" 2>"$work/log" &
server=$!
for _ in $(seq 300); do
	if grep -q '^ready' "$work/out"; then break; fi
	if ! kill -0 "$server" 2>/dev/null; then
		echo "cairn dev ended before it served" >&2
		exit 1
	fi
	sleep 0.1
done
CAIRN_ADDR="$(sed -nE 's/^ready.* listen=([^ ]+).*/\1/p' "$work/out")"
export CAIRN_ADDR

"$cairn" apply -f manifest.yaml
node main.js
