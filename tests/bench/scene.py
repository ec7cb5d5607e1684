"""The input of every part of the benchmark: one drawn clip, and random weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
from skimage.data import coffee

from detector.model.cnn_lstm import ModelConfig
from tests.clips import Image, portrait
from tests.tiny import CARD, tiny_weights

HD = (1280, 720)


def scene(count: int, size: tuple[int, int] = HD, *, people: int = 1) -> Iterator[Image]:
    """One or two people who drift before a photograph that pans slowly, and film grain.

    `size` is width, height; the first person's face is about a sixth of the height wide.
    Grain keeps the codec busy, as in a filmed video.
    """
    width, height = size
    wall = cv2.resize(coffee(), (width * 5 // 4, height * 5 // 4))
    random = np.random.default_rng(0)
    grain = random.normal(0, 4, (8, height, width, 3)).round().astype(np.int16)
    places = [(0.35, portrait(height * 9 // 10)), (0.80, portrait(height // 2))][:people]
    for k in range(count):
        x, y = round(width / 20 * (1 + np.sin(k / 40))), round(height / 20 * (1 + np.cos(k / 55)))
        frame = wall[y : y + height, x : x + width].copy()
        for centre, person in places:
            side = len(person)
            left = round(width * centre - side / 2 + width / 20 * np.sin(k / 15))
            top = round((height - side) / 2 + height / 40 * np.sin(k / 9))
            frame[top : top + side, left : left + side] = person
        yield cv2.add(frame, grain[k % 8], dtype=cv2.CV_8U)


def repeated(path: Path, out: Path, times: int) -> Path:
    """`path` shown `times` times over: its packets are copied with later timestamps."""
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        length = stream.duration
        if length is None:
            raise ValueError(f"{path.name} does not say how long it is")
        for turn in range(times):
            source.seek(0, stream=stream)
            for packet in source.demux(stream):
                if packet.dts is None:  # only marks the end
                    continue
                packet.pts, packet.dts = packet.pts + turn * length, packet.dts + turn * length
                packet.stream = copy
                target.mux(packet)
    return out


def stand_in(folder: Path, backbone: str) -> Path:
    """Random weights whose card calls them trained: they cost what trained ones cost."""
    card = replace(CARD, id="stand-in", model=ModelConfig(backbone=backbone))
    return tiny_weights(folder, id=card.id, model=card.model) / f"{card.id}.safetensors"
