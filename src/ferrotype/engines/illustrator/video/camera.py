"""The camera: which way it moves, and what part of a picture it sees at a time from 0 to 1."""

import random
import re

from msgspec import Struct

Box = tuple[float, float, float, float]
WORDS = {
    "hold": r"static shot|static camera|fixed (shot|camera)|still camera|固定镜头|镜头固定",
    "out": r"zoom(s|ing)? out|pull(s|ing)? back|pull(s|ing)? out|dolly out|拉远|镜头后退|缩小",
    "in": r"zoom(s|ing)? in|push(es|ing)? in|dolly in|close in|推近|镜头前进|推进|放大|拉近",
    "left": r"pan(s|ning)? (to the )?left|左移|向左(平移|摇)|镜头左摇",
    "right": r"pan(s|ning)? (to the )?right|右移|向右(平移|摇)|镜头右摇|tracking shot|跟拍|平移",
    "up": r"tilt(s|ing)? up|pan(s|ning)? up|crane|上摇|上移|升起",
    "down": r"tilt(s|ing)? down|pan(s|ning)? down|下摇|下移",
}
ZOOM = 1.13


class Move(Struct, frozen=True):
    """A camera move: zoom at start and end, and where the window stands in its slack (-1 to 1)."""

    name: str
    zoom: tuple[float, float]
    x: tuple[float, float] = (0.0, 0.0)
    y: tuple[float, float] = (0.0, 0.0)

    def box(self, t: float, size: tuple[int, int]) -> Box:
        """Return what the camera sees of a picture of this size: left, top, right, bottom."""
        part = ease(t)
        zoom, x, y = (a + (b - a) * part for a, b in (self.zoom, self.x, self.y))
        wide, high = size[0] / zoom, size[1] / zoom
        left, top = (size[0] - wide) * (1 + x) / 2, (size[1] - high) * (1 + y) / 2
        return left, top, left + wide, top + high


MOVES = {
    "hold": Move("hold", (1.0, 1.0)),
    "in": Move("in", (1.0, ZOOM), (0, 0), (0, 0.1)),
    "out": Move("out", (ZOOM, 1.0)),
    "left": Move("left", (ZOOM, ZOOM), (1, -1)),
    "right": Move("right", (ZOOM, ZOOM), (-1, 1)),
    "up": Move("up", (ZOOM, ZOOM), (0, 0), (1, -1)),
    "down": Move("down", (ZOOM, ZOOM), (0, 0), (-1, 1)),
}


def ease(t: float) -> float:
    """Start and stop softly, and move evenly between."""
    t = min(1.0, max(0.0, t))
    return 0.45 * t + 0.55 * t * t * (3 - 2 * t)


def asked(prompt: str) -> str | None:
    """Return the move that a prompt asks for."""
    text = prompt.lower()
    return next((name for name, words in WORDS.items() if re.search(words, text)), None)


def choose(prompt: str, seed: int, names: tuple[str, ...]) -> Move:
    """Return the prompt's move, else one of these by the seed."""
    return MOVES[asked(prompt) or random.Random(f"{seed}:camera").choice(names)]


def from_first(move: Move) -> Move:
    """Return the move begun at the whole picture, where a pan would begin at a part of it."""
    if move.zoom[0] == move.zoom[1] != 1.0:
        return Move(move.name, (1.0, ZOOM), (0, move.x[1]), (0, move.y[1]))
    return move
