#!/bin/sh
# Compares cuda.h in this folder with NVIDIA's: every value, every signature, the
# layout of every structure, and, for CUDA 12, the version that each name means.
#
#   check-header.sh                 compares with the headers of CUDA 12 and 13,
#                                   which pip downloads (a few MB)
#   check-header.sh FOLDER...       compares with the headers in these folders
#
# It needs a C compiler and, without folders, Python with pip.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ $# -eq 0 ]; then
	for package in nvidia-cuda-runtime-cu12==12.4.127 nvidia-cuda-runtime-cu12==12.9.79 nvidia-cuda-runtime==13.0.96 'nvidia-cuda-runtime>=13'; do
		wheel=$work/$(echo "$package" | tr -c 'a-z0-9.\n' _)
		python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --platform manylinux2014_x86_64 --dest "$wheel" "$package"
		python3 -m zipfile -e "$wheel"/*.whl "$wheel"
		set -- "$@" "$(dirname "$(find "$wheel" -name cuda.h)")"
	done
fi

# Values and signatures. With __CUDA_API_VERSION_INTERNAL, NVIDIA's header
# declares each version of a function by its exported name, and no short names.
cat >"$work/assert.c" <<'EOF'
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#define CU_ENUM(type, tag) _Static_assert(__builtin_types_compatible_p(type, enum tag), #type);
#define CU_VALUE(name, value) _Static_assert((name) == (value), #name);
#define CU_RESULT(name, value) CU_VALUE(name, value)
#define CU_ENUM_END(type, tag) _Static_assert(sizeof(type) == 4, #type);
#include "cuda_enums.h"
#define CU_FUNCTION(name, parameters) \
	_Static_assert(__builtin_types_compatible_p(__typeof__(&name), CUresult (*) parameters), #name);
#include "cuda_functions.h"
EOF

# Layouts and scalar types: a program that prints them is built with each header.
# Its types and fields come from the text of our header.
awk '
	function type(t) { printf "\tprintf(\"%s: %%zu bytes, aligned to %%zu\\n\", sizeof(%s), _Alignof(%s));\n", t, t, t }
	BEGIN { print "#include <cuda.h>\n#include <stddef.h>\n#include <stdio.h>\n#define FIELD(t, f) printf(#t \".\" #f \": %zu bytes at %zu\\n\", sizeof(((t *)0)->f), offsetof(t, f))\n#define IS(t, u) printf(#t \" is \" #u \": %d\\n\", __builtin_types_compatible_p(t, u))\nint main(void) {" }
	/^typedef struct [A-Za-z0-9_]+ \{/ { n = 0; inside = 1; next }
	inside && /^} / { t = $2; sub(";", "", t); type(t); for (i = 0; i < n; i++) printf "\tFIELD(%s, %s);\n", t, fields[i]; inside = 0; next }
	inside { gsub(/[*,;]/, " "); gsub(/\[[0-9]+\]/, ""); m = split($0, w, " ")
		first = 2; if (w[1] == "const") first = 3
		for (i = first; i <= m; i++) fields[n++] = w[i]; next }
	/^typedef struct .* \*CU/ { t = $4; gsub(/[*;]/, "", t); type(t); printf "\tIS(%s, struct %s *);\n", t, $3; next }
	/^typedef void \(\*CUhostFn\)/ { type("CUhostFn"); print "\tIS(CUhostFn, void (*)(void *));"; next }
	/^typedef / { t = $NF; sub(";", "", t); u = $0; sub(/^typedef /, "", u); sub(/ [A-Za-z0-9_]+;$/, "", u); type(t); printf "\tIS(%s, %s);\n", t, u; next }
	/^#define CU_(TRSF|MEMHOSTALLOC)_/ { printf "\tprintf(\"%s: %%d\\n\", (int)(%s));\n", $2, $2; next }
	END { print "\treturn 0;\n}" }
' "$here/cuda.h" >"$work/layout.c"

# The versions of names.
{
	printf '#include <cuda.h>\n#include <stdio.h>\n#define TEXT_(x) #x\n#define TEXT(x) TEXT_(x)\nint main(void) {\n'
	sed -n 's/^#define \(cu[A-Za-z0-9]*\) \(cu[A-Za-z0-9_]*\)$/\tputs("\1 is " TEXT(\1));/p' "$here/cuda.h"
	printf '\treturn 0;\n}\n'
} >"$work/names.c"

cc=${CC:-cc}
print() { # print PROGRAM HEADERS: builds the program with the headers and runs it
	$cc -std=gnu11 -I"$2" -o "$work/$1" "$work/$1.c" && "$work/$1"
}
print layout "$here" >"$work/layout.ours"
print names "$here" >"$work/names.ours"
for folder; do
	version=$(sed -n 's/^#define CUDA_VERSION *\([0-9]*\).*/\1/p' "$folder/cuda.h")
	# Include our cuda_enums.h and cuda_functions.h, but NVIDIA's cuda.h: a folder
	# has links to the first two, and NVIDIA's folder comes before it.
	mkdir -p "$work/lists" && ln -sf "$here/cuda_enums.h" "$here/cuda_functions.h" "$work/lists/"
	$cc -std=gnu11 -fsyntax-only -I"$folder" -I"$work/lists" "$work/assert.c"
	print layout "$folder" >"$work/layout.theirs"
	diff "$work/layout.ours" "$work/layout.theirs"
	if [ "$version" -lt 13000 ]; then
		print names "$folder" >"$work/names.theirs"
		diff "$work/names.ours" "$work/names.theirs"
	fi
	echo "cuda.h agrees with CUDA $version: $(grep -c '^CU_FUNCTION' "$here/cuda_functions.h") functions, $(grep -cE '^CU_(VALUE|RESULT)' "$here/cuda_enums.h") values, $(grep -c . "$work/layout.ours") facts of layout"
done
