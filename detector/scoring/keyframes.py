"""The few pictures of a person that are worth looking at."""

from __future__ import annotations

from collections.abc import Sequence

from detector.records import FaceScore, Image, Moment

MOMENTS = 6  # per person; enough to compare, and their crops bound memory


def choose_moments(
    person: int, scores: Sequence[FaceScore], crops: Sequence[Image | None]
) -> tuple[Moment, ...]:
    """At most six pictures worth looking at, the most suspicious first, spread over time.

    Only usable frames whose crop was kept; no two lie nearer than a twelfth of the time that
    the person was visible, so that they do not show one instant six times.
    """
    rows = [
        (score, crop)
        for score, crop in zip(scores, crops, strict=True)
        if score.usable and crop is not None
    ]
    # The second breaks ties, so that the same video gives the same moments.
    rows.sort(key=lambda row: (-row[0].fake, row[0].second))
    apart = (scores[-1].second - scores[0].second) / (2 * MOMENTS)
    chosen: list[Moment] = []
    for score, crop in rows:
        if all(abs(score.second - other.second) > apart for other in chosen):
            chosen.append(Moment(person, score.second, score.fake, crop, score.heat))
        if len(chosen) == MOMENTS:
            break
    return tuple(chosen)
