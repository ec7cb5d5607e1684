"""The reasons behind a score in plain words: parts of a face, what a frame adds, worse copies.

Each text is a template filled with the report's own numbers, as in `text.summary`.
"""

from __future__ import annotations

from detector.findings import RegionShare, Robustness
from detector.heat_methods import HEAT_METHODS
from detector.language import Message, _, joined, lazy
from detector.records import ModelInfo, Moment, VideoInfo
from detector.settings import Settings

REGION_NAMES = {
    "eyes": lazy("the eyes"),
    "brows": lazy("the brows"),
    "nose": lazy("the nose"),
    "mouth": lazy("the mouth"),
    "cheeks": lazy("the cheeks"),
    "forehead": lazy("the forehead"),
    "jaw_boundary": lazy("the jaw and the edge of the face"),
    "background": lazy("the background"),
}
TARGET_NAMES = {
    "frame": lazy("Why this frame"),
    "video": lazy("What this frame adds to the video"),
}
# What a heat map explains, by its target; the method's name is a proper name.
HEAT_MEANINGS = {
    "frame": lazy("Why this frame: {method} of each frame's own score."),
    "video": lazy("What this frame adds to the video: {method} of the score of the whole video."),
}
COPY_NAMES = {
    "reencoded": lazy("Re-encoded (H.264, CRF 32)"),
    "downscaled": lazy("Half the size"),
    "blurred": lazy("Blurred"),
}
COPY_TURNS = {
    "reencoded": lazy("The answer changes when it is re-encoded (H.264, CRF 32)."),
    "downscaled": lazy("The answer changes when it is reduced to half its size."),
    "blurred": lazy("The answer changes when it is blurred."),
}
FAMILY_NAMES = {
    "face_swap": lazy("a face swapped in from another person"),
    "blend": lazy("a face blended over the original"),
    "local_edit": lazy("an edit of single features"),
    "whole_face": lazy("a wholly generated face"),
}


def share(value: float) -> str:
    """A share of something, which unlike a probability may be 0 % or 100 %."""
    return f"{value * 100:.0f} %"


def odds(value: float, sign: str = "") -> str:
    """A change of log-odds; small ones matter too, where many frames share them."""
    return f"{value:{sign}.{1 if abs(value) >= 1 else 2}f}"


def family_text(name: str) -> str:
    """A manipulation family's key, such as "face_swap", as words."""
    known = FAMILY_NAMES.get(name)
    return str(known) if known else name.replace("_", " ").strip()


def families_text(model: ModelInfo) -> str:
    """Which kinds of manipulation this model was trained to classify."""
    if not model.families:
        return _("This model was not trained to distinguish kinds of manipulation.")
    kinds = "; ".join(family_text(name) for name in model.families)
    return _(
        "This model was trained to distinguish: {kinds}. Any other kind is given one of these.",
        kinds=kinds,
    )


def heat_text(settings: Settings) -> str:
    """What the heat maps of a report explain, and how they were made."""
    meaning = HEAT_MEANINGS[settings.heat_of]
    return str(Message(meaning.text, {"method": HEAT_METHODS[settings.heat_method].name}))


def region_text(moment: Moment) -> str | None:
    """Where the evidence of a moment is, if blurring was tried: the parts that both the heat
    map and the blurring name, or that it is not localised. None where it was not tried."""
    if moment.localised is None or not moment.regions:
        return None
    if not moment.localised:
        # Not the most heat: a cold background has that by its size.
        first = max(moment.regions, key=lambda region: region.excess)
        return _(
            "Not localised: the heat map points at {region} ({heat} of the heat on {area} of the "
            "picture), but blurring what it points at does not lower the score.",
            region=REGION_NAMES[first.region],
            heat=share(first.evidence),
            area=share(first.area),
        )
    confirmed = [region for region in moment.regions if region.confirmed]
    parts = [_confirmed(one) for one in sorted(confirmed, key=lambda one: -one.evidence)]
    return _("The evidence is in {parts}.", parts=_("; and in ").join(parts))


def where_text(moment: Moment) -> str:
    """As `region_text`, or why nothing was tried."""
    text = region_text(moment)
    if text is not None:
        return text
    if moment.regions:
        return _(
            "The evidence of manipulation is too weak here to be confirmed by blurring; the "
            "shares show where it is."
        )
    return _("Nothing here raised the score, so there is nothing to locate.")


def _confirmed(region: RegionShare) -> str:
    found = {
        "region": REGION_NAMES[region.region],
        "heat": share(region.evidence),
        "area": share(region.area),
    }
    if region.expected is None:
        return _(
            "{region} ({heat} of the heat on {area} of the picture); blurring it lowers the score",
            **found,
        )
    return _(
        "{region} ({heat} of the heat on {area} of the picture, {usual} on real faces); "
        "blurring it lowers the score",
        usual=share(region.expected),
        **found,
    )


def robustness_text(found: Robustness) -> str:
    """How far the score of worse copies moves, and whether the answer turns."""
    moved = found.largest_change
    if moved is None:
        return _("Worse copies cannot be scored, so the score cannot be compared.")
    far = _moved(found.frames, round(moved * 100))
    turned = [copy for copy in found.copies if copy.verdict != found.verdict]
    if not turned:
        return joined(far, _("The answer stays the same."))
    changes = [str(COPY_TURNS[copy.kind]) for copy in turned]
    return joined(far, *changes)


def _moved(frames: int, points: int) -> str:
    """How far a score moves, in percentage points, as the probabilities are printed."""
    if frames == 1:  # a still picture
        if points > 1:
            return _(
                "Worse copies move the score by at most {points} percentage points.", points=points
            )
        return _("Worse copies move the score by 1 percentage point at most.")
    if points > 1:
        return _(
            "Over {frames} frames, worse copies move the score by at most {points} "
            "percentage points.",
            frames=frames,
            points=points,
        )
    return _(
        "Over {frames} frames, worse copies move the score by 1 percentage point at most.",
        frames=frames,
    )


def tracks_text(video: VideoInfo) -> str:
    """Which of several video tracks was analysed, and which were not."""
    named = {
        track.number: f"{track.number} ({track.width} x {track.height}, {track.codec})"
        for track in video.tracks
    }
    analysed = named.pop(video.track, str(video.track))
    return _(
        "Video track {analysed} was analysed; the file also has {others}.",
        analysed=analysed,
        others=", ".join(named.values()),
    )
