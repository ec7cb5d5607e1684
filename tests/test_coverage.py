"""How much of a video is sampled, and what is reported of the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detector.findings import ClipScore, Verdict
from detector.render.answer_card import answer_card
from detector.scoring.calibration import ScoringRules
from detector.scoring.coverage import (
    Run,
    chance_missed,
    coverage_of,
    first_range,
    frames_for,
    further_ranges,
    gaps_between,
    runs_of,
    widened,
    with_suspicion,
)
from detector.settings import PRESETS, Settings
from detector.text.summary import headline, sentences
from detector.text.warnings import warnings_of
from detector.video.sampling import plan_sampling
from tests import reports

TWO_MINUTES = replace(reports.VIDEO, seconds=119.0, frames=2975)


def planned(settings: Settings, video: reports.VideoInfo) -> list[float]:
    seconds = np.arange(video.frames) / video.fps
    clips = plan_sampling(seconds, [first_range(settings, video)])
    return [float(second) for clip in clips for second in seconds[clip]]


def test_the_number_of_frames_grows_with_the_length_up_to_a_bound() -> None:
    counts = [
        frames_for(Settings(), replace(reports.VIDEO, seconds=seconds))
        for seconds in (1.0, 10.0, 60.0, 119.0, 1800.0)
    ]
    assert counts == sorted(counts)
    assert counts[0] == PRESETS["standard"].least
    assert counts[1] < counts[2] < PRESETS["standard"].most == counts[-1]


def test_a_requested_number_of_frames_is_exact_and_sampled_once() -> None:
    assert frames_for(Settings(frames=20), TWO_MINUTES) == 20


@pytest.mark.parametrize("preset", PRESETS)
def test_no_segment_as_long_as_the_sampling_interval_is_missed(preset: str) -> None:
    """Up to the length at which the preset's bound is reached."""
    step = PRESETS[preset].every
    video = replace(reports.VIDEO, seconds=60.0, frames=1500)
    runs = runs_of(planned(Settings(preset=preset), video), 1 / 25)
    assert chance_missed(runs, 60.0, insert=step) == 0.0
    assert chance_missed(runs, 60.0, insert=step / 3) > 0.0


def test_twenty_frames_of_two_minutes_miss_most_short_inserts() -> None:
    runs = runs_of(planned(Settings(frames=20), TWO_MINUTES), 1 / 25)
    assert chance_missed(runs, 119.0) > 0.9
    standard = runs_of(planned(Settings(), TWO_MINUTES), 1 / 25)
    assert chance_missed(standard, 119.0) < 0.2


def test_the_chance_is_that_of_a_random_place() -> None:
    runs = [Run(2.0, 2.5), Run(7.0, 7.2)]
    starts = np.random.default_rng(0).uniform(0, 10 - 1.5, 20_000)
    hits = [any(run.start <= s + 1.5 and s <= run.end for run in runs) for s in starts]
    assert chance_missed(runs, 10.0, insert=1.5) == pytest.approx(1 - np.mean(hits), abs=0.01)


def test_a_run_without_a_scored_face_counts_as_a_gap() -> None:
    sampled, faceless = [Run(5.0, 5.2)], [Run(5.0, 5.2, scored=False)]
    assert chance_missed(faceless, 10.0) == 1.0 > chance_missed(sampled, 10.0)


def test_neighbouring_frames_are_one_run_also_in_fast_and_slow_videos() -> None:
    for length, step in ((1 / 25, 1 / 25), (1 / 120, 4 / 120), (1.0, 1.0)):
        seconds = [k * step for k in range(5)]
        assert len(runs_of(seconds, length)) == 1
        assert len(runs_of([*seconds, seconds[-1] + 10.0], length)) == 2


def test_the_gaps_and_the_runs_make_up_the_video() -> None:
    runs = [Run(1.0, 2.0), Run(4.0, 4.5)]
    assert gaps_between(runs, 6.0) == [(0.0, 1.0), (2.0, 4.0), (4.5, 6.0)]


def test_unsampled_time_widens_the_interval_upwards_only() -> None:
    assert widened((0.03, 0.09), 0.0) == (0.03, 0.09)
    low, high = widened((0.03, 0.09), 0.93)
    assert low == 0.03
    assert 0.4 < high < 0.6


