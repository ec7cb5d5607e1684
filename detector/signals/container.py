"""The facts of a file's container about its history, as a signal without a verdict.

Tags can be forged, and most platforms remove them: their absence means nothing.
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
        "A platform compressed this file again and removed the traces of its origin. "
        "It decides nothing."
    ),
}


def container_facts(info: VideoInfo) -> Signal | None:
    """None where they were not read."""
    if info.origin is None:
        return None
    known = dict(info.origin.facts)
    labelled = bool(known.get("ai"))
    statements = tuple(_statements(info, known))
    # In the order of `NAMES`, whatever order the process sent them in.
    facts = tuple((NAMES[key], known[key]) for key in NAMES if known.get(key))
    # A label is declared by the file itself, and so outranks plain facts.
    status = SignalStatus.NOTED if statements or facts else SignalStatus.ABSENT
    return Signal(
        kind=KIND,
        title=TITLE,
        status=SignalStatus.DECLARED if labelled else status,
        statements=statements,
        facts=facts,
        clause=lazy("a label in the file says that AI made it or a part") if labelled else None,
    )


def _statements(info: VideoInfo, known: dict[str, str]) -> Iterator[Message]:
    if known.get("ai"):
        yield lazy(
            "A label in the file says that AI made it or a part of it ({label}). "
            "Nobody signed the label.",
            label=known["ai"],
        )
    yield from (TRACES[trace] for trace in known.get("traces", "").split() if trace in TRACES)
    if known.get("edits"):
        yield lazy(
            "An edit list makes players skip or reorder parts of what is stored; the hidden "
            "parts were not examined."
        )
    if known.get("changed"):
        yield lazy("The file was changed after it was made, by its own clock.")
    if info.rotation:
        yield lazy(
            "It is stored rotated by {angle}°, and was analysed upright.", angle=info.rotation
        )
