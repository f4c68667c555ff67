#!/usr/bin/env bash
# report.sh: checks and measures the CUDA machine on this computer's GPU, and
# writes RESULTS/report.md and RESULTS/report.json. README.md says more.
#
#   ./report.sh            in a folder that bundle.sh made, or with
#
#   TRAINER=FILE   the trainer, built with the tag gpu        (./trainer)
#   TESTS=FOLDER   test binaries, go test -c -tags gpu        (./tests)
#   CONFIGS=FOLDER the configurations                         (./configs)
#   DATA=FOLDER    MNIST's IDX files                          (./mnist; without it,
#                  the built-in digits, and synthetic images for the peers)
#   RESULTS=FOLDER results; a call goes on with those there   (./results)
#   BUDGET=SECONDS the call ends by then; 0: no limit         (570)
#   PARTS="…"      which parts, in this order                 (all but profile:
#                  smoke core correctness timing peers sanitizer eager)
#   AGAIN="…"      first forget the steps of these names, as patterns: '*' is all
#   PYTHON=FILE    Python, with PyTorch and JAX for the peers (python3)
#   RUNS=N         independent runs to compare with one       (one a multiprocessor)
#   QUICK=1        few images and short times: to test this script, not the GPU
#
# A call does the steps that have no result yet, the most missed first, and those
# whose program was missing. Each has its log in RESULTS/logs and its time limit;
# none stops the others. A step that the end of the call cuts off, or that it
# leaves no time for, is left: the next call does it. After each part the page is
# made again, and RESULTS.tar.gz has all results so far, without the figures and
# checkpoints of the runs.
#
# Exit code: 3 if steps are left, so call it again; else 1 if a step failed or took
# longer than its limit, and 0 if none did (a step can also be missing, because a
# program or feature is not there). 130 after Ctrl-C, which ends the step and makes
# the page: the step is left. It reads clocks and settings of the GPU and changes none.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
absolute() { echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"; }
TRAINER=$(absolute "${TRAINER:-$here/trainer}")
TESTS=${TESTS:-$here/tests}
CONFIGS=$(absolute "${CONFIGS:-$here/configs}")
PYTHON=${PYTHON:-python3}
QUICK=${QUICK:-}
BUDGET=${BUDGET:-570}
PARTS=${PARTS:-smoke core correctness timing peers sanitizer eager}
if [ -z "${DATA:-}" ] && [ -d "$here/mnist" ]; then DATA=$here/mnist; fi
DATA=${DATA:-}
if [ -n "$DATA" ]; then DATA=$(absolute "$DATA"); fi
RESULTS=${RESULTS:-$here/results}
mkdir -p "$RESULTS/logs" "$RESULTS/runs" "$RESULTS/small"
RESULTS=$(absolute "$RESULTS")
commit=$(cat "$here/COMMIT" 2>/dev/null || echo unknown)
fail() {
	echo "report.sh: $*" >&2
	exit 1
}
for needed in timeout awk date cksum tar "$PYTHON"; do
	command -v "$needed" >/dev/null || fail "no $needed on this computer"
done
[ -x "$TRAINER" ] || fail "no trainer at $TRAINER: say where it is with TRAINER=FILE"
reserve=20 # seconds at the end of a call: to end a step, for the page and for the tar file
[[ $BUDGET =~ ^(0|[1-9][0-9]*)$ ]] && { [ "$BUDGET" = 0 ] || [ "$BUDGET" -gt "$reserve" ]; } ||
	fail "BUDGET=$BUDGET: want seconds, more than $reserve, or 0"
for part in $PARTS; do
	[[ " facts smoke core correctness timing peers sanitizer eager profile " == *" $part "* ]] ||
		fail "PARTS: there is no part $part: want some of smoke core correctness timing peers sanitizer eager profile, or facts alone"
done

missing=77 # exit code of a step that finds nothing to run
begun=$(date -u +%Y-%m-%dT%H:%M:%SZ)
now() { date +%s.%N; }

# room: the seconds that a step may take now.
room() { if [ "$BUDGET" = 0 ]; then echo 1000000; else echo $((BUDGET - reserve - SECONDS)); fi; }

# The results of other programs or images are not these.
steps=$RESULTS/steps.tsv
touch "$steps"
of="commit $commit, trainer $(cksum <"$TRAINER"), $([ -n "$DATA" ] && echo MNIST || echo digits)${QUICK:+, QUICK}"
if [ "${AGAIN:-}" = '*' ]; then rm -f "$RESULTS/of.txt" "$RESULTS/clocks.csv"; fi
if [ "$(cat "$RESULTS/of.txt" 2>/dev/null || echo "$of")" != "$of" ]; then
	fail "$RESULTS has results of something else ($(cat "$RESULTS/of.txt"); this is $of): say RESULTS=ANOTHER, or AGAIN='*' to replace them"
fi
echo "$of" >"$RESULTS/of.txt"

# forget NAME: as if the step had never been done.
forget() {
	awk -F'\t' -v n="$1" '$1 != n' "$steps" >"$steps.new" && mv "$steps.new" "$steps"
	rm -rf "$RESULTS/${1:?}" "$RESULTS/$1.json" "$RESULTS/logs/$1.log" "$RESULTS/runs/$1"
}
set -f
for pattern in ${AGAIN:-}; do
	found=
	for name in $(cut -f1 "$steps"); do
		# shellcheck disable=SC2254
		case $name in $pattern) found=1 && forget "$name" ;; esac
	done
	[ -n "$found" ] || [ "$pattern" = '*' ] || fail "AGAIN: no step is named $pattern: the page lists them"
