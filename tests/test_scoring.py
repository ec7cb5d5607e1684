"""From logits to a verdict: a short swap raises the score, and no evidence is never "real"."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detector.records import Box, FaceScore, Person, Quality, Status, Verdict, Warn
from detector.scoring.calibration import ScoringRules, calibrate, pool_logits, reliably_detected
from detector.scoring.heat_scale import heat_scale, weigh_heat
from detector.scoring.verdict import (
    ScoredClip,
    find_segments,
    interval_of,
    score_person,
    score_video,
)

RULES = ScoringRules(min_size=40, min_sharpness=20, min_frontal=0.2, calibrated=True)
GOOD = Quality(size=200, sharpness=100, frontal=0.9, detection=0.99)
SMALL = Quality(size=30, sharpness=100, frontal=0.9, detection=0.99)
BLURRED = Quality(size=200, sharpness=5, frontal=0.9, detection=0.99)
TURNED = Quality(size=200, sharpness=100, frontal=0.1, detection=0.99)
IMAGE = np.zeros((8, 8, 3), np.uint8)


def clip(
    logit: float,
    *,
    start: float = 0.0,
    frames: int = 4,
    still: float | None = None,
    quality: Quality = GOOD,
    spread: float = 0.0,
    families: dict[str, float] | None = None,
    heat: float | None = None,
) -> ScoredClip:
    """Frames 0.1 s apart, their logits `spread` around the clip's."""
    logits = np.linspace(logit - spread, logit + spread, frames).astype(np.float32)
    return ScoredClip(
        logit=logit,
        frame_logits=logits,
        still_logits=np.full(frames, logit if still is None else still, np.float32),
        seconds=[start + 0.1 * index for index in range(frames)],
        boxes=[Box(0, 0, 200, 200)] * frames,
        landmarks=np.zeros((frames, 5, 2), np.float32),
        qualities=[quality] * frames,
        heats=None if heat is None else np.full((frames, 7, 7), heat, np.float32),
        crops=[IMAGE] * frames,
        families=families or {},
    )


def clips(logits: list[float], *, step: float = 2.0) -> list[ScoredClip]:
    return [clip(logit, start=step * index) for index, logit in enumerate(logits)]


def person(logits: list[float], rules: ScoringRules = RULES) -> Person:
    return score_person(1, clips(logits), rules)


def pooled(logits: list[float], weights: list[float] | None = None, share: float = 0.25) -> float:
    values = np.array(logits, np.float64)
    return float(
        pool_logits(values, np.array(weights or np.ones(len(values))), ScoringRules(share=share))
    )


def test_a_swap_of_three_clips_raises_the_score_in_a_video_of_any_length() -> None:
    for count in (4, 12, 40, 75):
        logits = [-4.0] * count
        logits[-3:] = [4.0] * 3
        assert person(logits).verdict is Verdict.FAKE, count


@pytest.mark.parametrize("count", [4, 12, 48, 200])
def test_the_chance_of_a_high_run_does_not_grow_with_the_number_of_clips(count: int) -> None:
    """Logits of one real person; without the correction nearly all of the longest exceed 1."""
    random = np.random.default_rng(count)
    logits = random.normal(size=(2000, count))
    high = pool_logits(logits, np.ones_like(logits), ScoringRules(share=1.0, spread=1.0))
    assert 0.0 <= (high > 1.0).mean() < 0.06


def test_one_odd_clip_does_not_condemn_a_long_video() -> None:
    logits = [-4.0] * 75
    logits[30] = 4.0
    assert person(logits).verdict is Verdict.NO_SIGN


def test_of_a_few_clips_the_highest_decides() -> None:
    assert pooled([3.0]) == 3.0
    assert pooled([-1.0, 3.0]) == 3.0
    assert pooled([-1.0, 3.0, 0.0, 2.0]) == 3.0
    assert pooled([-1.0, 3.0, 0.0, 2.0, -5.0]) == 2.5


def test_more_suspicious_clips_never_lower_the_score() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        logits = random.normal(size=20)
        higher = logits + random.uniform(0, 1, size=20)
        assert pooled(list(higher)) >= pooled(list(logits))


def test_clear_faces_weigh_more_than_poor_ones() -> None:
    assert pooled([2.0, 4.0], [1.0, 0.25], share=1.0) == pytest.approx(2.4)


def test_pooling_nothing_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(ValueError, match="no usable clip"):
        pooled([])


