"""Makes ../noto-sans-sc.ttf: the characters of a font that package glyph embeds.

    python3 subset.py NotoSansCJK-Regular.ttc        write the file
    python3 subset.py NotoSansCJK-Regular.ttc -check fail if the file is stale

generate.sh runs it with the right version of fontTools. The characters are the
symbols, kana and level 1 (the 3755 most frequent Chinese characters) of GB 2312,
and those of extra.txt. Outlines become TrueType's quadratic curves, which are off by
at most 1/500 em. The same input gives the same bytes.
"""

import hashlib
import io
import os
import sys

from fontTools import subset
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, newTable

# Version 2.004 of the font, as in Debian's package fonts-noto-cjk 1:20220127+repack1-1.
SHA256 = "b76b0433203017ca80401b2ee0dd69350349871c4b19d504c34dbdd80541690a"
FACE = "Noto Sans CJK SC"
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "noto-sans-sc.ttf")


def characters():
    """The code points of the subset."""
    chars = set()
    for high in [0xA1, 0xA3, 0xA4, 0xA5, *range(0xB0, 0xD8)]:  # symbols, full width, kana, level 1
        for low in range(0xA1, 0xFF):
            try:
                chars.add(bytes([high, low]).decode("gb2312"))
            except UnicodeDecodeError:
                pass
    with open(os.path.join(HERE, "extra.txt"), encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#"):
                chars.update(line.strip())
    return sorted(map(ord, chars))


def main():
    source = sys.argv[1]
    with open(source, "rb") as f:
        have = hashlib.file_digest(f, "sha256").hexdigest()
    if have != SHA256:
        sys.exit(f"{source} has the SHA-256 {have}, want {SHA256}")
    font = next(f for f in TTCollection(source).fonts if f["name"].getDebugName(4) == FACE)
    font.recalcTimestamp = False

    options = subset.Options(layout_features=[], hinting=False, glyph_names=False, notdef_outline=True, name_IDs=["*"])
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "vhea", "vmtx", "VORG"]
    wanted = characters()
    missing = [chr(c) for c in wanted if c not in font.getBestCmap()]
    if missing:
        sys.exit(f"{FACE} has no {' '.join(missing)}: remove them from extra.txt")
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)

    glyphs, order = {}, font.getGlyphOrder()
    cubic = font.getGlyphSet()
    for name in order:
        pen = TTGlyphPen(cubic)
        cubic[name].draw(Cu2QuPen(pen, max_err=2, reverse_direction=True))  # of 1000 units an em
        glyphs[name] = pen.glyph()
    font["loca"] = newTable("loca")
    font["glyf"] = glyf = newTable("glyf")
    glyf.glyphOrder, glyf.glyphs = order, glyphs
    maxp = font["maxp"]
    maxp.tableVersion = 0x00010000
    maxp.maxZones = 1
    for zero in ["TwilightPoints", "Storage", "FunctionDefs", "InstructionDefs", "StackElements", "SizeOfInstructions", "ComponentElements"]:
        setattr(maxp, "max" + zero, 0)
    font["post"].formatType = 3
    del font["CFF "]
    font.sfntVersion = "\0\1\0\0"

    out = io.BytesIO()
    font.save(out)
    if sys.argv[2:] == ["-check"]:
        with open(OUT, "rb") as f:
            if f.read() != out.getvalue():
                sys.exit("noto-sans-sc.ttf is stale: run generate.sh")
        return
    with open(OUT, "wb") as f:
        f.write(out.getvalue())
    print(f"{len(wanted)} characters, {len(out.getvalue())} bytes")


main()
