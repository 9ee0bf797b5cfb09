"""Ambient sound of a scene, and the caller's own track: 48 kHz stereo, floats from -1 to 1."""

import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from ferrotype.engines.illustrator.scene import Scene

RATE = 48_000
Sound = NDArray[np.float32]


def noise(rng: np.random.Generator, n: int, low: float, high: float, slope: float = 0.5) -> Sound:
    """Return stereo noise between two frequencies in Hz, its level 1; `slope` darkens it."""
    pitch = np.fft.rfftfreq(n, 1 / RATE)
    shape = np.clip((pitch - low) / low, 0, 1) * np.clip((high * 1.5 - pitch) / (high * 0.5), 0, 1)
    shape /= np.maximum(pitch, 20) ** slope
    waves = np.fft.irfft(np.fft.rfft(rng.standard_normal((2, n))) * shape, n)
    return np.asarray(waves / (waves.std() + 1e-9), np.float32)


def swell(rng: np.random.Generator, n: int, seconds: float, depth: float) -> Sound:
    """Return a slow rise and fall around 1, about as long as these seconds."""
    knots = max(4, round(n / RATE / seconds * 2) + 3)
    rough = rng.uniform(1 - depth, 1 + depth, (2, knots))
    at = np.linspace(0, knots - 1, n)
    i = np.minimum(at.astype(int), knots - 2)
    part = (1 - np.cos((at - i) * np.pi)) / 2
    return np.asarray(rough[:, i] * (1 - part) + rough[:, i + 1] * part, np.float32)


def wind(rng: np.random.Generator, n: int) -> Sound:
    """Wind over open land."""
    return 0.045 * noise(rng, n, 90, 700, 0.9) * swell(rng, n, 3.5, 0.6)


def rain(rng: np.random.Generator, n: int) -> Sound:
    """Steady rain with single drops."""
    drop = np.sin(np.arange(160) * 0.5) * np.exp(-np.arange(160) / 30) * np.hanning(320)[:160]
    falls = rng.standard_normal((2, n)) * (rng.random((2, n)) < 0.0006)
    drops = np.stack([np.convolve(side, drop)[:n] for side in falls]).astype(np.float32)
    return 0.045 * noise(rng, n, 500, 9000, 0.35) * swell(rng, n, 2, 0.15) + 0.16 * drops


def waves(rng: np.random.Generator, n: int) -> Sound:
    """Waves that run up a shore every few seconds."""
    t = np.arange(n) / RATE
    rise = np.clip(np.sin(t * 6.283 / 5.2 + rng.uniform(0, 6)), -0.3, 1) + 0.3
    return (0.075 * noise(rng, n, 150, 2500, 0.6) * (0.25 + 0.75 * rise**1.5)).astype(np.float32)


def stream(rng: np.random.Generator, n: int) -> Sound:
    """Water lapping at a lake or running in a river."""
    return 0.03 * noise(rng, n, 350, 2200, 0.5) * swell(rng, n, 0.6, 0.55)


def calls(
    rng: np.random.Generator, n: int, every: float, low: float, high: float
) -> Iterator[tuple[int, float, float, float]]:
    """Yield chance moments: the sample, a pitch, a place from left to right, a loudness."""
    for _ in range(max(1, round(n / RATE / every))):
        yield (
            int(rng.integers(0, n)),
            rng.uniform(low, high),
            rng.uniform(0.15, 0.85),
            rng.uniform(0.3, 1),
        )


def birds(rng: np.random.Generator, n: int) -> Sound:
    """Small birds, each a phrase of a few sliding whistles."""
    made = np.zeros((2, n), np.float32)
    for start, pitch, pan, loud in calls(rng, n, 1.5, 2300, 4300):
        for _ in range(int(rng.integers(2, 6))):
            long = int(RATE * rng.uniform(0.05, 0.13))
            t = np.linspace(0, 1, long)
            slide = pitch * (1 + rng.uniform(-0.16, 0.2) * t + 0.03 * np.sin(t * 40))
            tone = np.sin(np.cumsum(slide) * 6.283 / RATE) * np.sin(t * np.pi) ** 2
            stop = min(n, start + long)
            if start < stop:
                side = np.array([[1 - pan], [pan]])
                made[:, start:stop] += (0.05 * loud * side * tone[: stop - start]).astype(
                    np.float32
                )
            start += long + int(RATE * rng.uniform(0.02, 0.09))
    return made