def test_calibration_moves_the_zero_and_the_steepness() -> None:
    rules = ScoringRules(temperature=2.0, bias=-1.0)
    np.testing.assert_allclose(calibrate(np.array([1.0, 3.0]), rules), [0.5, 1 / (1 + np.exp(-1))])


def test_calibration_bears_any_finite_logit() -> None:
    with np.errstate(over="raise"):
        np.testing.assert_allclose(calibrate(np.array([-1e5, 1e5]), RULES), [0, 1])


@pytest.mark.parametrize(
    ("fake", "word"),
    [(0.0, "weak"), (0.5, "weak"), (0.6, "moderate"), (0.9, "strong"), (1.0, "very_strong")],
)
def test_each_probability_has_its_word(fake: float, word: str) -> None:
    assert RULES.band(fake) == word


@pytest.mark.parametrize(
    ("logit", "verdict"),
    [(3.0, Verdict.FAKE), (-3.0, Verdict.NO_SIGN), (0.1, Verdict.UNDECIDED)],
)
def test_around_the_threshold_the_verdict_is_undecided(logit: float, verdict: Verdict) -> None:
    scored = person([logit] * 3)
    assert scored.verdict is verdict
    assert (Warn.NEAR_THRESHOLD in scored.warnings) == (verdict is Verdict.UNDECIDED)


def test_a_threshold_of_the_user_s_own_takes_the_undecided_range_along() -> None:
    strict = RULES.at(0.9)
    assert person([1.5] * 3).verdict is Verdict.FAKE
    assert person([1.5] * 3, strict).verdict is Verdict.NO_SIGN
    assert person([2.2] * 3, strict).verdict is Verdict.UNDECIDED
    assert strict.undecided == pytest.approx((0.85, 0.95))
    assert RULES.at(0.99).undecided[1] == 1.0
    assert RULES.at(None) == RULES


@pytest.mark.parametrize(
    ("quality", "status", "warning"),
    [
        (SMALL, Status.FACE_TOO_SMALL, Warn.SMALL_FACES),
        (BLURRED, Status.TOO_BLURRED, Warn.BLURRED_FACES),
        (TURNED, Status.TOO_FEW_FACES, Warn.PROFILE_FACES),
    ],
)
def test_faces_of_low_quality_are_not_scored(
    quality: Quality, status: Status, warning: Warn
) -> None:
    """However sure the network is of itself."""
    scored = score_person(1, [clip(9.0, quality=quality, frames=8)], RULES)
    assert scored.status is status
    assert scored.verdict is None
    assert scored.fake is None
    assert scored.interval is None
    assert scored.scores == ()
    assert len(scored.unscored) == 8
    assert warning in scored.warnings


def test_three_clear_faces_are_too_few_and_four_are_enough() -> None:
    assert score_person(1, [clip(3.0, frames=3)], RULES).status is Status.TOO_FEW_FACES
    assert score_person(1, [clip(3.0, frames=4)], RULES).status is Status.OK


def test_a_person_without_a_clip_is_not_scored() -> None:
    assert score_person(1, [], RULES).status is Status.TOO_FEW_FACES


def test_a_still_picture_is_scored_from_its_one_frame_with_a_warning() -> None:
    scored = score_person(1, [clip(3.0, frames=1)], RULES, still=True)
    assert scored.status is Status.OK
    assert scored.verdict is Verdict.FAKE
    assert scored.interval is None  # one frame has no interval
    assert scored.warnings == (Warn.STILL_IMAGE,)


def test_a_blurred_still_picture_is_not_scored() -> None:
    scored = score_person(1, [clip(3.0, frames=1, quality=BLURRED)], RULES, still=True)
    assert scored.status is Status.TOO_BLURRED


def test_unusable_clips_do_not_affect_the_score() -> None:
    calm, wild = clip(-3.0, frames=8), clip(9.0, start=2.0, quality=BLURRED)
    scored = score_person(1, [calm, wild], RULES)
    assert scored.fake == pytest.approx(float(calibrate(-3.0, RULES)))
    assert [score.usable for score in scored.scores] == [True] * 8 + [False] * 4
    assert scored.segments == ()


def test_a_score_is_uncertain_where_time_and_single_frames_disagree() -> None:
    scored = score_person(1, [clip(3.0, still=-3.0, frames=8)], RULES)
    assert scored.verdict is Verdict.UNDECIDED
    assert scored.fake == pytest.approx(float(calibrate(3.0, RULES)))
    assert scored.warnings == (Warn.TIME_AND_FRAME_DISAGREE,)


