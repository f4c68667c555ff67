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
#   RESULTS=FOLDER results; those of earlier calls stay       (./results)
#   PARTS="…"      which of: facts smoke correctness sanitizer timing peers
#                  profile (all but profile)
#   PYTHON=FILE    Python, with PyTorch and JAX for the peers (python3)
#   RUNS=N         independent runs to compare with one       (one a multiprocessor)
#   QUICK=1        few images and short times: to test this script, not the GPU
#
# After each part the page is made again, and RESULTS.tar.gz has all results so far.
# Each step has its log in RESULTS/logs and its time limit; none stops the others.
# Exit code: 0 if no step failed (a step can also be missing, because a program
# or feature is not there), 1 otherwise. It reads clocks and settings of the GPU
# and changes none.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
absolute() { echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"; }
TRAINER=$(absolute "${TRAINER:-$here/trainer}")
TESTS=${TESTS:-$here/tests}
CONFIGS=$(absolute "${CONFIGS:-$here/configs}")
PYTHON=${PYTHON:-python3}
QUICK=${QUICK:-}
PARTS=${PARTS:-facts smoke correctness sanitizer timing peers}
if [ -z "${DATA:-}" ] && [ -d "$here/mnist" ]; then DATA=$here/mnist; fi
DATA=${DATA:-}
if [ -n "$DATA" ]; then DATA=$(absolute "$DATA"); fi
RESULTS=${RESULTS:-$here/results}
mkdir -p "$RESULTS/logs" "$RESULTS/runs" "$RESULTS/small"
RESULTS=$(absolute "$RESULTS")
commit=$(cat "$here/COMMIT" 2>/dev/null || echo unknown)
for needed in timeout awk date "$PYTHON"; do
	command -v "$needed" >/dev/null || { echo "report.sh: no $needed on this computer" >&2; exit 1; }
done
[ -x "$TRAINER" ] || { echo "report.sh: no trainer at $TRAINER: say where it is with TRAINER=FILE" >&2; exit 1; }

missing=77 # exit code of a step that finds nothing to run
begun=$(date -u +%Y-%m-%dT%H:%M:%SZ)
now() { date +%s.%N; }
part() { [[ " $PARTS " == *" $1 "* ]]; }

# record NAME PART RESULT SECONDS REMARK: a line of steps.tsv, in place of an
# earlier one of that name.
record() {
	local file=$RESULTS/steps.tsv
	touch "$file"
	awk -F'\t' -v n="$1" '$1 != n' "$file" >"$file.new"
	printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" >>"$file.new"
	mv "$file.new" "$file"
	printf '%-8s %-32s %7.1f s  %s\n' "$3" "$1" "$4" "$5"
}

# step NAME PART LIMIT COMMAND…: runs a command, its output in the log. With
# stdout=FILE before it, standard output goes there.
step() {
	local name=$1 part=$2 limit=$3 log=$RESULTS/logs/$1.log start code result remark=
	shift 3
	if [ -n "$QUICK" ] && [ "$limit" -gt 40 ]; then limit=40; fi
	printf '$ %s\n' "$*" >"$log"
	start=$(now)
	if [ -n "${stdout:-}" ]; then
		timeout -k 10 "$limit" "$@" >"$stdout" 2>>"$log"
	else
		timeout -k 10 "$limit" "$@" >>"$log" 2>&1
	fi </dev/null
	code=$?
	case $code in
	0) result=pass ;;
	"$missing") result=missing remark=$(tail -n 1 "$log") ;;
	124 | 137) result=timeout remark="not done after $limit s" ;;
	*) result=FAIL remark="exit code $code: $(tail -n 1 "$log" | cut -c1-200)" ;;
	esac
	record "$name" "$part" "$result" "$(echo "$(now) $start" | awk '{print $1 - $2}')" "${remark//$'\t'/ }"
	return "$code"
}

# finish PART: makes the page of all results so far, and the tar file.
finish() {
	"$PYTHON" - "$RESULTS/meta.json" "$begun" "$commit" "$DATA" "$QUICK" "$PARTS" <<'EOF'
import json, sys
keys = ("begun", "commit", "data", "quick", "parts")
values = dict(zip(keys, sys.argv[2:]))
values["data"] = "MNIST" if values["data"] else "built-in digits"
values["quick"] = bool(values["quick"])
json.dump(values, open(sys.argv[1], "w"))
EOF
	"$PYTHON" "$here/page.py" "$RESULTS" || record page page FAIL 0 "page.py failed"
	# A file that is still written, such as clocks.csv, may change meanwhile.
	tar -czf "$RESULTS.tar.gz.new" --warning=no-file-changed -C "$(dirname "$RESULTS")" "$(basename "$RESULTS")"
	if [ $? -le 1 ]; then mv "$RESULTS.tar.gz.new" "$RESULTS.tar.gz"; else record tar "$1" FAIL 0 "tar failed"; fi
}

