#!/bin/sh
# The whole loop inside a small virtual machine with pure cgroup v2: kernel, agent, stream, aggregator, incident, cause.
# No Python in there, so the real CLI and a few lines of shell do it. Prints `CHECK name ok` or `CHECK name why`, status 0 or 1.
set -u
hostname vm   # the machine has no name of its own
work=/tmp/work config=/tmp/work/config shop=/sys/fs/cgroup/shop jobs=/sys/fs/cgroup/jobs
mkdir -p "$work" "$shop" "$jobs"
export FLEETWRIGHT_CONFIG_DIR=$config NO_COLOR=1

fail() {
  echo "CHECK $1 $2"
  for log in "$work"/*.log; do echo "--- $log"; tail -n 5 "$log"; done
  exit 1
}

uptime_s() { cut -d. -f1 /proc/uptime; }
# wait_for SECONDS COMMAND...: polls until it succeeds.
wait_for() {
  deadline=$(($(uptime_s) + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ "$(uptime_s)" -lt "$deadline" ] || return 1
    usleep 200000
  done
}

port() { sed -n "s/.*\"$1\" *: *\"\{0,1\}[^0-9]*\([0-9]*\).*/\1/p" "$work/ports.json" | head -n 1; }
cli() { fleetwright --server "https://127.0.0.1:$people" "$@"; }
connected() { cli nodes -o json | tr -d ' \n' | grep -q '"connected":true'; }
# The incident of one container shows this cause. One incident per line, so that words of two do not mix.
caused() { cli incidents --all -o json | tr -d '\n' | sed 's/"kind": *"Incident",/\n/g' | grep "\"cgroupPath\": *\"$1\"" | grep -q "\"card\": *\"$2\""; }

for group in /sys/fs/cgroup "$shop" "$jobs"; do echo "+memory +cpu +pids" >"$group/cgroup.subtree_control"; done
echo -900 >/proc/self/oom_score_adj   # a short node must not kill its watcher first; the workloads set their own

fleetwright init --dir "$config" --node vm --person demo >"$work/init.log" 2>&1 || fail setup "fleetwright init: $(tail -n 1 "$work/init.log")"
fleetwright-aggregator --config "$config/aggregator.yaml" --set listen.agents=127.0.0.1:0 --set listen.people=127.0.0.1:0 --set listen.plain=127.0.0.1:0 \
  --set "store.url=sqlite://$work/store.db" --set sample.period=1s --ports-file "$work/ports.json" >"$work/aggregator.log" 2>&1 &
wait_for 60 test -s "$work/ports.json" || fail setup "the aggregator opens no ports"
people=$(port people) agents=$(port agents)
fleetwright-agent --config "$config/agent-vm.yaml" --set "aggregator.address=127.0.0.1:$agents" --set "spool.folder=$work/spool" >"$work/agent.log" 2>&1 &
wait_for 60 connected || fail setup "the agent does not connect"
echo "CHECK setup ok"

# 1. A lowered limit.
start() {   # start NAME CGROUP ADJ WORKER_FLAGS...
  name=$1 group=$2 adj=$3; shift 3
  rm -f "$work/$name.port"
  (echo "$adj" >/proc/self/oom_score_adj
   exec workload_front --cgroup "$group" --port-file "$work/$name.port" --log "$work/$name.jsonl" -- /test/workload_worker "$@") >"$work/$name.log" 2>&1 &
  front=$!
  wait_for 30 test -s "$work/$name.port" || fail "$name" "the front does not start"
  workload_load --port "$(cat "$work/$name.port")" --rate 8 >/dev/null 2>&1 &
}
kills() { [ "$(sed -n 's/^oom_kill //p' "$1/memory.events")" -ge "$2" ]; }

mkdir "$shop/checkout"
echo $((96 << 20)) >"$shop/checkout/memory.max"
start checkout "$shop/checkout" 0 --base 48MiB
wait_for 30 test -s "$work/checkout.jsonl" || fail lowered "the worker does not start"
usleep 5000000   # the past that a verdict needs
echo $((24 << 20)) >"$shop/checkout/memory.max"
wait_for 60 kills "$shop/checkout" 2 || fail lowered "the kernel does not kill"
wait_for 60 caused /shop/checkout memory-limit-lowered || fail lowered "no such cause: $(cli incidents --all -o json | tr -d '\n')"
echo "CHECK lowered ok"
kill "$front"   # with its worker; an emulated machine has better to do

# 2. The node runs out: checkout has no limit any more and is killed, because batch takes everything.
mkdir "$shop/web" "$jobs/batch"
start web "$shop/web" 1000 --base 64MiB
usleep 5000000
start batch "$jobs/batch" 0 --base 8MiB --child-after 8 --child-step 2MiB
wait_for 120 kills "$shop/web" 1 || fail node "the kernel does not kill"
wait_for 60 caused /shop/web node-memory-exhausted || fail node "no such cause: $(cli incidents --all -o json | tr -d '\n')"
echo "CHECK node ok"
