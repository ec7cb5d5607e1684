"""Facts in a file's container about how it was made: the first evidence in a forensic analysis.

No conclusion is drawn here. Tags can be forged and are lost by most platforms; all are reported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from PIL import ExifTags

from detector.errors import VideoError, shown
from detector.video.boxes import edits, read_boxes, written_times
from detector.video.opening import PICTURES, Limits, open_container
from detector.video.pictures import DAMAGE, open_picture
from detector.video.streams import video_stream

FACTS = (
    "device",
    "software",
    "encoder",
    "settings",
    "platform",
    "ai",
    "made",
    "changed",
    "brands",
    "edits",
    "order",
    "hdr",
    "traces",
)
LONGEST = 160  # characters of one value
FIRST_PACKET = 64 * 1024  # bytes in which an encoder leaves its name
HDR = {16: "PQ (SMPTE ST 2084)", 18: "HLG (ARIB STD-B67)"}  # ITU-T H.273, table 3
Facts = dict[str, str]

_DEVICE = ("com.apple.quicktime.make", "com.apple.quicktime.model", "com.android.manufacturer")
_SOFTWARE = ("com.apple.quicktime.software", "com.android.version", "writing_application")
# Programs that encode anew, as they sign themselves.
_TRANSCODERS = re.compile(r"Lavf|Lavc|HandBrake|x264|x265|libvpx|SVT-AV1", re.IGNORECASE)
# What services leave in tags; the first word of each pair is shown.
_PLATFORMS = {
    "YouTube": re.compile(r"ISO Media file produced by Google", re.IGNORECASE),
    "TikTok": re.compile(r"^vid:v[0-9a-z]{10,}", re.IGNORECASE),
    "Twitter": re.compile(r"twitter-vork", re.IGNORECASE),
}
# Digital source types by which IPTC marks what a machine made, in XMP without a signature.
_GENERATED = re.compile(rb"(trainedAlgorithmicMedia|compositeWithTrainedAlgorithmicMedia)")
_PROMPTS = ("parameters", "prompt", "workflow", "sd-metadata", "invokeai_metadata", "AIGC", "aigc")
_SIGNED_X26X = re.compile(
    rb"(x26[45] [^\0]{0,400}?) - (?:H\.26|HEVC|Copyleft)[^\0]*?options: ([^\0]*)"
)


def read_facts(path: Path, kind: str, limits: Limits) -> tuple[tuple[str, str], ...]:
    """Facts by the keys of `FACTS`, in that order; empty where there are none."""
    try:
        read = _of_picture if kind in PICTURES else _of_video
        facts = read(path, kind, limits)
    except (VideoError, av.FFmpegError, OSError, ValueError):
        return ()  # the decoder reports what is wrong with the file
    return tuple((key, shown(facts[key], LONGEST)) for key in FACTS if facts.get(key))


def _of_video(path: Path, kind: str, limits: Limits) -> Facts:
    with open_container(path, kind) as container:
        stream = video_stream(container, path, limits)
        tags = _tags(container)
        facts = _from_tags(tags)
        # x264 and x265 store their options as user data in a SEI unit of the first packet.
        packet = next(iter(container.demux(stream)), None)
        signed = _SIGNED_X26X.search(bytes(packet)[:FIRST_PACKET]) if packet else None
        if signed:
            facts["encoder"] = signed[1].decode("latin-1")
            facts["settings"] = _settings(signed[2].decode("latin-1"))
        # Transfer characteristics; HLG and PQ are the two of ITU-R BT.2100.
        facts["hdr"] = HDR.get(int(stream.codec_context.color_trc or 0), "")
    if kind == "mp4":
        facts |= _from_boxes(path)
    facts["traces"] = _traces(facts, tags)
    return facts


def _tags(container: InputContainer) -> Facts:
    """All tags by their names in small letters; those of the file come before its streams'."""
    tags: Facts = {}
    for metadata in (container.metadata, *(stream.metadata for stream in container.streams)):
        for name, value in metadata.items():
            # The first value stays: tags of the file are more general than those of a stream.
            tags.setdefault(name.lower(), str(value))
    return tags


