"""The viewer: what is shown of a report to look at, and the component that shows it.

The component's script builds everything from `ViewerData`; names and words enter the page as
text only. Gradio compiles a template with values as a JavaScript literal, in which even
`{{value}}` can run the text of a value, so the template has none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
from gradio.data_classes import FileData, GradioModel

from detector.faces.geometry import square_around
from detector.language import LANGUAGES, _, catalogue, mark
from detector.records import Box, FaceScore, Person, Report, UnscoredFace, verdict_name
from detector.render.boxes import BoxPath
from detector.render.chart import dash_of
from detector.render.spacing import unbroken
from detector.render.timeline import timeline_svg
from detector.render.viewer_media import COLUMNS, Views
from detector.text.summary import clock, headline, peak_of, percent, verdict_text

HERE = Path(__file__).parent
CHART_WIDTHS = (350, 700, 1080)  # units: on a phone, on a tablet, on a desktop
# Every fixed word of the viewer, by its name in template and script. The script
# gets them in all languages, and takes the first that the browser requests.
WORDS = {
    "play": mark("Play"),
    "pause": mark("Pause"),
    "previous": mark("Previous scored frame"),
    "next": mark("Next scored frame"),
    "suspicious": mark("Next suspicious moment"),
    "mute": mark("Mute"),
    "unmute": mark("Unmute"),
    "heat": mark("Heat map"),
    "no_heat": mark("Heat map not drawn yet"),
    "people": mark("People in this video"),
    "box": mark("Show the box of"),
    "timeline": mark("Timeline of the scores"),
    "inspector": mark("Frame inspector"),
    "crop": mark("Face as shown"),
    "warm": mark("With heat map"),
    "compare": mark("Face against heat map"),
    "between": mark("Between scored frames"),
    "away": mark("Not in this frame"),
    "neighbours": mark("Scored frames before and after"),
    "stretches": mark("Suspicious stretches"),
    "no_stretch": mark("No suspicious stretch was found."),
    "hint": mark(
        "Click or drag in the chart. Arrow keys step through the scored frames, Home and End go "
        "to the first and last, N to the next suspicious moment, space plays; ? lists all keys."
    ),
    "speed": mark("Speed"),
    "zoom": mark("Zoom"),
    "zoom_face": mark("Face"),
    "full": mark("Full screen"),
    "leave_full": mark("Leave full screen"),
    "save": mark("Save frame"),
    "save_overlay": mark("Save with overlay"),
    "saving": mark("Reading the original frame"),
    "saved": mark("Saved as"),
    "reduced": mark("reduced from"),
    "keys": mark("Keys"),
    "close": mark("Close"),
    "key_step": mark("Previous and next scored frame"),
    "key_frame": mark("Previous and next frame of the video"),
    "key_ends": mark("First and last scored frame"),
    "key_next": mark("Next suspicious moment"),
    "key_play": mark("Play or pause"),
    "key_pan": mark("Move the zoomed picture"),
    "home": mark("Home"),
    "end": mark("End"),
    "space": mark("Space"),
    "shift": mark("Shift"),
    "key_point": mark("a scored frame"),
    "key_hollow": mark("too unclear to count"),
    "key_line": mark("no line: not analysed"),
    "key_band": mark("how unsteady neighbouring frames are"),
    "key_gap": mark("analysed, no face scored"),
    "key_stretch": mark("suspicious"),
}


class AnalysedFrame(GradioModel):
    """A person in one sampled frame. `fake` is None where there is no score; `square` is the
    network's crop: x, y, width, height as shares of the picture."""

    second: float
    fake: float | None
    text: str
    square: list[float]


class ViewedPerson(GradioModel):
    """One person. A run in `boxes` is a list of knots [second, x0, y0, x1, y1, steady], places
    as shares of the picture; in between the box goes straight."""

    id: int
    name: str
    dash: str
    verdict: str
    summary: str
    frames: list[AnalysedFrame]
    boxes: list[list[list[float]]]


class Stretch(GradioModel):
    """A suspicious stretch; `moment` is its peak."""

    person: int
    start: float
    end: float
    moment: float
    text: str


class ViewerData(GradioModel):
    """What the component shows, beginning with the person `suspect` at the second `start`.

    Files are None until they are drawn; `plain` is the visitor's own upload until then.
    `charts` are SVG texts, one for each of `CHART_WIDTHS`."""

    file: str
    picture: bool
    plain: FileData | None
    heat: FileData | None
    storyboard: FileData | None
    tile: list[int]
    columns: int
    size: list[int]
    seconds: float
    frame_length: float
    sampled: list[float]
    suspect: int
    start: float
    people: list[ViewedPerson]
    stretches: list[Stretch]
    charts: list[str]
    headline: str
    note: str


