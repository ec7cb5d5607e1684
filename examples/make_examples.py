"""Makes the example clips from one public-domain portrait and from drawings.

`python -m examples.make_examples [folder]` writes them again. The same versions of the
libraries write the same pixels: all noise comes from fixed seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut

Image = NDArray[np.uint8]
FloatImage = NDArray[np.float32]

FPS = 25
SIZE = (640, 480)  # width, height
SECONDS = 3.6
# Where the face is in the portrait of 512 x 512: centre, half width, half height.
FACE = (226.0, 134.0)
FACE_RADII = (41.0, 52.0)
# When, in seconds, the clips are manipulated: the one person for a moment, one of the two people
# for most of the clip.
ALTERED, LONG_ALTERED = (1.2, 2.6), (0.4, 3.2)


@dataclass(frozen=True)
class Look:
    """How the camera shows the portrait: which part, how it drifts, and from which seed."""

    size: tuple[int, int] = SIZE
    zoom: float = 1.45
    seed: int = 1


def camera(picture: FloatImage, second: float, look: Look) -> FloatImage:
    """The portrait at one moment, as from a hand-held camera: drift, slow zoom, exposure."""
    width, height = look.size
    phase = look.seed * 1.7
    zoom = look.zoom * (1 + 0.05 * np.sin(0.9 * second + phase))
    turn = np.deg2rad(1.6 * np.sin(1.3 * second + phase))
    drift_x = 10 * np.sin(1.1 * second + phase) + 2.0 * np.sin(5.3 * second)
    drift_y = 8 * np.sin(0.8 * second + 2 * phase) + 1.5 * np.sin(4.1 * second)
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    x, y = FACE
    # High and a little left, so that the picture's own edges stay out of view.
    target = (width * 0.46 + drift_x, height * 0.34 + drift_y)
    matrix = np.array(
        [
            [cos, -sin, target[0] - cos * x + sin * y],
            [sin, cos, target[1] - sin * x - cos * y],
        ]
    )
    seen = cv2.warpAffine(
        picture, matrix, look.size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    exposure = 1 + 0.04 * np.sin(0.7 * second + phase)
    lit: FloatImage = (seen * exposure).astype(np.float32)
    return lit


def sensor(picture: FloatImage, index: int, seed: int) -> Image:
    """Noise as a small sensor adds it: more where there is more light."""
    noise = np.random.default_rng((seed, index)).standard_normal(picture.shape, np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), 0.7)
    level = 1.5 + 0.012 * np.clip(picture, 0, 255)
    noisy: Image = np.clip(picture + grain * level, 0, 255).astype(np.uint8)
    return noisy


def self_blend(picture: FloatImage, second: float) -> FloatImage:
    """The portrait with its own face put back slightly wrong.

    After Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended Images" (CVPR 2022): a
    copy is warped and its colours are shifted, then blended in through a feathered mask. Here
    the warp also trembles from frame to frame, as in swaps made one frame at a time.
    """
    frame = round(second * FPS)
    tremble = np.random.default_rng((7, frame)).normal(0, (0.9, 0.7, 0.006), 3)
    x, y = FACE
    scale = 1.07 + tremble[2]
    matrix = np.array(
        [
            [scale, 0.03, x - scale * x - 0.03 * y + tremble[0]],
            [-0.02, scale, y - scale * y + 0.02 * x + 2.0 + tremble[1]],
        ]
    )
    size = (picture.shape[1], picture.shape[0])
    copy = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR)
    copy = cv2.GaussianBlur(copy, (0, 0), 0.8)
    copy = copy * np.array([1.06, 0.97, 0.90], np.float32) + np.array([4, 0, -2], np.float32)
    mask = face_mask(size)[:, :, None]
    blended: FloatImage = (picture * (1 - mask) + copy * mask).astype(np.float32)
    return blended


def face_mask(size: tuple[int, int]) -> FloatImage:
    """1 inside the face, falling to 0 over its edge; (height, width)."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    inside = np.hypot((x - FACE[0]) / FACE_RADII[0], (y - FACE[1]) / FACE_RADII[1])
    soft: FloatImage = np.clip((1.0 - inside) / 0.18, 0, 1).astype(np.float32)
    return soft


