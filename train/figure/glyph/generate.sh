#!/bin/sh
# Makes noto-sans-sc.ttf from the whole font, with the characters that _gen/subset.py
# names. It needs python3 with venv and pip.
#
#   ./generate.sh NotoSansCJK-Regular.ttc          write the file
#   ./generate.sh NotoSansCJK-Regular.ttc -check   fail if the file is stale
#
# The font is in Debian's package fonts-noto-cjk; subset.py has the version, and checks
# the SHA-256.
set -eu
fonttools=4.60.1
source=${1:?the path of NotoSansCJK-Regular.ttc}
tools=${TMPDIR:-/tmp}/trainer-fonttools-$(id -u)-$fonttools
if [ ! -e "$tools/ready" ]; then
	python3 -m venv "$tools"
	"$tools/bin/pip" install --quiet "fonttools==$fonttools"
	touch "$tools/ready"
fi
exec "$tools/bin/python" "$(dirname "$0")/_gen/subset.py" "$source" ${2:+"$2"}