absent() { record "$1" "$2" missing 0 "$3"; }

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

# train NAME PART LIMIT FLAGS…: a training whose run folder is runs/NAME.
train() {
	local name=$1 part=$2 limit=$3
	shift 3
	rm -rf "$RESULTS/runs/$name"
	step "$name" "$part" "$limit" "$TRAINER" "${main[@]}" -out "$RESULTS/runs/$name" "$@"
}

if part facts; then
	echo "== facts"
	stdout=$RESULTS/devices.txt step devices facts 60 "$TRAINER" devices
	stdout=$RESULTS/version.txt step version facts 10 "$TRAINER" version
	{
		uname -srm
		awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo
		nproc
		"$PYTHON" --version
	} >"$RESULTS/computer.txt" 2>&1
	if command -v nvidia-smi >/dev/null; then
		step nvidia-smi facts 60 nvidia-smi -q
		stdout=$RESULTS/gpu.csv step gpu facts 60 nvidia-smi \
			--query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit --format=csv
	else
		absent nvidia-smi facts "no nvidia-smi"
	fi
	finish facts
fi

if part smoke; then
	echo "== smoke test of each kernel"
	found=
	for t in "$TESTS"/*cuda.test; do
		[ -x "$t" ] || continue
		found=1
		step smoke smoke 20 env TRAINER_TEST_GPU=1 "$t" -test.v -test.run '^TestSmoke$'
	done
	[ -n "$found" ] || absent smoke smoke "no test binary in $TESTS"
	finish smoke
fi

if part correctness; then
	echo "== correctness"
	selection=(-test.timeout 290s)
	if [ -n "$QUICK" ]; then selection+=(-test.short -test.run "${QUICK_TESTS:-^TestModeOf$}"); fi
	found=
	for t in "$TESTS"/*.test; do
		[ -x "$t" ] || continue
		found=1
		step "test-$(basename "$t" .test)" correctness 300 env TRAINER_TEST_GPU=1 "$t" -test.v "${selection[@]}"
	done
	[ -n "$found" ] || absent tests correctness "no test binaries in $TESTS"
	for precision in float64 float32; do
		for layers in 784,50,10 784,40,30,20,10; do
			stdout=$RESULTS/gradcheck-$precision-$layers.json step "gradcheck-$precision-$layers" correctness 120 \
				"$TRAINER" gradcheck -json -device cuda -set "model.layers=[$layers]" -set precision=$precision
		done
	done
	# Weights after an epoch on both devices: one sample a step, and mini-batches.
	for batch in 1 128; do
		rate=0.3
		if [ $batch = 128 ]; then rate=3; fi
		rm -rf "$RESULTS"/runs/{cpu,cuda}-float{32,64}-$batch
		for device in cpu cuda; do
			for precision in float32 float64; do
				train $device-$precision-$batch correctness 120 -device $device -set precision=$precision \
					-set train.epochs=1 -set train.batch=$batch -set train.rate.initial=$rate
			done
		done
		stdout=$RESULTS/weights-$batch.json step weights-$batch correctness 60 "$PYTHON" "$here/check.py" weights \
			--runs "$RESULTS/runs" --batch $batch --steps $(((samples + batch - 1) / batch))
	done
	# From Ctrl-C to the exit: half a second more than on the CPU, which saves too.
	for device in cpu cuda; do
		against=()
		if [ $device = cuda ]; then against=(--against "$RESULTS/stop-cpu.json"); fi
		rm -rf "$RESULTS/runs/stop-$device"
		stdout=$RESULTS/stop-$device.json step stop-$device correctness 150 "$PYTHON" "$here/check.py" stop --limit 0.5 \
			"${against[@]}" --log "$RESULTS/logs/stop-$device-trainer.log" --run "$RESULTS/runs/stop-$device" -- \
			"$TRAINER" "${main[@]}" -out "$RESULTS/runs/stop-$device" -device $device \
			-set train.epochs=100000 -set train.rate.factor=1
	done
	finish correctness
fi

if part sanitizer; then
	echo "== compute-sanitizer"
	sanitizer=$(toolkit compute-sanitizer)
	for tool in memcheck racecheck synccheck; do
		for batch in 1 4 128; do
			if [ -z "$sanitizer" ]; then
				absent $tool-batch-$batch sanitizer "no compute-sanitizer"
				continue
			fi
			rm -rf "$RESULTS/runs/$tool-$batch"
			step $tool-batch-$batch sanitizer 120 "$sanitizer" --tool $tool --error-exitcode 9 "$TRAINER" \
				-config "$CONFIGS/mnist.yaml" "${small[@]}" -out "$RESULTS/runs/$tool-$batch" -device cuda \
				-set train.epochs=1 -set train.batch=$batch
		done
	done
	finish sanitizer
fi

clocks=
if part timing || part peers; then
	if command -v nvidia-smi >/dev/null; then
		nvidia-smi --query-gpu=clocks.sm,clocks.mem,temperature.gpu,power.draw,utilization.gpu \
			--format=csv,noheader,nounits -lms 200 >"$RESULTS/clocks.csv" 2>/dev/null &
		clocks=$!
	fi
fi

if part timing; then
	echo "== timing"
	least=2s
	if [ -n "$QUICK" ]; then least=10ms; fi
	stdout=$RESULTS/bench.json step bench timing 300 "$TRAINER" bench -json -device cuda -time $least "${main[@]}"
	# A step in each mode: what the modes cost beside each other, in the log.
	modes=(-test.run '^$' -test.bench BenchmarkModes -test.benchtime 0.5s)
	if [ -n "$QUICK" ]; then modes=(-test.run '^$' -test.bench 'BenchmarkModes/block/float32/batch=10$' -test.benchtime 1x); fi
	for t in "$TESTS"/*cuda.test; do
		[ -x "$t" ] || continue
		step modes timing 300 env TRAINER_TEST_GPU=1 "$t" "${modes[@]}"
	done
	# An epoch for each batch size at the peers' learning rates: accuracy, and the
	# time of a pass as a run has it. The full batch is a step an epoch.
	full=$samples
	for job in 1:0.3:1 10:1:1 128:3:1 1000:3:1 $full:1:50; do
		IFS=: read -r batch rate epochs <<<"$job"
		name=epoch-$batch
		if [ "$epochs" = 50 ]; then name=epoch-full; fi
		shuffle=true
		if [ "$epochs" = 50 ]; then shuffle=false; fi
		train "$name" timing 120 -device cuda -set train.epochs="$epochs" -set train.batch="$batch" \
			-set train.rate.initial="$rate" -set train.rate.factor=1 -set train.shuffle=$shuffle
	done
	# The main job, start to exit.
	epochs=50
	if [ -n "$QUICK" ]; then epochs=2; fi
	train main timing 120 -device cuda -set train.epochs=$epochs
	# One run and many together, after 1 and after 6 epochs; the difference has
	# no start in it.
	runs=${RUNS:-$(sed -n 's/.*[ ,]\([0-9][0-9]*\) multiprocessors.*/\1/p' "$RESULTS/devices.txt" 2>/dev/null | head -n 1)}
	runs=${runs:-132}
	if "$TRAINER" help config | grep -q '^train\.runs\.count'; then
		for count in 1 "$runs"; do
			which=one
			if [ "$count" != 1 ]; then which=many; fi
			for epochs in 1 6; do
				train runs-$which-$epochs timing 120 -device cuda -set train.runs.count="$count" -set train.epochs=$epochs
			done
		done
		echo "$runs" >"$RESULTS/runs.txt"
	else
		absent runs timing "this trainer has no train.runs.count"
	fi
	finish timing
