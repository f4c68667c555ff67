#!/usr/bin/env bash
# slurm-test.sh: runs slurm.sh on a Slurm of one node, which it starts for that. An
# array of six tasks does a sweep. One task is killed in the middle and queued again, one
# is preempted. The merged table and the models must be those of one process.
#
#   slurm-test.sh [TRAINER]
#
# It needs root, and Slurm and munge, which it installs with apt-get where it can;
# else it says SKIPPED. The daemons run in namespaces of their own (processes,
# network, host name): they disturb no other Slurm or munge, and the kernel ends them
# with the script, whatever ends it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tasks=6
PATH=$PATH:/usr/sbin:/sbin

skip() {
	echo "slurm-test: SKIPPED: $*"
	exit 0
}

# outside prepares, starts inside in the namespaces, and cleans up.
outside() {
	local trainer=${1:-}
	[ "$(uname -s)" = Linux ] || skip "this is not Linux"
	[ "$(id -u)" = 0 ] || skip "only root can start the daemons"
	unshare --fork --pid --mount-proc --net --uts setpriv --clear-groups true 2>/dev/null || skip "no namespaces can be made here"
	if ! installed; then
		command -v apt-get >/dev/null || skip "Slurm is not installed, and there is no apt-get"
		echo "slurm-test: installing Slurm"
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends slurm-wlm munge iproute2; } >/dev/null 2>&1 </dev/null || true
		installed || skip "Slurm cannot be installed"
	fi
	dir=$(mktemp -d)
	child=
	# The first process of the namespace takes all others with it.
	trap '[ -z "$child" ] || kill -KILL "$child"; wait 2>/dev/null; rm -rf "$dir"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mkdir "$dir/bin"
	if [ -n "$trainer" ]; then
		ln -s "$(realpath "$trainer")" "$dir/bin/trainer"
	else
		(cd "$here/../.." && go build -o "$dir/bin/trainer" ./cmd/trainer)
	fi
	setpriv --pdeathsig KILL unshare --fork --kill-child --pid --mount-proc --net --uts bash "$0" inside "$dir" &
	child=$!
	local code=0
	wait "$child" || code=$?
	child=
	exit $code
}

installed() {
	local c
	for c in slurmctld slurmd sbatch scontrol munged ip; do
		command -v "$c" >/dev/null || return 1
	done
}

fail() {
	{
		squeue --array --long --states=all || true
		tail -n 15 munged.log ctld.log slurmd.log sweep-*.log || true
		echo "slurm-test: FAILED: $*"
	} >&2
	exit 1
}

# within SECONDS COMMAND… waits until the command succeeds.
within() {
	local limit=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $limit ] || fail "waited in vain for: $*"
		sleep 0.2
	done
}

# state TASK… succeeds if the task is in one of the states.
state() {
	local now
	now=$(scontrol show job "${job}_$1" | grep -o 'JobState=[A-Z]*')
	[[ " ${*:2} " == *" ${now#JobState=} "* ]]
}

completed() {
	local task
	for task in $(seq 0 $((tasks - 1))); do
		state "$task" COMPLETED || return
	done
}

# pid TASK prints the process of the trainer in a task.
pid() {
	local p
	for p in /proc/[0-9]*; do
		if [ "$(cat "$p/comm" 2>/dev/null)" = trainer ] && tr '\0' '\n' <"$p/environ" 2>/dev/null | grep -qx "SLURM_ARRAY_TASK_ID=$1"; then
			echo "${p#/proc/}"
			return
		fi
	done
	return 1
}

# idle succeeds if the node waits for jobs.
idle() {
	[ "$(sinfo --noheader --format=%T)" = idle ]
}