def suspicious(at: float, logit: float) -> list[Run]:
    """Twelve runs over a minute; in that at `at` one person has a clip with this logit."""
    runs = [Run(5.0 * k, 5.0 * k + 0.2) for k in range(12)]
    clips = tuple(ClipScore(run.start, run.end, logit * (run.start == at), 1.0) for run in runs)
    one = replace(reports.calm().people[0], clips=clips, interval=(0.1, 0.9))
    return with_suspicion(runs, [one], ScoringRules(undecided=(0.55, 0.65), threshold=0.6))


def test_the_second_pass_samples_both_sides_of_a_suspicious_clip() -> None:
    ranges = further_ranges(suspicious(25.0, 3.0), TWO_MINUTES, 100, gaps_too=False)
    assert [stretch.start for stretch in ranges] == pytest.approx([20.2, 25.2], abs=0.05)
    assert all(stretch.end - stretch.start < 5.0 for stretch in ranges)


def test_between_neighbouring_clips_there_is_no_second_pass() -> None:
    """More clips beside one that is high by chance would raise the score of a real person."""
    runs = [Run(0.8 * k, 0.8 * k + 0.2, suspicion=0.9) for k in range(4)]
    assert further_ranges(runs, replace(TWO_MINUTES, seconds=3.0), 100, gaps_too=False) == []


def test_clips_with_low_scores_are_not_sampled_again() -> None:
    assert further_ranges(suspicious(25.0, -3.0), TWO_MINUTES, 100, gaps_too=True)[:1] == []


def test_the_second_pass_stays_within_its_number_of_frames() -> None:
    runs = [replace(run, suspicion=0.9) for run in suspicious(25.0, 3.0)]
    ranges = further_ranges(runs, TWO_MINUTES, 30, gaps_too=False)
    assert 0 < sum(stretch.frames for stretch in ranges) <= 30


def test_a_clearly_manipulated_person_needs_no_second_pass() -> None:
    runs = [Run(5.0 * k, 5.0 * k + 0.2) for k in range(12)]
    clips = tuple(ClipScore(run.start, run.end, 4.0, 1.0) for run in runs)
    sure = replace(reports.calm().people[0], clips=clips, interval=(0.9, 0.99))
    assert all(run.suspicion == 0 for run in with_suspicion(runs, [sure], ScoringRules()))


def test_the_second_pass_samples_no_frame_twice() -> None:
    seconds = np.arange(1500) / 25
    first = plan_sampling(seconds, [first_range(Settings(), replace(TWO_MINUTES, seconds=60.0))])
    sampled = [float(second) for clip in first for second in seconds[clip]]
    runs = [replace(run, suspicion=0.9) for run in runs_of(sampled, 1 / 25)]
    again = plan_sampling(seconds, further_ranges(runs, TWO_MINUTES, 60, gaps_too=True))
    more = [float(second) for clip in again for second in seconds[clip]]
    assert more
    assert not set(sampled) & set(more)


def test_the_headline_states_how_little_was_analysed() -> None:
    sparse = reports.sparse()
    calm = replace(sparse, people=reports.calm().people, verdict=reports.Verdict.NO_SIGN)
    assert "in the 1.0 s of 2:00 that were analysed" in headline(calm)


def test_the_headline_names_the_part_of_the_video() -> None:
    assert "of 12.0 s, most clearly at" in headline(reports.two_people())


def test_coverage_is_stated_with_its_chance() -> None:
    sampled = coverage_of(reports.sparse())
    assert sampled is not None
    assert sampled.seconds == pytest.approx(24 / 25)
    assert sampled.missed > 0.9
    texts = [sentence.text for sentence in sentences(reports.sparse())]
    assert any("Of 2:00, 1.0 s were analysed, 24 frames" in text for text in texts)
    assert any("part of 2 s" in text for text in texts)


def test_more_frames_are_advised_only_where_there_are_more() -> None:
    few = replace(
        reports.calm(), frames_sampled=300, warnings=(reports.Warn.NEAR_THRESHOLD,), people=()
    )
    assert all("more frames" not in text for text, _ in warnings_of(few))
    more = replace(few, frames_sampled=30)
    assert any("more frames" in text for text, _ in warnings_of(more))


def test_a_still_picture_has_no_coverage() -> None:
    assert coverage_of(reports.still_image()) is None


def test_every_answer_states_unfolded_how_much_of_the_video_it_is_about() -> None:
    """Also where it is undecided, which a reader may take for a look at all of it."""
    for verdict in (Verdict.FAKE, Verdict.UNDECIDED, Verdict.NO_SIGN):
        card = answer_card(replace(reports.sparse(), verdict=verdict))
        assert "of 2:00" in card.split("<details")[0], verdict
