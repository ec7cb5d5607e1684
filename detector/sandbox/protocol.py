"""What passes between the service and a process that reads a file: JSON, never pickles.

The service validates all that comes back: the process may have been compromised by the file.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from detector.errors import VideoError, shown
from detector.findings import Credentials, Origin
from detector.language import Message as Localised
from detector.records import Status, Track, VideoInfo
from detector.settings import MOST_TRACKS
from detector.video import reading
from detector.video.container import FACTS
from detector.video.opening import Limits
from detector.video.packets import DecodeNotes
from detector.video.sampling import SamplingRange

LONGEST = 64 * 1024  # bytes of one message
# Frames that may wait to be fetched. More than the 5 of a clip, so that the next clip is decoded
# while one is analysed; not many more, since new memory costs more than a copy.
SLOTS = 6
LONGEST_TEXT, MOST_WORDS = 160, 20  # characters and entries of a file's facts about its making
TEXTS = ("signer", "issuer", "generator", "signed_utc")
Message = dict[str, Any]


def send(connection: Connection, message: Message) -> None:
    # ASCII: other characters are escaped, so a length in characters is one in bytes.
    connection.send_bytes(json.dumps(message).encode("ascii"))


def receive(connection: Connection) -> Message:
    """Raises EOFError or OSError if the other side is gone, ValueError for a malformed message."""
    message = json.loads(connection.recv_bytes(LONGEST))
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message


def arena_bytes(limits: Limits) -> int:
    """Room for the largest picture that is accepted, RGB; untouched parts cost no memory."""
    return 3 * max(limits.max_pixels, limits.max_still_pixels)


def slots(arena: int, frame: int) -> int:
    """How many frames of `frame` bytes may wait side by side in `arena` bytes."""
    return min(SLOTS, arena // frame)


def info_message(info: VideoInfo) -> Message:
    return asdict(info)


def info_of(message: Message, path: Path, kind: str, limits: Limits) -> VideoInfo:
    """The process's facts of a file, checked for plausibility. Raises ValueError if they fail."""
    width, height = whole(message["width"]), whole(message["height"])
    if not 0 < width * height <= max(limits.max_pixels, limits.max_still_pixels):
        raise ValueError("no file that is accepted is of this size")
    tracks = tuple(_track(track) for track in message["tracks"][:MOST_TRACKS])
    return VideoInfo(
        name=shown(path.name),
        bytes=path.stat().st_size,
        sha256="",
        container=kind,
        codec=_codec(message["codec"]),
        seconds=real(message["seconds"]),
        frames=whole(message["frames"], limits.max_frames),
        fps=real(message["fps"]),
        width=width,
        height=height,
        rotation=whole(message["rotation"], 270),
        has_audio=message["has_audio"] is True,
        track=whole(message["track"], MOST_TRACKS),
        tracks=tracks,
    )


def _track(message: Message) -> Track:
    numbers = (whole(message[name]) for name in ("number", "width", "height"))
    number, width, height = numbers
    return Track(number, _codec(message["codec"]), width, height)


def _codec(name: Any) -> str:
    named = str(name)
    if not (named.isascii() and named.replace("_", "").isalnum() and len(named) < 32):
        raise ValueError("no codec has such a name")
    return named


def notes_message(notes: DecodeNotes) -> Message:
    return asdict(notes)


def notes_of(message: Message) -> DecodeNotes:
    # Only True itself counts: any other value of a hostile process is False.
    return DecodeNotes(**{name: message[name] is True for name in asdict(DecodeNotes())})


def origin_message(path: Path, limits: Limits) -> Message:
    return asdict(reading.read_origin(path, limits))


def origin_of(message: Message) -> Origin:
    """As much text as is shown, whatever was sent. Raises ValueError for what is no origin."""
    texts: dict[str, Any] = {name: shown(str(message[name]), LONGEST_TEXT) for name in TEXTS}
    texts |= {
        name: tuple(shown(str(word), LONGEST_TEXT) for word in message[name][:MOST_WORDS])
        for name in ("sources", "actions", "faults")
    }
    facts = [(str(key), shown(str(value), LONGEST_TEXT)) for key, value in message["facts"]]
    known = tuple((key, value) for key, value in facts if key in FACTS)[: len(FACTS)]
    return Origin(Credentials(message["credentials"]), **texts, facts=known)


def error_message(error: VideoError) -> Message:
    text = error.message
    if not isinstance(text, Localised):
        return {"error": text, "values": None, "status": error.status}
    values = {name: str(value) for name, value in text.values.items()}
    return {"error": text.text, "values": values, "status": error.status}


def error_of(message: Message) -> VideoError:
    """The process's own text, which `VideoError` makes harmless. It is rendered here, where the
    reader's language is known."""
    text, values, status = str(message["error"]), message["values"], Status(message["status"])
    if values is None:
        return VideoError(text, status)
    named = {str(name): str(value) for name, value in dict(values).items()}
    return VideoError(Localised(text, named), status)


def range_message(stretch: SamplingRange) -> Message:
    """What `range_of` makes a `SamplingRange` of again; JSON has no infinity."""
    return asdict(stretch) | {"end": stretch.end if math.isfinite(stretch.end) else None}


def range_of(message: Message) -> SamplingRange:
    end = math.inf if message["end"] is None else message["end"]
    return SamplingRange(message["frames"], message["start"], end, message["clip"])


def whole(value: Any, most: int = 2**31) -> int:
    # bool is an int in Python; as 0 or 1 it does no harm.
    if not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"expected a whole number up to {most}")
    return int(value)


def real(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError("expected a number from 0")
    return float(value)
