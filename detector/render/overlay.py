"""Boxes, labels and heat on one picture; every function returns a new one.

The only drawing code in the product. Colours are RGB; text is set in the typeface that Pillow
includes, so that a label is the same on every machine.
"""

from __future__ import annotations

import functools
import itertools

import cv2
import numpy as np
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from detector.faces.geometry import square_around
from detector.records import Box, FloatArray, Image

Colour = tuple[int, int, int]

# By verdict; a contrast of at least 3 to 1 with white and with black, and with white text.
_COLOURS: dict[str, Colour] = {
    "fake": (181, 71, 0),
    "no_sign": (0, 103, 163),
    "undecided": (95, 100, 107),
}


def colour_of(verdict: str | None) -> Colour:
    """The colour of a verdict, the same in every picture; grey where there is none."""
    return _COLOURS[verdict or "undecided"]


def shrink(image: Image, long_side: int) -> Image:
    """The picture with its long side at most `long_side`, both sides even (H.264 needs that).

    A picture that fits is only cut by the odd row or column, and never enlarged.
    """
    height, width = image.shape[:2]
    factor = min(1.0, long_side / max(width, height))
    # (width, height), the order of OpenCV.
    size = tuple(max(2, int(side * factor) // 2 * 2) for side in (width, height))
    if factor == 1.0:
        return image[: size[1], : size[0]].copy()
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def to_jpeg(image: Image, quality: int = 88) -> bytes:
    """The picture as a JPEG file."""
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise ValueError(f"a picture of shape {image.shape} cannot be stored as JPEG")
    return bytes(data)


def to_png(image: Image) -> bytes:
    """The picture as a PNG file, without loss."""
    # Level 3: a tenth larger than the highest, in a fifth of its time.
    done, data = cv2.imencode(
        ".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 3]
    )
    if not done:
        raise ValueError(f"a picture of shape {image.shape} cannot be stored as PNG")
    return bytes(data)


def from_jpeg(data: bytes) -> Image:
    """A picture that `to_jpeg` stored: RGB uint8 (H, W, 3)."""
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError("these bytes are no picture")
    return np.ascontiguousarray(decoded[..., ::-1], np.uint8)


def draw_face(image: Image, box: Box, label: str, colour: Colour, *, dashed: bool = False) -> Image:
    """A box around a face and its label on a plate in the same colour.

    Line and text grow with the picture; the plate stays inside it, below the box where there is
    no room above. `dashed`: the box was interpolated, not found.
    """
    drawn = image.copy()
    _outline(drawn, box, colour, dashed=dashed)
    if label:
        _plate(drawn, label, (box.x0, box.y0, box.y1), colour)
    return drawn


def draw_note(image: Image, text: str) -> Image:
    """A short note in the lower left corner."""
    drawn = image.copy()
    height = image.shape[0]
    inset = _stroke(image) * 4
    _plate(drawn, text, (inset, height - inset, height), (32, 32, 32))
    return drawn


def blend_heat(image: Image, heat: FloatArray, scale: float, *, opacity: float = 0.6) -> Image:
    """A crop under its heat map.

    image  (H, W, 3)  the crop
    heat   (h, w)     raw, >= 0; 1.0 on the colour scale is `scale`, the whole video's one number
    returns (H, W, 3); the heat is as opaque as it is strong: without heat nothing changes.
    """
    return _under(image, _enlarge(heat, scale, image.shape[1], image.shape[0]), opacity)


def heat_on_frame(
    image: Image, box: Box, crop_margin: float, heat: FloatArray, scale: float
) -> Image:
    """The whole frame, with the heat map where the network's crop was cut from it.

    `crop_margin` is the model's margin: the crop is the square around `box` that is wider by it.
    What of that square is outside the frame is left out.
    """
    drawn = image.copy()
    square = square_around(box, crop_margin)
    left, top = round(square.x0), round(square.y0)
    side = max(1, round(square.width))
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(image.shape[1], left + side), min(image.shape[0], top + side)
    if x1 <= x0 or y1 <= y0:
        return drawn
    share = _enlarge(heat, scale, side, side)[y0 - top : y1 - top, x0 - left : x1 - left]
    drawn[y0:y1, x0:x1] = _under(drawn[y0:y1, x0:x1], share, 0.6)
    return drawn


def heat_legend(width: int = 256, height: int = 12) -> Image:
    """The colour scale of the heat maps, cool on the left; (height, width, 3)."""
    ramp = np.linspace(0, 1, width, dtype=np.float32)[None].repeat(height, 0)
    return _colour_map(ramp)


def _enlarge(heat: FloatArray, scale: float, width: int, height: int) -> FloatArray:
    """Share of the scale, (height, width), in [0, 1]; all zero where there is no scale."""
    if scale <= 0:
        return np.zeros((height, width), np.float32)
    share = np.clip(np.asarray(heat, np.float32) / scale, 0, 1)
    # From 7 x 7 up, bicubic alone shows the cells; a blur of a third of a cell hides them.
    smooth = cv2.resize(share, (width, height), interpolation=cv2.INTER_CUBIC)
    sigma = max(width / share.shape[1], height / share.shape[0]) / 3
    smooth = cv2.GaussianBlur(smooth, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    clipped: FloatArray = np.clip(smooth, 0, 1)
    return clipped


def _colour_map(share: FloatArray) -> Image:
    # Inferno is perceptually uniform, and rises in lightness: readable in grey as well.
    mapped = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.asarray(cv2.cvtColor(mapped, cv2.COLOR_BGR2RGB), np.uint8)


def _under(image: Image, share: FloatArray, opacity: float) -> Image:
    # Alpha blending, where the share of the scale is both colour and opacity.
    alpha = (opacity * share)[:, :, None]
    blended = image * (1 - alpha) + _colour_map(share) * alpha
    rounded: Image = np.rint(blended).astype(np.uint8)
    return rounded


def _stroke(image: Image) -> int:
    short: int = min(image.shape[0], image.shape[1])
    # 4 pixels at 1080 lines.
    return max(1, round(short / 270))


def _outline(drawn: Image, box: Box, colour: Colour, *, dashed: bool) -> None:
    """A line in `colour` between two thin dark ones, so that it shows on any background."""
    stroke = _stroke(drawn)
    height, width = drawn.shape[:2]
    x0, x1 = (int(np.clip(x, 0, width - 1)) for x in (box.x0, box.x1))
    y0, y1 = (int(np.clip(y, 0, height - 1)) for y in (box.y0, box.y1))
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    dash = 6 * stroke
    # The dark line first: the coloured one is drawn over its middle.
    for paint, thickness in (((16, 16, 16), stroke + 2), (colour, stroke)):
        for (ax, ay), (bx, by) in itertools.pairwise(corners):
            length = max(abs(bx - ax), abs(by - ay), 1)
            step = dash * 2 if dashed else length
            for start in range(0, length, step):
                end = min(start + dash, length) if dashed else length
                one = (ax + (bx - ax) * start // length, ay + (by - ay) * start // length)
                two = (ax + (bx - ax) * end // length, ay + (by - ay) * end // length)
                cv2.line(drawn, one, two, paint, thickness, cv2.LINE_AA)


@functools.lru_cache(maxsize=32)
def _typeface(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@functools.lru_cache(maxsize=256)
def _text(label: str, size: int, colour: Colour, room: int) -> Image:
    """The label on its plate, at most `room` pixels wide: smaller, then cut, if it must be."""
    while size > 9 and _typeface(size).getlength(label) + size > room:
        size -= 1
    face = _typeface(size)
    while len(label) > 1 and face.getlength(label) + size > room:
        label = label[:-1]
    pad = size // 2
    width, height = int(np.ceil(face.getlength(label))) + 2 * pad, round(size * 1.55)
    plate = Pictures.new("RGB", (min(width, max(room, 1)), height), colour)
    # Luma of ITU-R BT.601: white text on dark plates, dark text on light ones.
    light = np.dot(colour, (0.299, 0.587, 0.114)) < 140
    ImageDraw.Draw(plate).text(
        (pad, height / 2),
        label,
        fill=(255, 255, 255) if light else (16, 16, 16),
        anchor="lm",
        font=face,
    )
    return np.asarray(plate)


def _plate(drawn: Image, label: str, place: tuple[float, float, float], colour: Colour) -> None:
    """Lays the label at x = place[0], above place[1], or below place[2] if there is no room."""
    height, width = drawn.shape[:2]
    size = max(11, round(min(height, width) / 30))
    plate = _text(label, size, colour, width)[:height]
    high, wide = plate.shape[:2]
    left = int(np.clip(place[0] - _stroke(drawn) // 2, 0, width - wide))
    top = place[1] - high if place[1] >= high else place[2]
    top = int(np.clip(top, 0, height - high))
    drawn[top : top + high, left : left + wide] = plate
