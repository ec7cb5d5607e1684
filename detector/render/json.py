"""What stands behind a score as JSON; the shapes are in `render.schema`."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from detector.findings import Robustness, Signal
from detector.records import Moment


def number(value: float | None, digits: int) -> float | None:
    """A plain rounded float; null for None and for what JSON cannot say (NaN, infinity)."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits)


def moment_json(moment: Moment) -> dict[str, Any]:
    return {
        "t": number(moment.second, 3),
        "p": number(moment.fake, 4),
        "p_without": number(moment.without, 4),
        "localised": moment.localised,
        "regions": [
            {
                "region": row.region,
                "evidence": number(row.evidence, 4),
                "area": number(row.area, 4),
                "expected": number(row.expected, 4),
                "drop": number(row.drop, 3),
                "confirmed": row.confirmed,
            }
            for row in moment.regions
        ],
    }


def robustness_json(found: Robustness | None) -> dict[str, Any] | None:
    if found is None:
        return None
    copies = [asdict(copy) | {"fake": number(copy.fake, 4)} for copy in found.copies]
    return {
        "fake": number(found.fake, 4),
        "frames": found.frames,
        "copies": copies,
        "largest_change": number(found.largest_change, 4),
    }


def signal_json(signal: Signal) -> dict[str, Any]:
    return {
        "kind": signal.kind,
        "title": str(signal.title),
        "status": signal.status.value,
        "said": [str(sentence) for sentence in signal.said],
        "facts": {str(name): value for name, value in signal.facts},
    }