fi

if part peers; then
	echo "== peers"
	from=()
	if [ -n "$DATA" ]; then from=(--data "$DATA"); fi
	if [ -n "$QUICK" ]; then
		from=(--data "$RESULTS/small" --device "${PEERS_DEVICE:-cuda}" --seconds 0.01 --repeats 1 --batches "1,10" --time 10)
	fi
	if "$PYTHON" -c 'import numpy' 2>/dev/null; then
		step peers peers 590 "$PYTHON" "$here/peers.py" --out "$RESULTS/peers.json" --time 440 "${from[@]}"
	else
		absent peers peers "$PYTHON has no NumPy"
	fi
	finish peers
fi
if [ -n "$clocks" ]; then kill "$clocks" 2>/dev/null; fi

if part profile; then
	echo "== profile"
	ncu=$(toolkit ncu)
	for batch in 1 128; do
		if [ -z "$ncu" ]; then
			absent profile-$batch profile "no ncu"
			continue
		fi
		rm -rf "$RESULTS/runs/profile-$batch"
		step profile-$batch profile 200 "$ncu" --clock-control none --launch-count 1 --set full --page details "$TRAINER" \
			-config "$CONFIGS/mnist.yaml" "${small[@]}" -out "$RESULTS/runs/profile-$batch" -device cuda \
			-set train.epochs=1 -set train.batch=$batch
	done
	finish profile
fi

echo "== summary"
awk -F'\t' '{n[$3]++; if ($3 != "pass") print $3 ": " $1 (($5 == "") ? "" : ": " $5)}
	END {printf "%d passed, %d failed, %d missing, %d out of time\n", n["pass"], n["FAIL"], n["missing"], n["timeout"]; exit n["FAIL"] + n["timeout"] > 0}' "$RESULTS/steps.tsv"
failed=$?
echo "$RESULTS/report.md, $RESULTS/report.json, $RESULTS/logs; all of it in $RESULTS.tar.gz"
exit $failed