done
set +f

# result NAME: of a step, in this call or an earlier one.
result() { awk -F'\t' -v n="$1" '$1 == n {print $3}' "$steps"; }

# todo NAME: has the step no result yet? The facts are those of each call.
todo() {
	case $part:$(result "$1") in
	facts:*) ;;
	*:pass | *:FAIL | *:timeout | *:skip) return 1 ;;
	esac
}

# record NAME RESULT SECONDS REMARK: a line of steps.tsv, in place of an earlier one
# of that name. part is the part that the step is of, gpu where it was done.
record() {
	awk -F'\t' -v n="$1" '$1 != n' "$steps" >"$steps.new"
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$part" "$2" "$3" "$4" "${gpu:-}" >>"$steps.new"
	mv "$steps.new" "$steps"
	recorded=1
	if [ "$2" != left ] || [ "$3" != 0 ]; then printf '%-8s %-32s %7.1f s  %s\n' "$2" "$1" "$3" "$4"; fi
}

# step NAME LIMIT COMMAND…: runs a command, its output in the log, if the step has no
# result yet. With stdout=FILE before it, standard output goes there; with after="…",
# it waits for the results of these steps; with want=TEXT, the log must have it.
step() {
	local name=$1 limit=$2 log=$RESULTS/logs/$1.log start code result remark='' cut='' needed room last
	shift 2
	todo "$name" || return
	if [ -n "$QUICK" ] && [ "$limit" -gt 40 ]; then limit=40; fi
	for needed in ${after:-}; do
		case $(result "$needed") in left | '') result=left remark="$needed is left" ;; esac
	done
	# The first step of a call begins in any case, and has all its time: if it is cut
	# off, another call would do no better. So each call comes further.
	if [ -n "$begin" ] && [ $((10 * $(room))) -lt "$limit" ]; then result=left remark="no time left for it"; fi
	if [ -n "${result:-}" ]; then
		record "$name" left 0 "$remark"
		return
	fi
	room=$(room)
	if [ "$room" -lt "$limit" ]; then limit=$((room < 1 ? 1 : room)) cut=$begin; fi
	running=$name
	printf '$ %s\n' "$*" >"$log"
	start=$(now)
	# In the background, so that this script hears of an interrupt meanwhile.
	if [ -n "${stdout:-}" ]; then
		timeout -k 5 "$limit" "$@" >"$stdout" 2>>"$log" </dev/null &
	else
		timeout -k 5 "$limit" "$@" >>"$log" 2>&1 </dev/null &
	fi
	child=$!
	{ wait "$child"; } 2>/dev/null # or bash says that it was killed
	code=$?
	child='' running=''
	case $code in
	0) result=pass ;;
	"$missing") result=missing remark=$(tail -n 1 "$log") ;;
	124 | 137)
		result=timeout remark="not done after $limit s"
		if [ -n "$cut" ]; then result=left remark="the call ended after $limit s of it"; fi
		;;
	*)
		result=FAIL remark="exit code $code"
		last=$(grep -v '^\$ \|^FAIL\|^---\|^===' "$log" | tail -n 1 | sed 's/^ *//' | cut -c1-200)
		if [ -n "$last" ]; then remark+=": $last"; fi
		;;
	esac
	if [ $code = 0 ] && grep -q '^--- SKIP: ' "$log"; then # a test that does not run on a GPU
		result=skip remark=$(grep -B1 '^--- SKIP: ' "$log" | head -n 1 | sed 's/^ *[^ ]*: //' | cut -c1-200)
	elif [ $code = 0 ] && [ -n "${want:-}" ] && ! grep -qF -- "$want" "$log"; then
		result=FAIL remark="the log does not have: $want"
	fi
	case $part:$result in facts:* | *:missing) ;; *) begin=1 ;; esac
	record "$name" $result "$(echo "$(now) $start" | awk '{print $1 - $2}')" "${remark//$'\t'/ }"
}
begin='' recorded='' gpu='' child='' running='' # begin: this call has done a step