# start starts the daemons.
start() {
	export SLURM_CONF=$PWD/slurm.conf
	hostname node
	ip link set lo up
	ip address add 127.0.0.2/8 dev lo # with 127.0.0.1 alone, getaddrinfo finds that there is no IPv4
	mkdir state spool
	head -c 1024 /dev/urandom >munge.key
	chmod 600 munge.key
	cat >slurm.conf <<-END
		ClusterName=test
		SlurmctldHost=node(127.0.0.1)
		SlurmUser=root
		SlurmdUser=root
		AuthType=auth/munge
		AuthInfo=socket=$PWD/munge.socket,cred_expire=5
		MpiDefault=none
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core
		StateSaveLocation=$PWD/state
		SlurmdSpoolDir=$PWD/spool
		SlurmctldPidFile=$PWD/ctld.pid
		SlurmdPidFile=$PWD/slurmd.pid
		SlurmdParameters=config_overrides
		NodeName=node NodeAddr=127.0.0.1 CPUs=2 RealMemory=8192
		PartitionName=all Nodes=node Default=YES
	END
	munged --force --foreground --num-threads=2 --origin=127.0.0.1 --key-file="$PWD/munge.key" --socket="$PWD/munge.socket" \
		--pid-file="$PWD/munged.pid" --log-file="$PWD/munged.log" --seed-file="$PWD/munged.seed" >>munged.log 2>&1 &
	within 10 test -S munge.socket
	slurmctld -D -c >ctld.log 2>&1 &
	slurmd -D >slurmd.log 2>&1 &
	within 20 idle
}

# sweep writes a sweep of six runs: which quarter of an image is a little brighter? The
# first two take seconds, so that they can be killed on the way.
sweep() {
	awk 'BEGIN {
		srand(1)
		for (i = 0; i < 5000; i++) {
			printf "%d", i % 4
			for (p = 0; p < 64; p++) printf ",%d", (int(p / 32) * 2 + int(p % 8 / 4) == i % 4 ? 25 : 0) + int(230 * rand())
			print ""
		}
	}' >set.csv
	cat >sweep.yaml <<-END
		name: cluster
		data:
		  train: [set.csv]
		  csv: {label: first}
		model:
		  layers: [64, 8, 4]
		train:
		  rate: {initial: 0.003}
		sweep:
		  over:
		    train.epochs: [2000, 200, 300]
		  seeds: 2
	END
}

# without_times prints the files of a sweep that say what it came to.
without_times() {
	sed 's/,[^,]*$//' "$1/table.csv" # the last column is the seconds
	sed -E '/"(seconds|train_seconds|eval_seconds|samples_per_second)":/d' "$1/table.json"
}

# checkpoints succeeds if so many runs have one.
checkpoints() {
	[ "$(find many -name checkpoint | wc -l)" -ge "$1" ]
}

# resumed fails the test unless a run began once, and went on from a checkpoint.
resumed() {
	local log
	log=$(echo many/runs/"$1"-*/log.txt)
	[ "$(grep -c 'sigmoid, with bias' "$log")" -eq 2 ] || fail "$log: not two starts"
	[ "$(grep -cE '^epoch +1/' "$log")" -eq 1 ] || fail "$log: the run began again"
}

inside() {
	cd "$1"
	export PATH=$PWD/bin:$PATH LC_ALL=C TZ=UTC
	start
	sweep
	echo "slurm-test: one process does the sweep"
	timeout 100 trainer sweep -config sweep.yaml -out one >one.log 2>&1 || fail "the sweep failed: $(tail -n 3 one.log)"

	echo "slurm-test: an array of $tasks tasks does it; task 0 is killed, task 1 preempted, and both are queued again"
	job=$(sbatch --parsable --array=0-$((tasks - 1)) "$here/slurm.sh" sweep.yaml many)
	within 30 checkpoints 2
	kill -KILL "$(pid 0)" || fail "task 0 is not running"
	scontrol requeue "${job}_1" # it gets SIGTERM
	within 30 state 0 FAILED
	scontrol requeue "${job}_0"
	trainer sweep -merge many >early.log 2>&1 && fail "the merge says that nothing is missing"
	grep -q 'missing: .*-seed-1' early.log || fail "the merge does not say what is missing: $(tail -n 3 early.log)"
	within 90 completed
	resumed 1
	resumed 2

	trainer sweep -merge many >merge.log 2>&1 || fail "the merge failed: $(tail -n 3 merge.log)"
	diff <(without_times one) <(without_times many) || fail "the tables differ"
	(cd one && find runs -name '*.safetensors' -exec sha256sum {} +) >sums
	(cd many && sha256sum --check --quiet) <sums || fail "the models differ"
	cut -d, -f1-7 many/table.csv
	echo "slurm-test: passed: the table of $(($(wc -l <many/table.csv) - 1)) runs, and $(wc -l <sums) models, are those of one process; $SECONDS s"
}

if [ "${1:-}" = inside ]; then
	inside "$2"
else
	outside "$@"
fi
