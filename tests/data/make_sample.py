"""Render docs/sample.jpg, a glazed teapot in a photographer's studio, and its true matte.

    python tests/data/make_sample.py

Sphere tracing of a signed distance field (J. C. Hart, "Sphere Tracing", 1996), with the field's own
ambient occlusion and soft shadows, in numpy alone. Points and directions are float32 of shape
(3, n), in units of about 5 centimetres; y is up and the table stands at y = 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = "NDArray[np.float32]"

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs" / "sample.jpg"
MATTE = Path(__file__).with_name("sample_matte.png")

WIDTH, HEIGHT = 1600, 1200
FRAMES = 9  # averaged, each through another point of the pixel and of the lens
MATTE_SCALE = 2
FOCAL_LENGTH = 2.95  # in half widths of the picture
APERTURE = 0.012
NOISE = 0.0032
QUALITY = 90

NEAR_ENOUGH = 1e-3
STEPS = 64


def vector(x: float, y: float, z: float) -> Floats:
    return np.array([[x], [y], [z]], np.float32)


def single(values: ArrayLike) -> Floats:
    return np.asarray(values, np.float32)


def length(v: Floats) -> Floats:
    return single(np.sqrt(np.einsum("in,in->n", v, v)))


def dot(v: Floats, w: Floats) -> Floats:
    return single((v * w).sum(0))


def unit(v: Floats) -> Floats:
    return v / length(v)


def smoothstep(low: float, high: float, x: Floats) -> Floats:
    t = np.clip((x - low) / (high - low), 0, 1)
    return single(t * t * (3 - 2 * t))


EYE = vector(0.0, 3.3, 8.4)
TARGET = vector(0.0, 1.04, 0.0)
KEY_LIGHT = unit(vector(-0.55, 0.95, 0.55))
BOUND_CENTRE, BOUND_RADIUS = vector(0.0, 1.05, 0.0), 2.2


# The teapot: what is nearest to a point, and how far.


def blend(one: Floats, other: Floats, radius: float) -> Floats:
    """The union of two bodies, with a fillet where they meet."""
    share = np.clip(0.5 + 0.5 * (other - one) / radius, 0, 1)
    return single(other + (one - other) * share - radius * share * (1 - share))


def ellipsoid(p: Floats, centre: Floats, radii: Floats) -> Floats:
    q = (p - centre) / radii
    far = length(q)
    return single(far * (far - 1) / np.maximum(length(q / radii), 1e-6))


def ring(p: Floats, height: float, radius: float, thickness: float) -> Floats:
    around = np.hypot(p[0], p[2]) - radius
    return single(np.hypot(around, p[1] - height) - thickness)


def disc(p: Floats, height: float, radius: float, half: float, rounding: float) -> Floats:
    around = np.hypot(p[0], p[2]) - (radius - rounding)
    along = np.abs(p[1] - height) - (half - rounding)
    outside = np.hypot(np.maximum(around, 0), np.maximum(along, 0))
    return single(outside + np.minimum(np.maximum(around, along), 0) - rounding)


def handle(p: Floats) -> Floats:
    around = np.hypot(p[0] + 1.16, (p[1] - 1.05) * 0.88) - 0.60
    return single(np.hypot(around, p[2] * 0.75) - 0.09)


def spout(p: Floats) -> Floats:
    """A tapering pipe along a quadratic Bezier curve, with a hollow mouth.

    The nearest point of the curve is a root of a cubic: the best of a few guesses, then Newton.
    """
    start, bend, end = vector(0.70, 0.60, 0), vector(1.66, 0.66, 0), vector(1.86, 1.66, 0)
    first, second = bend - start, start - 2 * bend + end
    to_start = start - p
    along, across = dot(to_start, first), dot(to_start, second)
    ff, fs, ss = dot(first, first), dot(first, second), dot(second, second)
    guesses = np.array([[0.0], [0.33], [0.67], [1.0]], np.float32)
    off = guesses * (
        4 * along + guesses * (4 * ff + 2 * across + guesses * (4 * fs + guesses * ss))
    )
    t = guesses[off.argmin(0), 0]
    for _ in range(2):
        slope = across + 2 * ff + t * (6 * fs + 3 * t * ss)
        value = along + t * (across + 2 * ff + t * (3 * fs + t * ss))
        t = np.clip(t - value / np.maximum(slope, 0.1), 0, 1)
    pipe = length(to_start + t * (2 * first + t * second)) - (0.34 - 0.21 * t**0.7)
    mouth = length(p - end - vector(0.02, 0.08, 0)) - 0.11
    return single(np.maximum(pipe, -mouth))


def teapot(p: Floats) -> Floats:
    """The distance from each point to the teapot, negative inside."""
    body = ellipsoid(p, vector(0, 0.93, 0), vector(1.22, 0.88, 1.22))
    pot = blend(body, disc(p, 0.09, 0.72, 0.09, 0.05), 0.12)
    pot = blend(pot, handle(p), 0.14)
    pot = blend(pot, spout(p), 0.16)
    pot = np.maximum(pot, -ring(p, 1.63, 0.74, 0.035))
    lid = blend(pot, ring(p, 1.655, 0.66, 0.03), 0.05)
    knob = ellipsoid(p, vector(0, 2.02, 0), vector(0.19, 0.16, 0.19))
    neck = disc(p, 1.84, 0.09, 0.12, 0.03)
    return blend(lid, blend(neck, knob, 0.09), 0.12)


def turned(p: Floats, angle: float = -0.30) -> Floats:
    """A point as the pot sees it, which stands turned towards the camera."""
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return np.stack([cosine * p[0] - sine * p[2], p[1], sine * p[0] + cosine * p[2]])


def distance(p: Floats) -> Floats:
    return teapot(turned(p))


def normal(p: Floats) -> Floats:
    corners = [vector(1, -1, -1), vector(-1, -1, 1), vector(-1, 1, -1), vector(1, 1, 1)]
    return unit(sum((c * distance(p + 2e-3 * c) for c in corners), np.zeros_like(p)))


# Light: how much arrives at a point, and from where.


def near_the_pot(origin: Floats, direction: Floats) -> tuple[Floats, Floats]:
    """Where rays enter and leave a sphere around the pot; missing it, they leave first."""
    offset = origin - BOUND_CENTRE
    half = dot(offset, direction)
    root = half * half - dot(offset, offset) + BOUND_RADIUS**2
    reach = np.sqrt(np.maximum(root, 0))
    enter, leave = np.maximum(-half - reach, 0), -half + reach
    return enter, np.where(root > 0, leave, np.float32(-1))


def march(origin: Floats, direction: Floats) -> Floats:
    """How far each ray goes until it meets the pot; infinity if it never does."""
    travelled, leave = near_the_pot(origin, direction)
    reached = np.full(direction.shape[1], np.inf, np.float32)
    alive = np.flatnonzero(travelled < leave)
    for _ in range(STEPS):
        t = travelled[alive]
        step = distance(origin[:, alive] + t * direction[:, alive])
        met = step < NEAR_ENOUGH
        reached[alive[met]] = t[met]
        travelled[alive] = t + step * 0.9
        alive = alive[~met & (travelled[alive] < leave[alive])]
        if not alive.size:
            break
    return reached


def openness(p: Floats, direction: Floats, width: float, longest: float) -> Floats:
    """The share of a lamp, `width` across at one unit, that each point sees."""
    seen = np.ones(p.shape[1], np.float32)
    t = np.full(p.shape[1], 0.03, np.float32)
    for _ in range(26):
        step = distance(p + t * direction)
        seen = np.minimum(seen, 0.5 + 0.5 * step / (width * t))
        t = np.minimum(t + np.clip(step, 0.02, 0.3), longest)
    seen = np.clip(seen, 0, 1)
    return seen * seen * (3 - 2 * seen)


def ambient(p: Floats, facing: Floats) -> Floats:
    """The share of the surroundings' light that is not kept out by what is near."""
    kept_out = np.zeros(p.shape[1], np.float32)
    for reach, weight in ((0.06, 2.6), (0.16, 1.3), (0.36, 0.6), (0.7, 0.28)):
        gap = np.minimum(distance(p + reach * facing), p[1] + reach * facing[1])
        kept_out += weight * np.maximum(reach - gap, 0)
    return np.clip(1 - kept_out, 0.06, 1)