interrupted() {
	trap '' INT TERM
	if [ -n "$child" ]; then
		kill "$child"
		wait "$child"
	fi
	if [ -n "$running" ]; then record "$running" left 0 "interrupted"; fi
	finish
	exit 130
}
trap interrupted INT TERM

# finish: makes the page of all results so far, and the tar file, if there is a new one.
finish() {
	[ -n "$recorded" ] || return
	recorded=
	"$PYTHON" - "$RESULTS/meta.json" "$begun" "$commit" "$DATA" "$QUICK" <<'EOF'
import json, sys
keys = ("begun", "commit", "data", "quick")
values = dict(zip(keys, sys.argv[2:]))
values["data"] = "MNIST" if values["data"] else "built-in digits"
values["quick"] = bool(values["quick"])
json.dump(values, open(sys.argv[1], "w"))
EOF
	"$PYTHON" "$here/page.py" "$RESULTS" || record page FAIL 0 "page.py failed"
	# Of the runs only what the page and later steps read. A file that is still
	# written, such as clocks.csv, may change meanwhile.
	tar -czf "$RESULTS.tar.gz.new" --warning=no-file-changed --exclude=checkpoint --exclude=best.safetensors \
		--exclude=report.html --exclude='*.png' --exclude='*.svg' -C "$(dirname "$RESULTS")" "$(basename "$RESULTS")"
	if [ $? -le 1 ]; then mv "$RESULTS.tar.gz.new" "$RESULTS.tar.gz"; else record tar FAIL 0 "tar failed"; fi
}

absent() { if todo "$1"; then record "$1" missing 0 "$2"; fi; }

# toolkit NAME: where a program of the CUDA toolkit is; nothing if it is not.
toolkit() {
	local at
	for at in "$(command -v "$1")" /usr/local/cuda*/bin/"$1"; do
		if [ -x "$at" ]; then
			echo "$at"
			return
		fi
	done
}

# The images: MNIST, the built-in digits, or a few in the form of MNIST.
data=(-set data.dataset=digits)
if [ -n "$DATA" ]; then
	export TRAINER_DATA=$DATA
	data=(-set data.dataset=mnist -set data.fallback=none)
