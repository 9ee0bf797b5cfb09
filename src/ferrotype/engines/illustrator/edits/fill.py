"""Fills what a mask shows with what lies around it, and continues pictures beyond their edges.

A small copy is completed patch by patch, coarse to fine; the full picture then takes its detail
from where those patches came from.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.float32]
Places = NDArray[np.int32]
FINEST = 150  # pixels of the longer side that patches are compared at
R = 2  # a patch is 2 R + 1 pixels wide


class Care(Struct, frozen=True):
    """How much it counts that a patch is as calm as its surroundings, and stays at its level."""

    calm: float = 1.5
    level: float = 900.0


WITHIN, BEYOND = Care(), Care(calm=4.5, level=1500.0)


def fill(picture: Image.Image, mask: Image.Image, seed: int, care: Care = WITHIN) -> Image.Image:
    """Return the picture with what is white in a mask (L, its size) filled; the rest is equal."""
    hole = np.asarray(mask) > 127
    if not hole.any() or hole.all():
        return picture
    rng = np.random.default_rng(seed)
    image, origin = complete(picture, hole, rng, care)
    return detailed(picture, hole, image, origin)


def complete(
    picture: Image.Image, hole: NDArray[np.bool_], rng: np.random.Generator, care: Care
) -> tuple[Pixels, Places]:
    """Return a small copy with the hole filled, and for each of its pixels where it came from."""
    scale = min(1.0, FINEST / max(picture.size))
    image: Pixels | None = None
    origin: Places | None = None
    for level in (4, 2, 1):
        size = [max(2 * R + 2, round(side * scale / level)) for side in picture.size]
        open_ = (
            np.asarray(Image.fromarray(hole).convert("L").resize(size, Image.Resampling.BOX)) > 8
        )
        known = np.asarray(veiled(picture, hole, size), np.float32)
        calm = spread(known, open_)
        guess = calm.copy() if image is None else grown(image, size)
        guess[~open_] = known[~open_]
        image, origin = settle(
            guess, calm, open_, origin, rng, care, 2 + level * 2 if level > 1 else 3
        )
    assert image is not None and origin is not None
    return image, origin


def veiled(picture: Image.Image, hole: NDArray[np.bool_], size: list[int]) -> Image.Image:
    """Return a small copy in which no pixel of the hole bleeds into its surroundings."""
    whole = np.asarray(picture.resize(size, Image.Resampling.BOX), np.float32)
    clear = Image.fromarray((~hole).astype(np.uint8) * 255)
    black = Image.new("RGB", picture.size)
    seen = np.asarray(
        Image.composite(picture, black, clear).resize(size, Image.Resampling.BOX), np.float32
    )
    part = np.asarray(clear.resize(size, Image.Resampling.BOX), np.float32)[..., None] / 255
    return Image.fromarray(
        np.where(part > 0.3, np.minimum(255, seen / np.maximum(part, 0.3)), whole).astype(np.uint8)
    )


def grown(image: Pixels, size: list[int]) -> Pixels:
    """Return the image at another size."""
    bands = [
        np.asarray(Image.fromarray(image[..., k]).resize(size, Image.Resampling.BICUBIC))
        for k in range(3)
    ]
    return np.stack(bands, -1)


def spread(image: Pixels, hole: NDArray[np.bool_]) -> Pixels:
    """Let the colours around a hole run into it, ever coarser."""
    out = np.where(hole[..., None], 0, image).astype(np.float32)
    weight = (~hole).astype(np.float32)[..., None]
    missing, radius = hole.copy(), 1.0
    while missing.any() and radius < 2 * max(hole.shape):
        soft = [
            Image.fromarray(np.ascontiguousarray(band))
            for band in (*np.moveaxis(out * weight, 2, 0), weight[..., 0])
        ]
        step = max(1, round(radius))
        few = max(1, hole.shape[1] // step), max(1, hole.shape[0] // step)
        wide = [
            np.asarray(
                band.resize(few, Image.Resampling.BOX).resize(
                    hole.shape[::-1], Image.Resampling.BILINEAR
                )
            )
            for band in soft
        ]
        ready = missing & (wide[3] > 1e-3)
        out[ready] = np.stack([wide[k][ready] / wide[3][ready] for k in range(3)], -1)
        missing &= ~ready
        radius *= 1.5
    return out


def patches(image: Pixels, care: Care) -> Pixels:
    """Return the patch around each pixel as a row that ends with its mean colour and its level."""
    h, w, _ = image.shape
    framed = np.pad(image, ((R, R), (R, R), (0, 0)), mode="edge")
    views = np.lib.stride_tricks.sliding_window_view(framed, (2 * R + 1, 2 * R + 1), (0, 1))
    rows = np.empty((h * w, 3 * (2 * R + 1) ** 2 + 4), np.float32)
    rows[:, :-4] = views.reshape(h * w, -1)
    rows[:, -4:-1] = views.mean((3, 4)).reshape(h * w, 3) * care.calm
    rows[:, -1] = np.repeat(np.arange(h, dtype=np.float32) * (care.level / h), w)
    return rows


def settle(
    image: Pixels,
    calm: Pixels,
    hole: NDArray[np.bool_],
    before: Places | None,
    rng: np.random.Generator,
    care: Care,
    rounds: int,
) -> tuple[Pixels, Places]:
    """Find for each pixel of the hole the known patch that suits it best; average them."""
    h, w = hole.shape
    near = (
        np.asarray(Image.fromarray(hole).convert("L").filter(ImageFilter.MaxFilter(2 * R + 1))) > 0
    )
    origin = np.indices((h, w), np.int32).transpose(1, 2, 0).copy()
    valid = ~near
    if valid.sum() < 8:
        return image, origin
    at = np.argwhere(hole).astype(np.int32)
    best = first_guess(at, before, valid, rng)
    rows = np.flatnonzero((~hole).any(1))
    level = np.clip(at[:, 0], rows[0], rows[-1]) * (care.level / h)
    for turn in range(rounds):
        library = patches(image, care)
        own = library[at[:, 0] * w + at[:, 1]]
        own[:, -4:-1], own[:, -1] = calm[hole] * care.calm, level
        cost = price(own, library, best, w)
        origin[hole] = best
        for step in (8, 4, 2, 1, 1):
            for dy, dx in ((-step, 0), (step, 0), (0, -step), (0, step)):
                by = np.clip(np.add(at, (dy, dx)), 0, (h - 1, w - 1))
                better(origin[by[:, 0], by[:, 1]] - (dy, dx), best, cost, own, library, valid)
            origin[hole] = best
        for reach in (max(h, w) // 2, max(h, w) // 6, 4, 2):
            candidate = best + rng.integers(-reach, reach + 1, best.shape, dtype=np.int32)
            candidate[:, 0] = best[:, 0] + (candidate[:, 0] - best[:, 0]) // 4
            better(candidate, best, cost, own, library, valid)
        origin[hole] = best
        image = voted(image, hole, at, origin, sharp=turn == rounds - 1)
    return image, origin


def first_guess(
    at: Places, before: Places | None, valid: NDArray[np.bool_], rng: np.random.Generator
) -> Places:
    """Return where each pixel might come from: as at the coarser level, else anywhere."""
    h, w = valid.shape
    sources = np.argwhere(valid).astype(np.int32)
    best = sources[rng.integers(0, len(sources), len(at))]
    if before is None:
        known = np.flatnonzero(valid.any(1))
        rows = np.clip(at[:, 0], known[0], known[-1]) + rng.integers(-2, 3, len(at))
        best[:, 0] = np.where(rng.random(len(at)) < 0.9, rows, best[:, 0])
    else:
        up = np.array((h / before.shape[0], w / before.shape[1]))
        cell = np.minimum((at / up).astype(int), np.array(before.shape[:2]) - 1)
        best = (at + (before[cell[:, 0], cell[:, 1]] - cell) * up).round().astype(np.int32)
    inside = np.clip(best, 0, (h - 1, w - 1)).astype(np.int32)
    wrong = ~valid[inside[:, 0], inside[:, 1]]
    inside[wrong] = sources[rng.integers(0, len(sources), int(wrong.sum()))]
    return inside


def price(own: Pixels, library: Pixels, places: Places, wide: int) -> Pixels:
    """Return how unlike the wanted patches and those at some places are."""
    apart = own - library[places[:, 0] * wide + places[:, 1]]
    cost: Pixels = np.einsum("ij,ij->i", apart, apart)
    return cost


def better(
    candidate: Places,
    best: Places,
    cost: Pixels,
    own: Pixels,
    library: Pixels,
    valid: NDArray[np.bool_],
) -> None:
    """Take a candidate wherever it is known ground and more like."""
    h, w = valid.shape
    rows = np.flatnonzero(
        (candidate >= 0).all(1) & (candidate < (h, w)).all(1) & (candidate != best).any(1)
    )
    rows = rows[valid[candidate[rows, 0], candidate[rows, 1]]]
    tried = price(own[rows], library, candidate[rows], w)
    won = tried < cost[rows]
    cost[rows[won]] = tried[won]
    best[rows[won]] = candidate[rows[won]]


def voted(
    image: Pixels, hole: NDArray[np.bool_], at: Places, origin: Places, sharp: bool
) -> Pixels:
    """Return the image with each pixel of the hole as the patches that cover it would have it."""
    h, w = hole.shape
    total = np.zeros((len(at), 3), np.float32)
    weight = np.zeros((len(at), 1), np.float32)
    for dy in range(-R, R + 1):
        for dx in range(-R, R + 1):
            by = np.clip(np.add(at, (dy, dx)), 0, (h - 1, w - 1))
            place = np.clip(origin[by[:, 0], by[:, 1]] - (dy, dx), 0, (h - 1, w - 1))
            part = np.exp(-(dy * dy + dx * dx) * (1.2 if sharp else 0.25))
            total += image[place[:, 0], place[:, 1]] * part
            weight += part
    out = image.copy()
    out[at[:, 0], at[:, 1]] = total / weight
    return out


def detailed(
    picture: Image.Image, hole: NDArray[np.bool_], image: Pixels, origin: Places
) -> Image.Image:
    """Return the full picture: the small one's colours with the detail of where they came from."""
    h, w = hole.shape
    small = Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))
    smooth = np.asarray(small.resize((w, h), Image.Resampling.BICUBIC))
    source = np.asarray(picture)
    out = source.copy()
    up = np.array((h / origin.shape[0], w / origin.shape[1]))
    cells = (origin - np.indices(origin.shape[:2]).transpose(1, 2, 0)) * up
    shift = cells.round().astype(np.int32)
    for top in range(0, h, 256):
        ys, xs = np.nonzero(hole[top : top + 256])
        ys += top
        cell = (ys / up[0]).astype(int), (xs / up[1]).astype(int)
        moved = shift[cell]
        y, x = np.clip(ys + moved[:, 0], 0, h - 1), np.clip(xs + moved[:, 1], 0, w - 1)
        detail = source[y, x].astype(np.int16) - smooth[y, x]
        detail[hole[y, x]] = 0
        out[ys, xs] = np.clip(smooth[ys, xs] + detail, 0, 255)
    return Image.fromarray(out)


def expand(picture: Image.Image, sides: tuple[int, int, int, int], seed: int) -> Image.Image:
    """Continue a picture by so many pixels to the left, top, right and bottom."""
    left, top, right, bottom = sides
    w, h = picture.size
    wide = Image.new("RGB", (w + left + right, h + top + bottom))
    wide.paste(picture, (left, top))
    mask = Image.new("L", wide.size, 255)
    mask.paste(0, (left, top, left + w, top + h))
    return fill(wide, mask, seed, BEYOND)
