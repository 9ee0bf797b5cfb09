"""The light of a scene: how each colour looks at this time of day and in this weather."""

from msgspec import Struct, convert, structs

from ferrotype.engines.illustrator.scene import Scene
from ferrotype.engines.illustrator.words import table

RGB = tuple[float, float, float]


def rgb(colour: str) -> RGB:
    """Turn "#rrggbb" into three numbers from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def hexed(colour: RGB) -> str:
    """Turn three numbers into "#rrggbb", clipped."""
    return "#" + "".join(f"{min(255, max(0, round(part))):02x}" for part in colour)


def mix(one: str, other: str, part: float) -> str:
    """Blend two colours; `part` 0 is the first, 1 the second."""
    a, b = rgb(one), rgb(other)
    return hexed(
        (a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part, a[2] + (b[2] - a[2]) * part)
    )


def dark(colour: str, part: float) -> str:
    """Deepen a colour towards a cool shadow."""
    return mix(colour, "#1c1830", part)


def pale(colour: str, part: float) -> str:
    """Lift a colour towards a warm white."""
    return mix(colour, "#fff8ea", part)


class Light(Struct, frozen=True, kw_only=True):
    """Ambient light (factors of red, green, blue), sky from top to horizon, haze, and the sun."""

    ambient: RGB
    sky: tuple[str, ...]
    haze: str
    sun: str
    cloud: tuple[str, str]
    lamps: float
    shadow: float = 0.28

    def __call__(self, colour: str, far: float = 0.0) -> str:
        """Show a colour in this light, lost in the haze by the part `far`."""
        part, ambient = rgb(colour), self.ambient
        lit = hexed((part[0] * ambient[0], part[1] * ambient[1], part[2] * ambient[2]))
        return mix(lit, self.haze, far) if far else lit


LIGHTS = convert(table("lights"), dict[str, Light])
OVERCAST = {"rain": 0.62, "snow": 0.5, "cloudy": 0.5, "storm": 0.85, "fog": 0.55}


def light_of(scene: Scene) -> Light:
    """Choose the light of a scene from its time of day and its weather."""
    clear = LIGHTS[scene.time]
    if scene.ground in ("space", "moonscape", "seabed"):  # lit by a near sun, or from above
        return structs.replace(clear, ambient=(0.92, 0.97, 1.0), lamps=0.0)
    veil = OVERCAST.get(scene.weather, 0.0)
    if not veil:
        return clear
    grey = {"night": "#262d4b", "evening": "#5a5c7d"}.get(scene.time, "#aab7c4")
    dim = 1 - 0.16 * veil
    red, green, blue = clear.ambient
    return Light(
        ambient=(red * dim, green * dim * 1.01, min(1.0, blue * dim * 1.06)),
        sky=tuple(mix(colour, grey, veil) for colour in clear.sky),
        haze=mix(clear.haze, grey, veil * 0.8),
        sun=clear.sun,
        cloud=(mix(clear.cloud[0], grey, veil * 0.7), mix(clear.cloud[1], dark(grey, 0.2), veil)),
        lamps=max(clear.lamps, 0.75),
        shadow=clear.shadow * 0.6,
    )
