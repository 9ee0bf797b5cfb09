"""Puts pictures together, and fits one to a size that was asked for."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ferrotype.engines.illustrator.edits import regions
from ferrotype.engines.illustrator.edits.fill import expand

Size = tuple[int, int]
PAPERS = ("#f4efe6", "#e9eef0", "#f2e9e4", "#2c2e33", "#e8ece2")


def fit(picture: Image.Image, size: Size, seed: int) -> Image.Image:
    """Return the picture at a size: cropped while that costs little, continued beyond that."""
    if picture.size == size:
        return picture
    w, h = picture.size
    asked, own = size[0] / size[1], w / h
    if max(asked / own, own / asked) > 1.45:
        mid = asked * (own / asked) ** 0.25 if max(asked / own, own / asked) < 2 else asked
        scale = min(size[0] / (h * max(own, mid)), size[1] / (w / min(own, mid)))
        few = max(1, round(w * scale)), max(1, round(h * scale))
        picture = resized(picture, few)
        more = (
            max(0, size[0] - few[0]) if mid > own else 0,
            max(0, size[1] - few[1]) if mid < own else 0,
        )
        left, top = more[0] // 2, more[1] // 2
        picture = expand(picture, (left, top, more[0] - left, more[1] - top), seed)
    return cropped(picture, size)


def cropped(picture: Image.Image, size: Size) -> Image.Image:
    """Fill the size with the picture, its middle kept."""
    scale = max(size[0] / picture.width, size[1] / picture.height)
    few = max(size[0], round(picture.width * scale)), max(size[1], round(picture.height * scale))
    left, top = (few[0] - size[0]) // 2, (few[1] - size[1]) * 2 // 5
    return resized(picture, few).crop((left, top, left + size[0], top + size[1]))


def resized(picture: Image.Image, size: Size) -> Image.Image:
    """Return the picture at a size, by the filter that suits."""
    return (
        picture
        if picture.size == size
        else picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    )


def rows_of(
    count: int, layout: str, ratios: list[float], size: Size, gap: int
) -> list[tuple[int, int, float]]:
    """Return the rows that fill the size best: first picture, how many, height at full width."""
    ways = [[count // r + (k < count % r) for k in range(r)] for r in range(1, count + 1)]
    if layout in ("beside", "above"):
        ways = [[count] if layout == "beside" else [1] * count]

    def rows(way: list[int]) -> list[tuple[int, int, float]]:
        firsts = [sum(way[:k]) for k in range(len(way))]
        return [
            (at, n, (size[0] - gap * (n + 1)) / sum(ratios[at : at + n]))
            for at, n in zip(firsts, way, strict=True)
        ]

    def waste(found: list[tuple[int, int, float]]) -> float:
        return abs(math.log(max(1.0, sum(high for _, _, high in found)) / size[1]))

    return min(map(rows, ways), key=waste)


def collage(pictures: list[Image.Image], size: Size, layout: str, seed: int) -> Image.Image:
    """Set the pictures in rows on a sheet, each whole and in its own ratio."""
    rng = np.random.default_rng(seed)
    sheet = Image.new("RGB", size, PAPERS[seed % len(PAPERS)])
    gap = max(2, round(min(size) * float(rng.uniform(0.012, 0.026))))
    ratios = [max(0.1, min(10.0, p.width / p.height)) for p in pictures]
    rows = rows_of(len(pictures), layout, ratios, size, gap)
    total = sum(high for _, _, high in rows)
    scale = min(1.0, (size[1] - gap * (len(rows) + 1)) / total)
    y = (size[1] - total * scale - gap * (len(rows) - 1)) / 2
    for at, n, high in rows:
        wide = sum(ratios[at : at + n]) * high * scale + gap * (n - 1)
        x = (size[0] - wide) / 2
        for k in range(at, at + n):
            box = max(1, round(ratios[k] * high * scale)), max(1, round(high * scale))
            lay(sheet, cropped(pictures[k], box), round(x), round(y), gap)
            x += ratios[k] * high * scale + gap
        y += high * scale + gap
    return sheet


def lay(sheet: Image.Image, picture: Image.Image, x: int, y: int, gap: int) -> None:
    """Lay a print on the sheet with the shadow it throws."""
    shadow = Image.new("L", sheet.size)
    drop = max(1, gap // 5)
    ImageDraw.Draw(shadow).rectangle(
        (x + drop, y + drop, x + picture.width + drop, y + picture.height + drop), 90
    )
    shadow = shadow.filter(ImageFilter.GaussianBlur(max(1.0, gap / 3)))
    sheet.paste((30, 26, 34), mask=shadow)
    sheet.paste(picture, (x, y))


def cutout(picture: Image.Image) -> Image.Image | None:
    """Return the mask of what stands before a plain ground, or None when it is not plain."""
    view = regions.small(picture, 320)
    pixels = np.asarray(view, np.int16)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ground = np.median(edge, axis=0)
    if (np.abs(edge - ground).sum(1) > 60).mean() > 0.22:
        return None
    plain = np.abs(pixels - ground).sum(2) < 54
    reached = np.zeros_like(plain)
    reached[0], reached[-1], reached[:, 0], reached[:, -1] = (
        plain[0],
        plain[-1],
        plain[:, 0],
        plain[:, -1],
    )
    reached = regions.flooded(reached, plain)
    mask = Image.fromarray((~reached).astype(np.uint8) * 255).filter(ImageFilter.MinFilter(3))
    if not 0.02 < regions.share(mask) < 0.85:
        return None
    return mask.filter(ImageFilter.GaussianBlur(0.6)).resize(picture.size, Image.Resampling.BICUBIC)


def placed(
    scene: Image.Image, guest: Image.Image, part: float, at: tuple[float, float]
) -> Image.Image:
    """Set a guest into a scene: cut out and standing on its shadow, or as a framed print.

    `part` is its height as a part of the scene's; `at` its foot's middle, in parts.
    """
    mask = cutout(guest)
    out = scene.copy()
    w, h = scene.size
    if mask is not None:
        box = mask.getbbox() or (0, 0, *guest.size)
        guest, mask = guest.crop(box), mask.crop(box)
    scale = min(part * h / guest.height, 0.8 * w / guest.width)
    size = max(1, round(guest.width * scale)), max(1, round(guest.height * scale))
    x, y = round(at[0] * w - size[0] / 2), round(at[1] * h - size[1])
    x = max(0, min(w - size[0], x))
    if mask is None:
        frame = max(3, round(min(w, h) * 0.012))
        print_ = Image.new("RGB", (size[0] + 2 * frame, size[1] + 2 * frame), "#fbf9f4")
        lay(out, print_, x - frame, y - frame, frame * 2)
        out.paste(resized(guest, size), (x, y))
        return out
    shade, reach = Image.new("L", scene.size), size[0] * 0.45
    left, top = x + size[0] / 2 - reach, y + size[1] * 0.955
    ImageDraw.Draw(shade).ellipse((left, top, left + 2 * reach, top + size[1] * 0.07), 150)
    out.paste((16, 14, 26), mask=shade.filter(ImageFilter.GaussianBlur(max(1, size[0] / 28))))
    out.paste(resized(guest, size), (x, y), mask.resize(size, Image.Resampling.BICUBIC))
    return out


def matched(picture: Image.Image, model: Image.Image) -> Image.Image:
    """Give a picture the light and colours of another: each channel's levels in its order."""
    bands = []
    for own, other in zip(
        picture.convert("YCbCr").split(), model.convert("YCbCr").split(), strict=True
    ):
        have, want = (
            np.cumsum(np.asarray(b.histogram(), np.float64)) / (b.width * b.height)
            for b in (own, other)
        )
        table = np.interp(have, want, np.arange(256))
        table = np.convolve(np.pad(table, 6, mode="edge"), np.ones(13) / 13, "valid")
        bands.append(own.point((table * 0.8 + np.arange(256) * 0.2).astype(int).tolist()))
    return Image.merge("YCbCr", bands).convert("RGB")
