"""The chart of scores over time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace

import pytest

from detector.records import Report
from detector.render.timeline import timeline_svg
from detector.settings import Settings
from tests import reports

SVG = "{http://www.w3.org/2000/svg}"
every_kind = pytest.mark.parametrize(
    "make", reports.EVERY_KIND.values(), ids=reports.EVERY_KIND.keys()
)


def parsed(report: Report, width: int = 960, *, interactive: bool = False) -> ElementTree.Element:
    return ElementTree.fromstring(timeline_svg(report, width=width, interactive=interactive))


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [mark for mark in root.iter() if mark.get("class") == name]


def texts(root: ElementTree.Element) -> list[str]:
    return ["".join(mark.itertext()) for mark in root.iter(f"{SVG}text")]


@every_kind
@pytest.mark.parametrize("width", [240, 390, 960])
def test_every_report_becomes_a_chart_with_all_marks_inside_it(
    make: Callable[[], Report], width: int
) -> None:
    root = parsed(make(), width)
    _, _, wide, high = (float(n) for n in root.get("viewBox", "").split())
    assert wide == width
    for mark in root.iter():
        for name, limit in (("x", wide), ("x1", wide), ("x2", wide), ("cx", wide), ("cy", high)):
            assert 0 <= float(mark.get(name, 0)) <= limit


@every_kind
def test_every_chart_has_a_description_for_screen_readers(make: Callable[[], Report]) -> None:
    root = parsed(make())
    ids = {mark.get("id"): "".join(mark.itertext()) for mark in root.iter() if mark.get("id")}
    named = root.get("aria-labelledby", "").split()
    assert len(named) == 2
    assert all(ids[name] for name in named)


def test_two_charts_on_one_page_have_ids_of_their_own() -> None:
    report = reports.calm()
    wide, narrow = timeline_svg(report), timeline_svg(report, width=360)
    live = timeline_svg(report, interactive=True)
    ids = [re.findall(r' id="([^"]+)"', chart) for chart in (wide, narrow, live)]
    flat = [name for names in ids for name in names]
    assert len(flat) == len(set(flat)) == 6


def close_by(report: Report) -> Report:
    """The same, as if the sampled frames followed one another in the video."""
    return replace(report, video=replace(report.video, fps=4.0))


def test_people_differ_by_dash_and_number_and_colour_is_kept_for_the_verdict() -> None:
    root = parsed(close_by(reports.many_people()))
    lines = list(root.iter(f"{SVG}polyline"))
    assert len({line.get("stroke-dasharray") for line in lines}) == 8
    assert {line.get("stroke") for line in lines} == {"currentColor"}
    colours = {mark.get(name) for mark in root.iter() for name in ("fill", "stroke")}
    assert colours == {None, "none", "currentColor"}
    assert {"5"} == {m.get("data-person") for m in of_class(root, "stretch")}
    assert len(of_class(root, "fake")) == 3  # the stretch with its edge, and its bar below


@pytest.mark.parametrize(
    ("make", "numbered"), [(reports.two_people, {"1", "2"}), (reports.calm, set())]
)
def test_one_of_several_lines_is_labelled_with_its_person(
    make: Callable[[], Report], numbered: set[str]
) -> None:
    marks = of_class(parsed(close_by(make())), "number")
    assert {mark.text for mark in marks} == numbered
    places = [(float(m.get("x", 0)), float(m.get("y", 0))) for m in marks]
    for k, (x, y) in enumerate(places):
        assert all(abs(x - a) >= 10 or abs(y - b) >= 11 for a, b in places[:k])


def test_what_was_too_unclear_to_count_is_hollow() -> None:
    for make, filled in ((reports.calm, "currentColor"), (reports.too_blurred, "none")):
        marks = of_class(parsed(make()), "point")
        assert {c.get("fill") for m in marks for c in m.iter(f"{SVG}circle")} == {filled}


def test_every_score_can_be_sought_by_its_second() -> None:
    report = reports.two_people()
    points = of_class(parsed(report), "point")
    drawn = {(int(p.get("data-person", 0)), float(p.get("data-second", -1))) for p in points}
    assert drawn == {(one.id, s.second) for one in report.people for s in one.scores}


def test_higher_scores_are_drawn_higher_and_later_ones_further_right() -> None:
    marks = of_class(parsed(reports.two_people()), "point")
    places = [
        (float(m.get("data-fake", 0)), float(c.get("cy", 0)), float(m.get("data-second", 0)),
         float(c.get("cx", 0)))
        for m in marks
        for c in m.iter(f"{SVG}circle")
    ]  # fmt: skip
    by_fake = sorted(places)
    assert [p[1] for p in by_fake] == sorted((p[1] for p in by_fake), reverse=True)
    by_second = sorted(places, key=lambda p: p[2])
    assert [p[3] for p in by_second] == sorted(p[3] for p in by_second)


def test_a_period_without_a_scored_face_is_grey_and_not_crossed_by_a_line() -> None:
    root = parsed(close_by(reports.two_people()))
    (gap,) = of_class(root, "gap")
    start = float(gap.get("x", 0))
    end = start + float(gap.get("width", 0))
    for line in root.iter(f"{SVG}polyline"):
        xs = [float(pair.split(",")[0]) for pair in line.get("points", "").split()]
        assert max(xs) <= start or min(xs) >= end


def test_a_person_s_absence_is_a_gap_in_their_line() -> None:
    """Person 2 is missing from 1.5 to 3 s while Person 1 is scored; no line joins the ends."""
    lines = [
        line
        for line in parsed(close_by(reports.two_people())).iter(f"{SVG}polyline")
        if line.get("stroke-dasharray") == "7 3"
    ]
    assert len(lines) == 3


@pytest.mark.parametrize("apart", [0.4, 50.0])
def test_lines_stop_where_nothing_was_sampled(apart: float) -> None:
    """Three clips of eight frames: no line may connect them."""
    sampled = [round(k * apart + n / 25, 3) for k in range(3) for n in range(8)]
    one = reports.person(1, sampled, lambda _: 0.4)
    video = replace(reports.VIDEO, seconds=3 * apart)
    root = parsed(reports.report((one,), sampled, video=video))
    lines = [line.get("points", "").split() for line in root.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [8, 8, 8]
    assert not [m for m in root.iter(f"{SVG}line") if m.get("stroke-dasharray")]


def test_only_samples_without_a_face_are_grey() -> None:
    """Two samples without a face, ten seconds apart: two narrow bands, not one of ten seconds."""
    sampled = [round(start + k / 25, 3) for start in (1.0, 11.0) for k in range(5)]
    gaps = of_class(parsed(reports.report((), sampled)), "gap")
    assert [float(gap.get("width", 0)) < 20 for gap in gaps] == [True, True]


def test_the_threshold_is_drawn_where_it_is() -> None:
    low = replace(reports.calm(), settings=Settings(threshold=0.2))
    high = replace(reports.calm(), settings=Settings(threshold=0.8))
    heights = [float(of_class(parsed(r), "limit")[0].get("y1", 0)) for r in (low, high)]
    assert heights[1] < heights[0]
    assert "threshold 80 %" in texts(parsed(high))


@every_kind
@pytest.mark.parametrize("threshold", [0.02, 0.5, 0.97])
@pytest.mark.parametrize("width", [360, 920])
@pytest.mark.parametrize("interactive", [True, False])
def test_the_name_of_the_threshold_covers_no_score(
    make: Callable[[], Report], threshold: float, width: int, *, interactive: bool
) -> None:
    """It stands above all that is drawn, and within the chart."""
    report = replace(make(), settings=Settings(threshold=threshold))
    root = parsed(report, width, interactive=interactive)
    (name,) = (one for one in root.iter(f"{SVG}text") if "threshold" in "".join(one.itertext()))
    base, left = float(name.get("y", 0)), float(name.get("x", 0))
    drawn = [float(mark.get("cy", 0)) - 8 for mark in root.iter() if mark.get("cy")]
    assert all(base <= top for top in drawn)
    wide = 6.5 * len("".join(name.itertext()))
    start = left - wide if name.get("text-anchor") == "end" else left
    assert start >= 0
    assert start + wide <= width


def test_suspicious_segments_are_marked() -> None:
    (shown,) = of_class(parsed(reports.two_people()), "stretch")
    assert shown.get("data-second") == "3.000"
    assert "0:03.0" in "".join(shown.itertext())


def test_a_chart_has_the_person_of_each_line_and_the_scale_of_seconds() -> None:
    """Its own chips are the legend, and its own script shows the values under the pointer."""
    root = parsed(reports.two_people(), interactive=True)
    for line in root.iter(f"{SVG}polyline"):
        owners = [g for g in root.iter(f"{SVG}g") if g.get("data-person") and line in list(g)]
        assert len(owners) == 1
    assert "Person 1" not in texts(root)
    (line,) = of_class(root, "playhead")
    assert line.get("x1") == root.get("data-x0")
    assert float(root.get("data-seconds", 0)) == 12.0


@pytest.mark.parametrize("seconds", [0.04, 0.9, 4.0, 12.0, 119.0, 3599.0, 7300.0])
def test_ticks_are_few_and_all_different(seconds: float) -> None:
    report = reports.calm()
    video = replace(report.video, seconds=seconds)
    root = parsed(replace(report, video=video, people=(), sampled_seconds=()), 390)
    ticks = [text for text in texts(root) if ":" in text]
    assert 1 <= len(ticks) <= 6
    assert len(set(ticks)) == len(ticks)


def test_a_chart_without_people_states_that() -> None:
    assert "No face was scored" in texts(parsed(reports.no_face()))


def test_a_still_picture_has_a_row_per_person_and_no_time_axis() -> None:
    root = parsed(reports.still_image())
    assert {"Person 1", "Person 2"} <= set(texts(root))
    assert not [text for text in texts(root) if ":" in text]
    assert len(of_class(root, "point")) == 2


def test_a_drawing_too_narrow_to_read_is_refused() -> None:
    with pytest.raises(ValueError, match="width must be at least 240"):
        timeline_svg(reports.calm(), width=100)