def build_viewer(elem_id: str) -> gr.HTML:
    """The component that shows a `ViewerData`. An output only: no event may read what a browser
    sends for it.

    An instance, not a subclass: Gradio writes a stub file beside every module with one.
    The words stand in the script, because Gradio drops a component's own properties at the first
    update that leaves it out.
    """
    names = ("viewer.js", "viewer_tools.js")
    script = "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)
    translations = {
        name: {key: catalogue(name).gettext(word) for key, word in WORDS.items()}
        for name in LANGUAGES
    }
    component = gr.HTML(
        html_template=(HERE / "viewer.html").read_text(encoding="utf-8"),
        js_on_load=f"const translations = {json.dumps(translations)};\n{script}",
        apply_default_css=False,
        elem_id=elem_id,
    )
    component.data_model = ViewerData
    return component


def viewer_data(
    report: Report, upload: Path, *, views: Views | None = None, note: str = ""
) -> ViewerData:
    """A report, partial or whole, and the files drawn from it, as the viewer shows them: its texts
    in the active language.

    Until they are drawn, the inspector shows the square of the face, not of the network's crop.
    """
    video, margin = report.video, views.margin if views else 0.0
    people = [_person(person, report, margin, so_far=bool(note)) for person in report.people]
    peak = peak_of(report.suspect) if report.suspect else None
    return ViewerData(
        # For saved frames: no character that a file system rejects.
        file=re.sub(r"[^\w-]+", "_", Path(video.name).stem)[:60] or "video",
        picture=video.is_still,
        plain=_file(views.plain if views else upload),
        heat=_file(views.heat) if views and views.heat else None,
        storyboard=_file(views.storyboard) if views else None,
        tile=list(views.tile) if views else [1, 1],
        columns=COLUMNS,
        size=[video.width, video.height],
        seconds=report.end,
        # 0.04: 25 frames per second, where the file states no rate.
        frame_length=1 / video.fps if video.fps > 0 else 0.04,
        sampled=list(report.sampled_seconds),
        suspect=report.suspect.id if report.suspect else min((p.id for p in people), default=0),
        start=peak.second if peak else 0.0,
        people=people,
        stretches=_stretches(report.people),
        charts=[timeline_svg(report, width=width, interactive=True) for width in CHART_WIDTHS],
        headline=unbroken(headline(report)),
        note=unbroken(note),
    )


def _file(path: Path) -> FileData:
    return FileData(path=str(path), orig_name=path.name)


def _person(person: Person, report: Report, margin: float, *, so_far: bool) -> ViewedPerson:
    size = report.video.width, report.video.height
    runs = BoxPath(person, sorted(report.sampled_seconds)).runs()
    faces: list[FaceScore | UnscoredFace] = [*person.scores, *person.unscored]
    return ViewedPerson(
        id=person.id,
        name=_("Person {person}", person=person.id),
        dash=dash_of(person.id),
        verdict=verdict_name(person.verdict) or "none",
        summary=unbroken(_summary(person, so_far=so_far)),
        frames=[_frame(face, size, margin) for face in sorted(faces, key=lambda face: face.second)],
        boxes=[
            [[knot.second, *_shares(knot.box, size), float(knot.steady)] for knot in run]
            for run in runs
        ],
    )


def _summary(person: Person, *, so_far: bool) -> str:
    """The text of a person's chip; while scoring goes on, with a note that it may still change."""
    if person.fake is None:
        return _("No score")
    text = f"{percent(person.fake)} · {verdict_text(person.verdict)}"
    return f"{text} · {_('so far')}" if so_far else text


def _frame(face: FaceScore | UnscoredFace, size: tuple[int, int], margin: float) -> AnalysedFrame:
    x0, y0, x1, y1 = _shares(square_around(face.box, margin), size)
    square = [x0, y0, x1 - x0, y1 - y0]
    if isinstance(face, UnscoredFace):
        return AnalysedFrame(second=face.second, fake=None, text=_("not scored"), square=square)
    text = unbroken(percent(face.fake))
    if not face.usable:
        text = _("{score}, too unclear to count", score=text)
    return AnalysedFrame(second=face.second, fake=face.fake, text=text, square=square)


def _shares(box: Box, size: tuple[int, int]) -> list[float]:
    """x0, y0, x1, y1 as shares of the picture's width and height."""
    return [round(edge / size[k % 2], 5) for k, edge in enumerate(box)]


def _stretches(people: Sequence[Person]) -> list[Stretch]:
    found = []
    for person in people:
        for part in person.segments:
            # The peak of frames that count: an unclear one may score higher.
            inside = [s for s in person.scores if part.start <= s.second <= part.end and s.usable]
            peak = max(inside, key=lambda score: score.fake, default=None)
            found.append(
                Stretch(
                    person=person.id,
                    start=part.start,
                    end=part.end,
                    moment=peak.second if peak else part.start,
                    text=_(
                        "Person {person} · {start} to {end} · peak {peak}",
                        person=person.id,
                        start=clock(part.start),
                        end=clock(part.end),
                        peak=unbroken(percent(part.peak)),
                    ),
                )
            )
    return sorted(found, key=lambda stretch: stretch.start)