def test_the_temporal_score_is_added_to_that_of_frames() -> None:
    assert score_person(1, [clip(3.0, still=0.5, frames=8)], RULES).verdict is Verdict.FAKE


def test_the_interval_contains_the_score_and_is_deterministic() -> None:
    scored = person([2.0, -1.0, 0.5, 1.0, -2.0, 3.0])
    assert scored.interval is not None
    assert scored.fake is not None
    low, high = scored.interval
    assert 0 <= low < scored.fake <= high <= 1
    assert person([2.0, -1.0, 0.5, 1.0, -2.0, 3.0]).interval == scored.interval


def test_consistent_clips_have_a_narrow_interval_and_inconsistent_ones_a_wide_one() -> None:
    def width(logits: list[float]) -> float:
        low, high = person(logits).interval or (0, 0)
        return high - low

    assert width([1.0, 1.1] * 8) < 0.1 < width([3.0, -3.0] * 2)


def test_a_single_clip_still_has_its_frames_to_resample() -> None:
    calm = interval_of([clip(1.0, frames=8)], np.ones(1), RULES)
    restless = interval_of([clip(1.0, frames=8, spread=3.0)], np.ones(1), RULES)
    assert calm is not None
    assert restless is not None
    assert calm[1] - calm[0] < 0.01 < restless[1] - restless[0]


def test_a_segment_runs_from_the_first_to_the_last_of_neighbouring_suspicious_clips() -> None:
    found = find_segments(7, clips([-3, 2, 4, 3, -3, -3, 2, -3]), RULES)
    assert [(part.person, part.start, round(part.end, 3)) for part in found] == [
        (7, 2.0, 6.3),
        (7, 12.0, 12.3),
    ]
    assert found[0].peak == pytest.approx(float(calibrate(4.0, RULES)))


def test_a_long_absence_ends_a_segment() -> None:
    rows = [*clips([2, 2, 2]), clip(2, start=60.0), clip(2, start=62.0)]
    assert [part.start for part in find_segments(1, rows, RULES)] == [0.0, 60.0]


def test_a_segment_starts_where_the_frames_turn_within_a_clip() -> None:
    (only,) = find_segments(1, [clip(1.0, frames=3, spread=2.0)], RULES)  # -1, 1, 3
    assert (only.start, only.end) == pytest.approx((0.1, 0.2))
    assert find_segments(1, clips([-3, -2]), RULES) == ()


def test_moments_are_few_far_apart_and_led_by_the_worst() -> None:
    moments = person([float(index % 7) for index in range(40)]).moments
    assert len(moments) == 6
    assert moments[0].fake == max(moment.fake for moment in moments)
    seconds = sorted(moment.second for moment in moments)
    assert min(np.diff(seconds)) > 80 / 12 - 1


def test_a_moment_shows_only_pixels_that_were_kept() -> None:
    bare = ScoredClip(
        logit=1.0,
        frame_logits=np.ones(4, np.float32),
        still_logits=np.ones(4, np.float32),
        seconds=[0.0, 1.0, 2.0, 3.0],
        boxes=[Box(0, 0, 9, 9)] * 4,
        landmarks=np.zeros((4, 5, 2), np.float32),
        qualities=[GOOD] * 4,
        crops=[None, None, IMAGE, None],
    )
    assert [moment.second for moment in score_person(1, [bare], RULES).moments] == [2.0]


def test_the_kind_of_manipulation_is_named_only_where_one_is_found() -> None:
    kinds = [{"swap": 0.7, "drift": 0.3}, {"swap": 0.1, "drift": 0.9}]
    rows = [clip(3.0, families=kinds[0]), clip(-3.0, start=2.0, families=kinds[1])]
    assert score_person(1, rows, RULES).family == ("swap", 0.7)
    assert score_person(1, rows[1:], RULES).family is None


def test_the_video_is_as_fake_as_its_most_suspicious_person() -> None:
    calm, fake = person([-3.0] * 3), person([3.0] * 3)
    answer = score_video([calm, fake], RULES)
    assert (answer.status, answer.verdict) == (Status.OK, Verdict.FAKE)
    assert (answer.fake, answer.interval) == (fake.fake, fake.interval)
    assert answer.band == "very_strong"
    assert score_video([calm], RULES).verdict is Verdict.NO_SIGN


def test_one_undecided_person_makes_a_video_undecided() -> None:
    assert score_video([person([-3.0] * 3), person([0.0] * 3)], RULES).verdict is Verdict.UNDECIDED