fi
smallTrain=512 smallTest=128 samples=60000
if [ -n "$QUICK" ]; then smallTrain=40 smallTest=20 samples=40; fi
small=(-set data.dataset=idx -set "data.dir=$RESULTS/small")
"$PYTHON" "$here/check.py" subset --data "$DATA" --train $smallTrain --test $smallTest --out "$RESULTS/small" || exit 1
if [ -n "$QUICK" ]; then data=("${small[@]}"); fi
main=(-config "$CONFIGS/mnist.yaml" "${data[@]}")

# train NAME LIMIT FLAGS…: a training whose run folder is runs/NAME.
train() {
	local name=$1 limit=$2
	shift 2
	if todo "$name"; then rm -rf "$RESULTS/runs/$name"; fi
	step "$name" "$limit" "$TRAINER" "${main[@]}" -out "$RESULTS/runs/$name" "$@"
}

# gradcheck PRECISION LAYERS
gradcheck() {
	stdout=$RESULTS/gradcheck-$1-$2.json step "gradcheck-$1-$2" 60 \
		"$TRAINER" gradcheck -json -device cuda -set "model.layers=[$2]" -set precision="$1"
}

# weights BATCH RATE: the weights after an epoch on both devices.
weights() {
	local device precision
	for device in cpu cuda; do
		for precision in float32 float64; do
			train $device-$precision-$1 60 -device $device -set precision=$precision \
				-set train.epochs=1 -set train.batch="$1" -set train.rate.initial="$2"
		done
	done
	stdout=$RESULTS/weights-$1.json after="cpu-float32-$1 cpu-float64-$1 cuda-float32-$1 cuda-float64-$1" \
		step "weights-$1" 60 "$PYTHON" "$here/check.py" weights \
		--runs "$RESULTS/runs" --batch "$1" --steps $(((samples + $1 - 1) / $1))
}

# bench NAME ROWS
bench() {
	local least=2s
	if [ -n "$QUICK" ]; then least=10ms; fi
	stdout=$RESULTS/bench-$1.json step "bench-$1" 90 "$TRAINER" bench -json -device cuda -time $least -only "$2" "${main[@]}"
}

# each_test FUNCTION: calls it with each test binary and the name of its package.
each_test() {
	local t found=''
	for t in "$TESTS"/*.test; do
		[ -x "$t" ] || continue
		found=1
		"$1" "$t" "$(basename "$t" .test)"
	done
	[ -n "$found" ] || absent "${part}-tests" "no test binaries in $TESTS"
}

# sample: looks at the clocks of the GPU until enough.
sample() {
	command -v nvidia-smi >/dev/null || return
	timeout 1800 nvidia-smi --query-gpu=clocks.sm,clocks.mem,temperature.gpu,power.draw,utilization.gpu \
		--format=csv,noheader,nounits -lms 200 >>"$RESULTS/clocks.csv" 2>/dev/null &
	clocks=$!
	disown "$clocks"
}
enough() {
	if [ -n "$clocks" ]; then kill "$clocks" 2>/dev/null; fi
	clocks=
}
clocks=
trap enough EXIT

# The facts are of this call: another may be on another computer.
facts() {
	stdout=$RESULTS/devices.txt step devices 60 "$TRAINER" devices
	stdout=$RESULTS/version.txt step version 10 "$TRAINER" version
	{
		uname -srm
		awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo
		nproc
		"$PYTHON" --version
	} >"$RESULTS/computer.txt" 2>&1
	if command -v nvidia-smi >/dev/null; then
		step nvidia-smi 30 nvidia-smi -q
		stdout=$RESULTS/gpu.csv step gpu 30 nvidia-smi \
			--query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit --format=csv
	else
		rm -f "$RESULTS/gpu.csv"
		absent nvidia-smi "no nvidia-smi"
	fi
	gpu=$(sed -n 's/^cuda 0: \([^,]*\),.*/\1/p' "$RESULTS/devices.txt")
}

smoke() { # each kernel, on a few images
	smoke_test() {
		case $2 in *cuda) want='--- PASS: TestSmoke ' step smoke 20 env TRAINER_TEST_GPU=1 "$1" -test.v -test.run '^TestSmoke$' ;; esac
	}
	each_test smoke_test
}

