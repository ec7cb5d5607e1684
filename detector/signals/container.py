"""What a file's container tells of its history, as a signal: plain facts, and no verdict.

Tags can be forged, and most platforms remove them: their absence says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from detector.findings import Signal, SignalStatus
from detector.language import Message, lazy
from detector.records import VideoInfo

KIND, TITLE = "container", lazy("Facts of the file")
NAMES = {
    "device": lazy("Recorded with"),
    "software": lazy("Software"),
    "encoder": lazy("Encoder"),
    "settings": lazy("Encoder settings"),
    "platform": lazy("Platform"),
    "ai": lazy("Label of AI"),
    "made": lazy("Made at"),
    "changed": lazy("Changed at"),
    "brands": lazy("Brands"),
    "edits": lazy("Edit list"),
    "order": lazy("Order of parts"),
    "hdr": lazy("HDR"),
}
TRACES = {
    "transcoded_device": lazy(
        "The tags name both a camera and a program that encodes anew: the file was compressed "
        "again after it was recorded. Any export does that; it decides nothing."
    ),
    "platform": lazy(
        "A platform compressed this file again and removed what told of its origin. "
        "It decides nothing."
    ),
}


def container_facts(info: VideoInfo) -> Signal | None:
    """None where nobody has read them."""
    if info.origin is None:
        return None
    told = dict(info.origin.facts)
    labelled = bool(told.get("ai"))
    said = tuple(_said(info, told))
    facts = tuple((NAMES[key], told[key]) for key in NAMES if told.get(key))
    status = SignalStatus.NOTED if said or facts else SignalStatus.ABSENT
    return Signal(
        kind=KIND,
        title=TITLE,
        status=SignalStatus.DECLARED if labelled else status,
        said=said,
        facts=facts,
        clause=lazy("a label in the file says that AI made it or a part") if labelled else None,
    )


def _said(info: VideoInfo, told: dict[str, str]) -> Iterator[Message]:
    if told.get("ai"):
        yield lazy(
            "A label in the file says that AI made it or a part of it ({label}). "
            "Nobody signed the label.",
            label=told["ai"],
        )
    yield from (TRACES[trace] for trace in told.get("traces", "").split() if trace in TRACES)
    if told.get("edits"):
        yield lazy(
            "An edit list makes players skip or reorder parts of what is stored; the hidden "
            "parts were not examined."
        )
    if told.get("changed"):
        yield lazy("The file was changed after it was made, by its own clock.")
    if info.rotation:
        yield lazy("It is stored turned by {angle}°, and was judged upright.", angle=info.rotation)
