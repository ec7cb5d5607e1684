"""The page's own small pieces of HTML: head, invitation, waiting, trouble."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from detector.errors import VideoError
from detector.records import ModelInfo
from detector.service.jobs import Step
from detector.service.temp_files import KEPT_SECONDS
from detector.text.language import LANGUAGES, catalogue
from detector.text.summary import status_text
from detector.video import Limits

HERE = Path(__file__).parent
_STEPS = (
    ("Finds and follows every face", "each person gets a line of their own"),
    ("Scores runs of frames", "spread over the whole video, each frame with its neighbours"),
    ("Says how likely, when and why", "or plainly that it cannot tell"),
)


def expectation(card: Mapping[str, Any]) -> str:
    """How often the model is wrong, in one line, from its card's figures; "" where it has none.

    A card may say it itself (`metrics.expectation`); else it is what its validation videos show.
    """
    metrics = card.get("metrics") or {}
    found = metrics.get("expectation") or (metrics.get("videos") or {}).get("all") or {}
    alarms, misses = found.get("false_alarms"), found.get("misses")
    if not isinstance(alarms, int | float) or not isinstance(misses, int | float):
        return ""
    return (
        f"Of 100 real people it calls about {100 * alarms:.0f} fake; of 100 fakes like those it "
        f"was tested on it misses about {100 * misses:.0f}."
    )


def masthead(model: ModelInfo, card: Mapping[str, Any]) -> str:
    """Title, promise, and how far to trust it."""
    trust = expectation(card) if model.trained else ""
    told = f'<p class="trust">{escape(trust)}</p>' if trust else ""
    warning = (
        ""
        if model.trained
        else ('<ul><li class="warn">No trained weights: faces are found, not scored</li></ul>')
    )
    return (
        '<header id="masthead"><h1>Is this face real?</h1>'
        "<p>Give it a video. It answers how likely each face is manipulated, when, and where the "
        "model looked – or says honestly that it cannot tell.</p>"
        f'{told}{warning}<p id="too-large" role="alert" hidden></p></header>'
    )


def origin(model: ModelInfo, device: str, limits: Limits) -> str:
    """What speaks here under which limits; for whoever looks for it."""
    accepted = (
        f"Up to {limits.max_bytes // 2**20} MB, {limits.max_seconds / 60:.0f} minutes, "
        f"{limits.max_pixels / 1e6:.0f} megapixels"
    )
    facts = [f"<li>Runs on {escape(device.upper())}</li>", f"<li>{accepted}</li>"]
    facts.append(f"<li>Uploads deleted after {KEPT_SECONDS // 60} minutes</li>")
    if model.trained:
        facts.insert(0, f"<li>Model <b>{escape(model.id)}</b> · {model.sha256[:8]}</li>")
    return f'<ul id="origin">{"".join(facts)}</ul>'


def too_large_js(limits: Limits) -> str:
    """The script that fills `#too-large`, for the component that shows the masthead."""
    parts = (
        "{0} has {1} MB; at most {2} MB are accepted.",
        "Cut out the part that matters, or save it smaller.",
    )
    spoken = {
        name: " ".join(catalogue(name).get(part, part) for part in parts) for name in LANGUAGES
    }
    script = (HERE / "toolarge.js").read_text(encoding="utf-8")
    return f"const most = {limits.max_bytes};\nconst spoken = {json.dumps(spoken)};\n{script}"


def welcome() -> str:
    """What stands where the answer will be."""
    steps = "".join(f"<li><b>{what}</b><span>{how}</span></li>" for what, how in _STEPS)
    return (
        f'<section class="welcome"><h2>What it does with your video</h2><ol>{steps}</ol></section>'
    )


def working(step: Step) -> str:
    """Stage, frames done of total, time left; or the place in line."""
    if step.place is not None:
        return _in_line(step.place)
    share = round(100 * step.done / max(step.total, 1))
    count = f"{step.done} of {step.total} frames" if step.total > 1 else ""
    left = ""
    if step.seconds_left is not None and step.done < step.total:
        left = f"about {step.seconds_left:.0f} s left"
    detail = " · ".join(part for part in (count, left) if part)
    stage = escape(step.stage)
    return (
        f'<section class="working" aria-live="polite"><h2>{stage}</h2>'
        f'<div class="bar" role="progressbar" aria-label="{stage}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{share}"><i style="width:{share}%"></i></div>'
        f"<p>{detail or '&nbsp;'}</p></section>"
    )


def _in_line(place: int) -> str:
    before = "The one before you is being analysed now"
    if place > 1:
        before = f"{place} are before you, and one of them is being analysed now"
    return (
        f'<section class="working" aria-live="polite"><h2>You are number {place} in line</h2>'
        f"<p>{before}. It goes on by itself; keep this page open.</p></section>"
    )


def undrawn(error: VideoError) -> str:
    """Why there is no annotated video beside the answer."""
    return (
        '<section class="working" role="status"><h2>The video was not annotated</h2>'
        f"<p>{escape(str(error))} The answer above stands without it.</p></section>"
    )


def problem(error: VideoError) -> str:
    """Why a file cannot be judged, and what to do."""
    return no_answer(str(error), status_text(error.status))


def no_answer(why: str, next_step: str) -> str:
    """Why there is no answer, and what to do."""
    return (
        '<section class="answer none" role="alert"><span class="badge">No answer</span>'
        f"<h1>{escape(why)}</h1><p>{escape(next_step)}</p></section>"
    )


def cancelled() -> str:
    return (
        '<section class="welcome"><h2>Cancelled</h2>'
        "<p>Nothing of this analysis was kept. Start again whenever you like.</p></section>"
    )