core() { # the default configuration and mini-batches of 128: do they train well, and how fast?
	gradcheck float32 784,50,10
	weights 1 0.3
	sample
	bench 1 1
	enough
	weights 128 3
	sample
	bench 128 128
	enough
}

correctness() {
	# A step for each test, so that one that hangs, or is cut off, takes no other along.
	tests() {
		local list=$RESULTS/$2.list which='^Test' name
		if [ -n "$QUICK" ]; then which='^Test(ModeOf|StepCycles|PassCalls)$'; fi
		stdout=$list step "$2.list" 60 env TRAINER_TEST_GPU=1 "$1" -test.list "$which"
		[ "$(result "$2.list")" = pass ] || return
		# The suite of all machines first, in halves; what takes longest last.
		for name in $(sed -n 's/^Test.*Conformance$/&\/float32 &\/float64/p' "$list"
			grep '^Test' "$list" | grep -v '^TestSmoke$\|Conformance\|Exact'
			grep '^Test.*Exact' "$list"); do
			want="--- PASS: $name " step "$2.${name/\//-}" 300 env TRAINER_TEST_GPU=1 "$1" -test.v -test.timeout 295s \
				-test.run "^${name/\//\$/^}\$" ${QUICK:+-test.short}
		done
	}
	each_test tests
	gradcheck float64 784,50,10
	gradcheck float32 784,40,30,20,10
	gradcheck float64 784,40,30,20,10
	# From Ctrl-C to the exit: half a second more than on the CPU, which saves too.
	local device against
	for device in cpu cuda; do
		against=(--limit 5)
		if [ $device = cuda ]; then against=(--limit 0.5 --against "$RESULTS/stop-cpu.json"); fi
		if todo "stop-$device"; then rm -rf "$RESULTS/runs/stop-$device"; fi
		stdout=$RESULTS/stop-$device.json after=$([ $device = cpu ] || echo stop-cpu) step stop-$device 150 "$PYTHON" "$here/check.py" stop \
			"${against[@]}" --log "$RESULTS/logs/stop-$device-trainer.log" --run "$RESULTS/runs/stop-$device" -- \
			"$TRAINER" "${main[@]}" -out "$RESULTS/runs/stop-$device" -device $device \
			-set train.epochs=100000 -set train.rate.factor=1
	done
}

timing() {
	sample
	# The main job, start to exit.
	local epochs=50
	if [ -n "$QUICK" ]; then epochs=2; fi
	train main 120 -device cuda -set train.epochs=$epochs
	local rows
	for rows in 60000 10 1000; do bench $rows $rows; done
	bench rest load,evaluate
	# An epoch for each batch size at the peers' learning rates: accuracy, and the
	# time of a pass as a run has it. The full batch is a step an epoch.
	local job batch rate name shuffle
	for job in 1:0.3:1 128:3:1 $samples:1:50 10:1:1 1000:3:1; do
		IFS=: read -r batch rate epochs <<<"$job"
		name=epoch-$batch shuffle=true
		if [ "$epochs" = 50 ]; then name=epoch-full shuffle=false; fi
		train "$name" 60 -device cuda -set train.epochs="$epochs" -set train.batch="$batch" \
			-set train.rate.initial="$rate" -set train.rate.factor=1 -set train.shuffle=$shuffle
	done
	# One run and many together, after 1 and after 6 epochs; the difference has
	# no start in it.
	local runs count which
	runs=${RUNS:-$(sed -n 's/.*[ ,]\([0-9][0-9]*\) multiprocessors.*/\1/p' "$RESULTS/devices.txt" 2>/dev/null | head -n 1)}
	runs=${runs:-132}
	for count in 1 "$runs"; do
		which=one
		if [ "$count" != 1 ]; then which=many; fi
		for epochs in 1 6; do
			train runs-$which-$epochs 90 -device cuda -set train.runs.count="$count" -set train.epochs=$epochs
		done
	done
	echo "$runs" >"$RESULTS/runs.txt"
	# A step in each mode: what the modes cost beside each other, in the logs.
	modes() {
		local mode all='chosen block grid' bench
		if [ -n "$QUICK" ]; then all=block; fi
		for mode in $all; do
			bench=(-test.bench "BenchmarkModes/$mode" -test.benchtime 0.5s)
			if [ -n "$QUICK" ]; then bench=(-test.bench "BenchmarkModes/$mode/float32/batch=10$" -test.benchtime 1x); fi
			step modes-$mode 120 env TRAINER_TEST_GPU=1 "$1" -test.run '^$' "${bench[@]}"
		done
	}
	each_test modes
	enough
}