def crickets(rng: np.random.Generator, n: int) -> Sound:
    """A night meadow: a few crickets, each with its own beat."""
    t, made = np.arange(n) / RATE, np.zeros((2, n))
    for k in range(4):
        beat = np.clip(np.sin(t * 6.283 * (2.1 + 0.35 * k) + rng.uniform(0, 6)), 0, 1) ** 3
        trill = 0.5 + 0.5 * np.sin(t * 6.283 * (38 + 5 * k))
        pan = rng.uniform(0.2, 0.8)
        made += np.array([[1 - pan], [pan]]) * np.sin(t * 6.283 * (4100 + 260 * k)) * beat * trill
    return (0.02 * made).astype(np.float32)


def town(rng: np.random.Generator, n: int) -> Sound:
    """The hum of a town some streets away."""
    return 0.04 * noise(rng, n, 60, 420, 0.9) * swell(rng, n, 4, 0.35)


def chords(rng: np.random.Generator, n: int) -> Sound:
    """Soft slow chords that pass into each other every few seconds."""
    made, every = np.zeros((2, n), np.float32), 3.2
    root = rng.choice([196.0, 220.0, 174.6])
    ladders = [(0, 7, 12, 16), (-3, 4, 9, 12), (5, 9, 12, 17), (-5, 2, 7, 11)]
    for k in range(int(n / RATE / every) + 2):
        start, stop = (max(0, int(RATE * every * (k + step) - RATE)) for step in (-1, 1))
        t = (np.arange(start, min(n, stop)) / RATE).astype(np.float32)
        near = (
            np.sin(np.clip(1 - np.abs(t - every * k + 1) / every, 0, 1) * np.float32(np.pi / 2))
            ** 2
        )
        for j, step in enumerate(ladders[k % 4]):
            turn = t * np.float32(6.2832 * root * 2 ** (step / 12))
            tone = (np.sin(turn) + 0.2 * np.sin(2 * turn)) * near
            for side, loud in enumerate((0.6 - 0.06 * j, 0.4 + 0.06 * j)):
                made[side, start : start + len(t)] += np.float32(0.02 * loud) * tone
    return made


BEDS = {f.__name__: f for f in (wind, rain, waves, stream, birds, crickets, town, chords)}
WORDS = {
    "rain": r"\brain|storm|雨",
    "waves": r"\bsea\b|ocean|beach|wave|海",
    "birds": r"bird|forest|garden|鸟|森林",
    "crickets": r"night|moon|夜|月",
    "town": r"city|street|shop|market|城|街|店",
    "wind": r"wind|desert|snow|风|雪",
}


def heard(scene: Scene | None, prompt: str) -> list[str]:
    """Name what a scene sounds like; pictures without one go by the prompt's words."""
    if scene is None or scene.template == "card":
        found = [name for name, words in WORDS.items() if re.search(words, prompt.lower())]
        return [*found, "chords"]
    night = scene.time in ("night", "evening")
    names = ["rain"] if scene.weather in ("rain", "storm") else []
    if scene.template == "landscape":
        names.append("waves" if scene.water == "sea" or scene.ground == "beach" else "wind")
        if scene.water in ("lake", "river", "water"):
            names.append("stream")
        if scene.ground == "meadow" and scene.season != "winter" and names[0] != "rain":
            names.append("crickets" if night else "birds")
    else:
        names.append("town")
    return [*names, "chords"]


def ambience(names: list[str], samples: int, seed: int) -> Sound:
    """Mix beds of sound, each with its own stream of chance, faded at both ends."""
    mix = np.zeros((2, samples), np.float32)
    for name in names:
        mix += BEDS[name](np.random.default_rng([seed, sum(name.encode())]), samples)
    return faded(np.tanh(mix), 0.4)


def faded(sound: Sound, seconds: float) -> Sound:
    """Fade both ends, so that nothing clicks."""
    n = min(sound.shape[1] // 2, int(RATE * seconds))
    ramp = ((1 - np.cos(np.linspace(0, np.pi, n))) / 2).astype(np.float32)
    sound[:, :n] *= ramp
    sound[:, sound.shape[1] - n :] *= ramp[::-1]
    return sound


def track(path: Path, samples: int) -> Sound | None:
    """Read a file's sound, cut to the film's length, silence after its end; None if it has none."""
    with av.open(str(path), options={"protocol_whitelist": "file"}) as source:
        if not source.streams.audio:
            return None
        made, at = np.zeros((2, samples), np.float32), 0
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
        for frame in source.decode(audio=0):
            for part in resampler.resample(frame):
                piece = part.to_ndarray()[:, : samples - at]
                made[:, at : at + piece.shape[1]] = piece
                at += piece.shape[1]
            if at >= samples:
                break
    n = min(at, int(RATE * 0.02))
    made[:, at - n : at] *= np.linspace(1, 0, n, dtype=np.float32)
    return made