def studio(direction: Floats) -> Floats:
    """What the glaze mirrors: a pale room, a window of a lamp on the left, a strip on the right."""
    x, y, z = direction
    room = 0.10 + 0.30 * smoothstep(-0.2, 1.0, y) + 0.28 * smoothstep(0.1, -0.6, y)
    ahead = np.maximum(dot(direction, KEY_LIGHT), 1e-3)
    across = unit(np.cross(KEY_LIGHT[:, 0], [0, 1, 0])[:, None].astype(np.float32))
    above = np.cross(across[:, 0], KEY_LIGHT[:, 0])[:, None]
    u, v = dot(direction, across) / ahead, dot(direction, above) / ahead
    lamp = smoothstep(0.46, 0.40, np.abs(u)) * smoothstep(0.36, 0.30, np.abs(v)) * (ahead > 0.05)
    strip = smoothstep(0.10, 0.03, np.abs(z - 0.25)) * smoothstep(0.55, 0.8, x)
    strip *= smoothstep(-0.1, 0.1, y) * smoothstep(0.75, 0.55, y)
    light = room + 13.0 * lamp + 3.5 * strip
    return single(light * vector(1.0, 0.98, 0.95))


# Surfaces: what colour leaves a point towards the eye.


def glaze(p: Floats) -> tuple[Floats, Floats]:
    """The pot's colour (linear RGB) and its gloss, 0..1: teal glaze over a foot of bare clay."""
    clay = smoothstep(0.145, 0.115, p[1] + 0.012 * np.sin(9 * np.arctan2(p[2], p[0])))
    pooled = smoothstep(1.7, 0.1, p[1])
    thin = vector(0.026, 0.175, 0.205)
    deep = vector(0.003, 0.040, 0.080)
    colour = thin + (deep - thin) * pooled
    colour = colour + (vector(0.42, 0.20, 0.10) - colour) * clay
    return colour.astype(np.float32), 1 - clay