def _from_tags(tags: Mapping[str, str]) -> Facts:
    all_tags = " ".join(tags.values())
    platforms = [
        name
        for name, mark in _PLATFORMS.items()
        if any(mark.search(value) for value in tags.values())
    ]
    labels = [name for name in tags if name in ("aigc", "aigc_info")]
    if _GENERATED.search(all_tags.encode("utf-8", "replace")):
        labels.append("trainedAlgorithmicMedia")
    return {
        "device": " ".join(tags[name] for name in _DEVICE if name in tags),
        "software": " ".join(tags[name] for name in _SOFTWARE if name in tags),
        "encoder": tags.get("encoder", ""),
        "platform": ", ".join(platforms),
        "ai": ", ".join(labels),
        "made": tags.get("creation_time", ""),
    }


def _settings(options: str) -> str:
    """The rate control among an encoder's options, which determine its quality."""
    kept = ("rc", "crf", "bitrate", "qp", "keyint", "bframes")
    found = dict(part.partition("=")[::2] for part in options.split() if "=" in part)
    return " ".join(f"{name}={found[name]}" for name in kept if name in found)


def _from_boxes(path: Path) -> Facts:
    facts: Facts = {}
    order: list[str] = []
    cuts: list[str] = []
    with path.open("rb") as file:
        for name, content in read_boxes(file, path.stat().st_size):
            # Cameras usually write "mdat" first, programs for the web "moov"; "moof" is a
            # fragmented file.
            if name in ("moov", "mdat", "moof"):
                order.append(name)
            elif name == "ftyp":
                facts["brands"] = _brands(content)
            elif name == "moov/mvhd":
                made, changed = written_times(content)
                facts |= {"made": made} if made else {}
                facts["changed"] = changed if changed != made else ""
            elif name == "moov/trak/edts/elst":
                cuts.append(_cut(edits(content)))
    facts["edits"] = "; ".join(filter(None, cuts))
    facts["order"] = " ".join(dict.fromkeys(order))
    return facts


def _brands(content: bytes) -> str:
    """The four letters of each brand in the box; bytes 4 to 8 are a version."""
    text = content.decode("latin-1")
    each = [text[at : at + 4].strip() for at in (0, *range(8, len(text), 4))]
    return " ".join(dict.fromkeys(each))


def _cut(parts: list[tuple[int, int]]) -> str:
    """An edit list that does more than leave out an encoder's delay; "" for the usual one."""
    # One part trims the priming of the encoder; an empty one before it delays the start.
    if len(parts) < 2 or (len(parts) == 2 and parts[0][1] == -1):
        return ""
    return " ".join(f"{length}@{begins}" for length, begins in parts)


def _traces(facts: Facts, tags: Mapping[str, str]) -> str:
    """Signs that the picture was encoded more than once, or not by what recorded it."""
    found = []
    writers = [facts.get("encoder", ""), tags.get("encoder", ""), facts.get("software", "")]
    program = next((match[0] for match in map(_TRANSCODERS.search, writers) if match), "")
    if program and facts.get("device"):
        found.append("transcoded_device")
    elif facts.get("platform"):
        found.append("platform")
    return " ".join(found)


def _of_picture(path: Path, kind: str, limits: Limits) -> Facts:
    try:
        with open_picture(path, kind, limits) as picture:
            tags = picture.getexif().items()
            exif = {ExifTags.TAGS.get(tag, ""): str(value) for tag, value in tags}
            info: dict[Any, Any] = dict(picture.info)
    except DAMAGE:
        return {}
    labels = [str(name) for name in info if str(name) in _PROMPTS]
    xmp = info.get("xmp") or b""
    labels += sorted({mark.decode() for mark in _GENERATED.findall(bytes(xmp))})
    return {
        "device": " ".join(exif[name] for name in ("Make", "Model") if name in exif),
        "software": exif.get("Software") or str(info.get("Software", "")),
        "ai": ", ".join(labels),
        "made": exif.get("DateTime", ""),
    }
