#!/usr/bin/env bash
# bundle.sh: collects what report.sh needs on a machine with a GPU that has
# neither Go nor a compiler, in a folder and a tar file beside it. It needs Go
# and gcc, no GPU and no CUDA toolkit.
#
#   graph/vm/cuda/measure/bundle.sh [FOLDER]         (gpu-bundle)
#
#   DATA=FOLDER   MNIST's four gzipped IDX files, to take along; without it
#                 report.sh is told where MNIST is, or uses the built-in digits
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
mkdir -p "${1:-gpu-bundle}"
to=$(cd "${1:-gpu-bundle}" && pwd)
cd "$root"

export CGO_ENABLED=1 GOOS=linux GOARCH=amd64
export CGO_CFLAGS="${CGO_CFLAGS:--O2 -g -I$root/graph/vm/cuda/driver}"
rm -rf "$to/tests" "$to/configs" "$to/mnist"
mkdir -p "$to/tests" "$to/configs"
echo "trainer, with the tag gpu"
go build -tags gpu -ldflags='-s -w' -o "$to/trainer" ./cmd/trainer
# The tests that run on a GPU are those that know this variable.
for package in $(grep -rl --include='*_test.go' 'TRAINER_TEST_GPU"' cmd graph train data | xargs -r -n1 dirname | sort -u); do
	echo "tests of $package"
	go test -c -tags gpu -ldflags='-s -w' -o "$to/tests/${package//\//-}.test" "./$package"
done
cp configs/*.yaml "$to/configs/"
cp "$here"/{report.sh,peers.py,check.py,page.py,README.md} "$to/"
{
	git rev-parse HEAD 2>/dev/null || echo unknown
	git diff --quiet HEAD -- 2>/dev/null || echo "with changes that are not committed"
} | paste -sd' ' >"$to/COMMIT"
if [ -n "${DATA:-}" ]; then
	mkdir -p "$to/mnist"
	cp "$DATA"/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz "$to/mnist/"
	chmod u+w "$to"/mnist/*
fi
tar -czf "$to.tar.gz" --exclude=results -C "$(dirname "$to")" "$(basename "$to")"
size=$(wc -c <"$to.tar.gz")
echo "$to.tar.gz: $((size / 1000000)) MB; commit $(cat "$to/COMMIT")"
if [ "$size" -gt 60000000 ]; then
	echo "bundle.sh: more than 60 MB" >&2
	exit 1
fi