# peer NAME LIMIT FLAGS…: rows that an earlier call has are kept.
peer() {
	local name=peers-$1 limit=$2 from=(--batches 1,128,10,1000,60000)
	shift 2
	if [ -n "$DATA" ]; then from+=(--data "$DATA"); fi
	if [ -n "$QUICK" ]; then
		from=(--data "$RESULTS/small" --device "${PEERS_DEVICE:-cuda}" --seconds 0.01 --repeats 1 --batches 1,10)
	fi
	step "$name" "$limit" "$PYTHON" "$here/peers.py" --out "$RESULTS/$name.json" "${from[@]}" "$@"
}

peers() { # the fastest ones
	sample
	peer jax 240 --only jax
	peer graphs 240 --only torch --variants "CUDA graph"
	enough
}

eager() { # the other peers
	sample
	peer eager 150 --only torch --variants eager
	if [ -z "$QUICK" ]; then peer compile 540 --only torch --variants torch.compile; fi
	enough
}

sanitizer() {
	local program tool batch
	program=$(toolkit compute-sanitizer)
	for tool in memcheck racecheck synccheck; do
		for batch in 1 128 4; do
			if [ -z "$program" ]; then
				absent $tool-batch-$batch "no compute-sanitizer"
				continue
			fi
			if todo "$tool-batch-$batch"; then rm -rf "$RESULTS/runs/$tool-$batch"; fi
			step $tool-batch-$batch 120 "$program" --tool $tool --error-exitcode 9 "$TRAINER" \
				-config "$CONFIGS/mnist.yaml" "${small[@]}" -out "$RESULTS/runs/$tool-$batch" -device cuda \
				-set train.epochs=1 -set train.batch=$batch
		done
	done
}

profile() {
	local ncu batch
	ncu=$(toolkit ncu)
	for batch in 1 128; do
		if [ -z "$ncu" ]; then
			absent profile-$batch "no ncu"
			continue
		fi
		if todo "profile-$batch"; then rm -rf "$RESULTS/runs/profile-$batch"; fi
		step profile-$batch 200 "$ncu" --clock-control none --launch-count 1 --set full --page details "$TRAINER" \
			-config "$CONFIGS/mnist.yaml" "${small[@]}" -out "$RESULTS/runs/profile-$batch" -device cuda \
			-set train.epochs=1 -set train.batch=$batch
	done
}

for part in facts ${PARTS//facts/}; do
	echo "== $part"
	$part
	finish
done

echo "== summary"
awk -F'\t' '{n[$3]++; if ($3 != "pass" && $3 != "left") print $3 ": " $1 (($5 == "") ? "" : ": " $5); if ($3 == "left" && !left[$2]++) parts[++k] = $2}
	END {
		printf "%d passed, %d failed, %d out of time, %d missing, %d not for a GPU, %d left\n", n["pass"], n["FAIL"], n["timeout"], n["missing"], n["skip"], n["left"]
		for (i = 1; i <= k; i++) printf "%s %d of %s", i == 1 ? "left:" : ",", left[parts[i]], parts[i]
		if (k) print ": call it again to go on"
		exit n["left"] > 0 ? 3 : n["FAIL"] + n["timeout"] > 0
	}' "$steps"
code=$?
echo "$RESULTS/report.md, $RESULTS/report.json, $RESULTS/logs; all of it in $RESULTS.tar.gz"
exit $code