def is_altered(second: float, stretch: tuple[float, float] = ALTERED) -> bool:
    return stretch[0] <= second < stretch[1]


def second_person(picture: FloatImage) -> FloatImage:
    """Somebody else, roughly: the portrait mirrored about the face, grey-haired and paler."""
    width = picture.shape[1]
    matrix = np.array([[-1.0, 0, 2 * FACE[0]], [0, 1.0, 0]])
    turned = cv2.warpAffine(
        picture, matrix, (width, picture.shape[0]), borderMode=cv2.BORDER_REFLECT_101
    )
    grey = turned.mean(axis=2, keepdims=True)
    aged = 0.55 * turned + 0.45 * grey
    edges = turned - cv2.GaussianBlur(turned, (0, 0), 3)
    other: FloatImage = (aged + 0.4 * edges) * np.array([0.94, 0.99, 1.06], np.float32)
    return other.astype(np.float32)


def portrait() -> FloatImage:
    picture: FloatImage = np.asarray(astronaut(), np.float32)
    return picture


def unaltered(seconds: float) -> Iterator[Image]:
    picture, look = portrait(), Look()
    for index in range(round(seconds * FPS)):
        yield sensor(camera(picture, index / FPS, look), index, look.seed)


def manipulated(seconds: float) -> Iterator[Image]:
    picture, look = portrait(), Look(seed=2)
    for index in range(round(seconds * FPS)):
        second = index / FPS
        shown = self_blend(picture, second) if is_altered(second) else picture
        yield sensor(camera(shown, second, look), index, look.seed)


def two_people(seconds: float) -> Iterator[Image]:
    """As in a video call: two pictures side by side, the right one manipulated for most of it."""
    half = (SIZE[0] // 2, SIZE[1])
    left, right = Look(half, 1.45, 3), Look(half, 1.5, 4)
    one = portrait()
    for index in range(round(seconds * FPS)):
        second = index / FPS
        shown = self_blend(one, second) if is_altered(second, LONG_ALTERED) else one
        pair = camera(one, second, left), camera(second_person(shown), second, right)
        yield sensor(np.hstack(pair), index, left.seed)


def no_face(seconds: float) -> Iterator[Image]:
    """Hills, a sun that rises and a road: drawn, nobody in it."""
    width, height = SIZE
    x = np.arange(width)
    for index in range(round(seconds * FPS)):
        second = index / FPS
        fade = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
        sky = np.array([92, 140, 205], np.float32) * (1 - fade) + 235 * fade
        scene: FloatImage = np.repeat(sky, width, axis=1).astype(np.float32)
        sun = (round(150 + 24 * second), round(170 - 14 * second))
        cv2.circle(scene, sun, 34, (255, 226, 150), -1, cv2.LINE_AA)
        for row, (top, colour) in enumerate(
            ((270, (112, 138, 128)), (330, (86, 120, 88)), (400, (60, 92, 60)))
        ):
            ridge = top + 26 * np.sin(x / (90 - 18 * row) + row + 0.35 * second * (row + 1))
            line = np.column_stack([x, ridge]).astype(np.int32)
            hill = np.vstack([line, [[width, height], [0, height]]]).astype(np.int32)
            cv2.fillPoly(scene, [hill], colour, cv2.LINE_AA)
        yield sensor(cv2.GaussianBlur(scene, (0, 0), 0.8), index, 5)


CLIPS = {
    "unaltered.mp4": unaltered,
    "manipulated.mp4": manipulated,
    "two_people.mp4": two_people,
    "no_face.mp4": no_face,
}
STILL = "still.jpg"


def write_video(path: Path, images: Iterator[Image]) -> None:
    """H.264 as a phone app would send it on: visible to a machine, hardly to a person."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS))
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "24", "preset": "medium", "threads": "1"}
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def make_examples(folder: Path, seconds: float = SECONDS) -> list[Path]:
    """Writes all examples to `folder`; shorter `seconds` cut every clip. Returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frames in CLIPS.items():
        write_video(folder / name, frames(seconds))
    still = sensor(camera(portrait(), 0.5, Look(seed=6)), 0, 6)
    cv2.imwrite(str(folder / STILL), still[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return [folder / name for name in (*CLIPS, STILL)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    for path in make_examples(parser.parse_args().folder):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