def pot_colour(p: Floats, direction: Floats) -> Floats:
    facing = normal(p)
    colour, gloss = glaze(turned(p))
    outside = p + 0.01 * facing
    lamp = np.maximum(dot(facing, KEY_LIGHT), 0) * openness(outside, KEY_LIGHT, 0.35, 4)
    room = ambient(p, facing)
    sky, table = 0.5 + 0.5 * facing[1], 0.5 - 0.5 * facing[1]
    arriving = 2.0 * lamp + room * (0.50 * sky + 0.30 * table)
    mirrored = direction - 2 * dot(direction, facing) * facing
    grazing = 1 - np.clip(-dot(direction, facing), 0, 1)
    shine = gloss * (0.045 + 0.6 * grazing**5) * (0.35 + 0.65 * room)
    return single(colour * arriving + studio(mirrored) * shine)


def backdrop(origin: Floats, direction: Floats) -> Floats:
    """A table that bends up into a wall without an edge, with the pot's shadow on it."""
    down = np.minimum(direction[1], -1e-4)
    t = np.minimum(-origin[1] / down, 60)
    p = origin + t * direction
    wall = smoothstep(-0.22, 0.16, direction[1])
    bright = 0.60 - 0.28 * wall + 0.05 * smoothstep(-0.3, 0.3, -direction[0])
    shade = np.ones_like(bright)
    near = np.flatnonzero((np.hypot(p[0], p[2]) < 6) & (direction[1] < -0.02))
    at = p[:, near] * vector(1, 0, 1)
    up = np.broadcast_to(vector(0, 1, 0), at.shape)
    lamp = openness(at + vector(0, 0.01, 0), KEY_LIGHT, 0.55, 5)
    shade[near] = (0.70 + 0.30 * lamp) * (0.40 + 0.60 * shelter(at, up))
    return bright * shade * vector(1.0, 0.975, 0.945)


