"""Build the illustrator's art pack from the npm package @iconify-json/fluent-emoji 1.2.7 (MIT).

    npm pack @iconify-json/fluent-emoji@1.2.7 && tar xzf iconify-json-fluent-emoji-1.2.7.tgz
    python tools/build_art_pack.py package src/ferrotype/engines/illustrator/pack

Writes `art.json.xz`: {name: SVG body in a 32 by 32 box} for all that the vocabulary beside the
folder names. Same input, same bytes.
"""

import json
import lzma
import re
import sys
import tomllib
from pathlib import Path

KINDS = """animal swimmer marine vessel flying cosmic building thing plant food ware
furniture"""
# what shop windows show beside what a prompt can name
GOODS = """nesting-dolls locomotive rocket yo-yo kite red-apple canoe teddy-bear"""
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?")
DIGITS = tuple("0123456789.")
SHAPES = re.compile(
    r' (?:d|gradientTransform|transform|offset|stop-opacity|[xy][12]?|[cr][xy]?)="[^"]*"'
)
LICENCE = """Fluent Emoji, https://github.com/microsoft/fluentui-emoji

MIT License

Copyright (c) Microsoft Corporation.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def short(number: re.Match[str]) -> str:
    """Round a number to what a 32 by 32 box shows, apart from the number before it."""
    value = float(number[0])
    text = f"{value:.4g}" if abs(value) < 1 else f"{value:.2f}".rstrip("0").rstrip(".")
    text = re.sub(r"^(-?)0\.", r"\1.", text)
    before = number.string[: number.start()][-1:]
    return f" {text}" if before in DIGITS and not text.startswith("-") else text


def slim(body: str) -> str:
    """Leave out filters, round numbers, give the picture's own ids a prefix to be replaced."""
    body = re.sub(r' filter="[^"]*"|<filter.*?</filter>', "", body)
    body = SHAPES.sub(lambda found: NUMBER.sub(short, found[0]), body)
    for i, name in enumerate(dict.fromkeys(re.findall(r'id="([^"]+)"', body))):
        body = (
            body.replace(f'id="{name}"', f'id="@{i}"')
            .replace(f"#{name})", f"#@{i})")
            .replace(f'"#{name}"', f'"#@{i}"')
        )
    return body


def wanted(tables: Path) -> set[str]:
    """Return the names of all pictures that the vocabulary or a shop window may show."""
    names = set(GOODS.split())
    for file in ("words.toml", "nouns.toml"):
        vocabulary = tomllib.loads((tables / file).read_text(encoding="utf-8"))
        names.update(*(vocabulary.get(kind, {}) for kind in KINDS.split()))
    names.update(tomllib.loads((tables / "props.toml").read_text("utf-8"))["art"].values())
    return names - set(tomllib.loads((tables / "shapes.toml").read_text("utf-8")))  # our own


def main(package: Path, folder: Path) -> None:
    """Write the pack and its licence into `folder`."""
    icons = json.loads((package / "icons.json").read_text(encoding="utf-8"))["icons"]
    names = sorted(wanted(folder.parent) & set(icons))
    text = json.dumps({name: slim(icons[name]["body"]) for name in names}, sort_keys=True)
    pack = lzma.compress(text.encode(), format=lzma.FORMAT_XZ, preset=9 | lzma.PRESET_EXTREME)
    (folder / "art.json.xz").write_bytes(pack)
    (folder / "art-licence.txt").write_text(LICENCE, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
