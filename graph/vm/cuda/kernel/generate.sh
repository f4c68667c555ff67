#!/bin/sh
# Makes kernels.ptx, kernels.sm_90.cubin and registers.txt from the sources in this
# folder. It needs python3 with venv and pip, and no GPU.
#
#   ./generate.sh          write the files
#   ./generate.sh -check   fail if the files are stale (CI)
#
# registers.txt lists the registers, stack and spills of each kernel for sm_80
# and sm_90, as ptxas -v prints them. It is committed, so that a change shows.
set -eu
cd "$(dirname "$0")"
nvrtc=12.0.140
ptxas=12.4.131
tools=${TRAINER_CUDA_TOOLS:-${TMPDIR:-/tmp}/trainer-cuda-tools-$(id -u)-$nvrtc-$ptxas}
if [ ! -e "$tools/ready" ]; then
	python3 -m venv "$tools"
	"$tools/bin/pip" install --quiet "nvidia-cuda-nvrtc-cu12==$nvrtc" "nvidia-cuda-nvcc-cu12==$ptxas"
	touch "$tools/ready"
fi
site=$("$tools/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
chmod +x "$site/nvidia/cuda_nvcc/bin/ptxas"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$tools/bin/python" _gen/ptx.py . "$site" "$out"
if [ "${1:-}" = -check ]; then
	diff -u registers.txt "$out/registers.txt"
	cmp kernels.ptx "$out/kernels.ptx"
	cmp kernels.sm_90.cubin "$out/kernels.sm_90.cubin"
	echo "kernels.ptx, kernels.sm_90.cubin and registers.txt are fresh"
else
	cp "$out"/kernels.* "$out/registers.txt" .
fi