def shelter(p: Floats, up: Floats) -> Floats:
    """The share of the room's light on the table; the table does not shade itself."""
    kept_out = np.zeros(p.shape[1], np.float32)
    for reach, weight in ((0.05, 3.0), (0.15, 1.4), (0.35, 0.8), (0.8, 0.4)):
        kept_out += weight * np.maximum(reach - distance(p + reach * up), 0)
    return np.clip(1 - kept_out, 0.05, 1)


# The camera: one frame is one point of every pixel, through one point of the lens.


def rays(
    pixel: tuple[float, float], lens: tuple[float, float], scale: int = 1
) -> tuple[Floats, Floats]:
    """Origins and directions for the picture's pixels, or for one of `scale` x `scale`."""
    forward = unit(TARGET - EYE)
    right = unit(np.cross(forward[:, 0], [0, 1, 0])[:, None].astype(np.float32))
    above = np.cross(right[:, 0], forward[:, 0])[:, None]
    y, x = np.mgrid[0:HEIGHT:scale, 0:WIDTH:scale].astype(np.float32).reshape(2, -1)
    u = (x + pixel[0] - WIDTH / 2) / (WIDTH / 2)
    v = (HEIGHT / 2 - y - pixel[1]) / (WIDTH / 2)
    focus = length(TARGET - EYE)[0] - 1.0
    through = unit(forward * FOCAL_LENGTH + u * right + v * above)
    shift = APERTURE * (lens[0] * right + lens[1] * above)
    direction = unit(through * focus / dot(through, forward) - shift).astype(np.float32)
    return np.broadcast_to(EYE + shift, direction.shape).astype(np.float32), direction


def empty_studio() -> Floats:
    """The picture's light without the pot, but with its shadow; smooth, so half as fine will do."""
    light = backdrop(*rays((1.0, 1.0), (0.0, 0.0), scale=2))
    small = np.ascontiguousarray(light.T.reshape(HEIGHT // 2, WIDTH // 2, 3))
    return np.asarray(cv2.resize(small, (WIDTH, HEIGHT)), np.float32)


def frames() -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """The points of pixel (0..1) and lens (within the unit circle) that are averaged."""
    side = round(FRAMES**0.5)
    for index in range(FRAMES):
        pixel = ((index % side + 0.5) / side, (index // side + 0.5) / side)
        angle, radius = index * 2.39996, ((index + 0.5) / FRAMES) ** 0.5
        yield pixel, (radius * np.cos(angle), radius * np.sin(angle))


def exposure() -> tuple[Floats, Floats]:
    """Light (height, width, 3), and the share of each pixel that is pot (height, width)."""
    behind = empty_studio().reshape(-1, 3)
    light, subject = np.zeros_like(behind), np.zeros(len(behind), np.float32)
    for pixel, lens in frames():
        origin, direction = rays(pixel, lens)
        reached = march(origin, direction)
        met = np.flatnonzero(np.isfinite(reached))
        seen = behind.copy()
        at = origin[:, met] + reached[met] * direction[:, met]
        seen[met] = pot_colour(at, direction[:, met]).T
        light += seen / FRAMES
        subject[met] += 1 / FRAMES
    return light.reshape(HEIGHT, WIDTH, 3), subject.reshape(HEIGHT, WIDTH)


def developed(light: Floats) -> NDArray[np.uint8]:
    """8-bit sRGB of linear light: a film's curve (K. Narkowicz's fit of ACES), gamma, grain."""
    grain = np.random.default_rng(5).normal(0, NOISE, light.shape)
    toned = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    encoded = np.clip(toned, 0, 1) ** (1 / 2.2) + grain
    return np.asarray(np.clip(encoded * 255 + 0.5, 0, 255), np.uint8)


def main() -> None:
    light, subject = exposure()
    picture = cv2.cvtColor(developed(light), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(SAMPLE), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    small = (WIDTH // MATTE_SCALE, HEIGHT // MATTE_SCALE)
    matte = cv2.resize(subject, small, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(MATTE), np.rint(matte * 255).astype(np.uint8))


if __name__ == "__main__":
    main()
