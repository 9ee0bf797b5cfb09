"""Cut the illustrator's font from LXGW WenKai (Debian package fonts-lxgw-wenkai, OFL-1.1).

    python tools/build_font.py LXGWWenKai-Regular.ttf copyright \\
        src/ferrotype/engines/illustrator/pack

Needs fonttools 4.63. Keeps Latin, punctuation and the 6,763 Hanzi of GB 2312, and
renames the family, since the licence reserves the original's name. Same input, same bytes.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

FAMILY = "Ferrotype Kai"
EXTRA = (
    "花园屋蔬馨饼馆廊妮莉琳琪瑶璃藤薇蕾郁酿"
    "…—–‘’“”·×•°©®€£¥←→★☆♥♡〇《》「」『』【】、。，！？：；（）"
)


def characters() -> set[int]:
    """Return the code points to keep."""
    latin = [*range(0x20, 0x7F), *range(0xA0, 0x180)]
    rows = [bytes((row, cell)) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF)]
    free = range(0xD7FA, 0xD7FF)  # between the two levels
    hanzi = [ord(p.decode("gb2312")) for p in rows if int.from_bytes(p, "big") not in free]
    return {*latin, *hanzi, *map(ord, EXTRA)}


def rename(font: TTFont) -> None:
    """Give the font our family name and drop every other name but copyright and licence."""
    names = font["name"]
    names.names = [n for n in names.names if n.nameID in {0, 13, 14} and n.platformID == 3]
    for number, text in {1: FAMILY, 2: "Regular", 3: FAMILY, 4: FAMILY, 6: "FerrotypeKai"}.items():
        names.setName(text, number, 3, 1, 0x409)


def font_licence(copyright_file: str) -> str:
    """Take what concerns the font out of its Debian package's copyright file: holder and OFL."""
    head, _, rest = copyright_file[copyright_file.index("Files: *") :].partition("\n\n")
    about = head.removeprefix("Files: *\n").replace("Copyright:\n", "Copyright")
    body = rest[rest.index("License: OFL-1.1\n") :].partition("\n\n")[0]
    lines = [line.removeprefix(" ") for line in body.splitlines()[1:]]
    return about + "\n\n" + "\n".join("" if line == "." else line for line in lines) + "\n"


def main(source: Path, licence: Path, folder: Path) -> None:
    """Write the font and its licence into `folder`."""
    options = subset.Options(layout_features=["kern", "liga"], hinting=False, notdef_outline=True)
    options.name_IDs = ["*"]
    font = TTFont(source, recalcTimestamp=False)
    cut = subset.Subsetter(options)
    cut.populate(unicodes=characters())
    cut.subset(font)
    rename(font)
    font.save(folder / "kai.ttf")
    text = font_licence(licence.read_text(encoding="utf-8"))
    (folder / "kai-licence.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