def test_without_a_face_or_a_scored_person_there_is_no_number() -> None:
    nobody = score_video([], RULES)
    assert (nobody.status, nobody.verdict) == (Status.NO_FACE, None)
    small = score_person(1, [clip(9.0, quality=SMALL)], RULES)
    unseen = score_video([small], RULES)
    assert (unseen.status, unseen.fake, unseen.band) == (Status.FACE_TOO_SMALL, None, None)


def test_a_person_without_a_score_is_a_warning_on_the_video() -> None:
    small = score_person(2, [clip(9.0, quality=SMALL, frames=8)], RULES)
    answer = score_video([person([-3.0] * 3), small], RULES)
    assert answer.verdict is Verdict.NO_SIGN
    assert Warn.SMALL_FACES in answer.warnings


def test_an_uncalibrated_model_is_a_warning() -> None:
    rules = ScoringRules()
    assert Warn.NOT_CALIBRATED in score_video([person([3.0] * 3, rules)], rules).warnings
    assert Warn.NOT_CALIBRATED not in score_video([person([3.0] * 3)], RULES).warnings


def scores(logit: float, heat: float | None) -> tuple[FaceScore, ...]:
    return score_person(1, [clip(logit, heat=heat, frames=8)], RULES).scores


def drawn(face: FaceScore, scale: float) -> float:
    assert face.heat is not None
    return float(face.heat.max()) / scale


def test_a_low_scoring_face_stays_cool_beside_a_high_scoring_one() -> None:
    """Even if its raw map is the stronger of the two."""
    calm, fake = scores(-3.0, heat=5.0), scores(3.0, heat=3.0)
    scale = heat_scale([*calm, *fake])
    assert drawn(fake[0], scale) > 0.8
    assert drawn(calm[0], scale) < 0.15


def test_a_low_scoring_video_is_not_stretched_to_full_contrast() -> None:
    calm = scores(-3.0, heat=5.0)
    assert drawn(calm[0], heat_scale(calm)) == pytest.approx(calm[0].fake, rel=1e-3)


def test_rounding_noise_stays_dark() -> None:
    noise = scores(3.0, heat=1e-6)
    assert drawn(noise[0], heat_scale(noise)) < 0.001


def test_without_maps_there_is_no_scale() -> None:
    assert heat_scale(scores(3.0, heat=None)) == 0.0
    assert heat_scale([]) == 0.0


def test_a_map_is_weighed_by_its_own_frame() -> None:
    np.testing.assert_allclose(weigh_heat(np.full((2, 2), 4, np.float32), 0.25), np.ones((2, 2)))


def test_a_clip_with_parts_of_different_length_is_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        ScoredClip(
            logit=0.0,
            frame_logits=np.zeros(3, np.float32),
            still_logits=np.zeros(2, np.float32),
            seconds=[0, 1, 2],
            boxes=[Box(0, 0, 1, 1)] * 3,
            landmarks=np.zeros((3, 5, 2), np.float32),
            qualities=[GOOD] * 3,
        )


@pytest.mark.parametrize(
    "nonsense",
    [
        {"temperature": 0.0},
        {"threshold": 1.0},
        {"picture": 0.0},
        {"undecided": (0.6, 0.7)},
        {"bands": (0.5, 0.5, 0.9, 1.0)},
        {"bands": (0.5, 0.7, 0.9, 0.95)},
        {"share": 0.0},
        {"min_faces": 0},
    ],
)
def test_rules_that_make_no_sense_are_refused(nonsense: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        ScoringRules(**nonsense)  # type: ignore[arg-type]


def test_what_was_never_surely_a_face_is_no_person_beside_one() -> None:
    """An emblem on a sleeve resembles a face."""
    face = Quality(size=120, sharpness=300, frontal=0.9, detection=0.999)
    emblem = Quality(size=50, sharpness=60, frontal=0.0, detection=0.89)
    blurred = replace(face, sharpness=5)
    dim = replace(face, detection=0.8)

    def kept(**people: Quality) -> list[str]:
        seen = [[each] * 5 for each in people.values()]
        return reliably_detected(list(people), seen, RULES, sure=0.9, still=False)

    assert kept(face=face, emblem=emblem) == ["face"]
    assert kept(face=face, blurred=blurred, dim=dim) == ["face", "blurred", "dim"]
    assert kept(emblem=emblem) == ["emblem"]
