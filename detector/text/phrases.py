"""The reasons behind a score in plain words: parts of a face, what a frame adds, worse copies.

Each text is a template filled with the report's own numbers, as in `explain.words`.
"""

from __future__ import annotations

from detector.findings import RegionShare, Robustness
from detector.records import ModelInfo, Moment
from detector.settings import Settings

REGION_NAMES = {
    "eyes": "the eyes",
    "brows": "the brows",
    "nose": "the nose",
    "mouth": "the mouth",
    "cheeks": "the cheeks",
    "forehead": "the forehead",
    "jaw_boundary": "the jaw and the edge of the face",
    "background": "the background",
}
METHOD_NAMES = {
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "hires_cam": "HiResCAM",
    "layer_cam": "LayerCAM",
    "eigen_cam": "EigenCAM",
    "score_cam": "Score-CAM",
}
TARGET_NAMES = {"frame": "Why this frame", "video": "What this frame adds to the video"}
COPY_NAMES = {
    "reencoded": "Re-encoded (H.264, CRF 32)",
    "downscaled": "Half the size",
    "blurred": "Blurred",
}
COPY_DONE = {
    "reencoded": "re-encoded (H.264, CRF 32)",
    "downscaled": "reduced to half its size",
    "blurred": "blurred",
}
FAMILY_NAMES = {
    "face_swap": "a face swapped in from another person",
    "blend": "a face blended over the original",
    "local_edit": "an edit of single features",
    "whole_face": "a wholly generated face",
}


def share(value: float) -> str:
    """A share of something, which unlike a probability may be 0 % or 100 %."""
    return f"{value * 100:.0f} %"


def odds(value: float, sign: str = "") -> str:
    """A change of log-odds; small ones matter too, where many frames share them."""
    return f"{value:{sign}.{1 if abs(value) >= 1 else 2}f}"


def family_text(name: str) -> str:
    """A manipulation family's key, such as "face_swap", as words."""
    return FAMILY_NAMES.get(name, name.replace("_", " ").strip())


def families_text(model: ModelInfo) -> str:
    """Which kinds of manipulation this model was trained to tell apart."""
    if not model.families:
        return "This model was not trained to tell kinds of manipulation apart."
    kinds = "; ".join(family_text(name) for name in model.families)
    return f"This model was trained to tell apart: {kinds}. Any other kind is given one of these."


def heat_text(settings: Settings) -> str:
    """What the heat maps of a report explain, and how they were made."""
    method = METHOD_NAMES[settings.heat_method]
    if settings.heat_of == "frame":
        return f"{TARGET_NAMES['frame']}: {method} of each frame's own score."
    return f"{TARGET_NAMES['video']}: {method} of the score of the whole video."


def region_text(moment: Moment) -> str | None:
    """Where the evidence of a moment lies, if blurring was tried: the parts that both the heat
    map and the blurring name, or that it is not localised. None where it was not tried."""
    if moment.localised is None or not moment.regions:
        return None
    if not moment.localised:
        first = moment.regions[0]
        drop = f", while blurring it moved the log-odds by {odds(-(first.drop or 0.0), '+')}"
        return (
            f"Not localised: the heat map points at {REGION_NAMES[first.region]} "
            f"({share(first.evidence)} of the heat on {share(first.area)} of the picture)"
            f"{drop}, so the two disagree."
        )
    parts = [_confirmed(region) for region in moment.regions if region.confirmed]
    return f"The evidence lies in {'; and in '.join(parts)}."


def where_text(moment: Moment) -> str:
    """As `region_text`, or why nothing was tried."""
    told = region_text(moment)
    if told is not None:
        return told
    if moment.regions:
        return (
            "Too little speaks for manipulation here to be confirmed by blurring; the shares "
            "show where that little lies."
        )
    return "Nothing here raised the score, so there is nothing to locate."


def _confirmed(region: RegionShare) -> str:
    usual = "" if region.expected is None else f", {share(region.expected)} on real faces"
    return (
        f"{REGION_NAMES[region.region]} ({share(region.evidence)} of the heat on "
        f"{share(region.area)} of the picture{usual}); blurring it lowers the log-odds by "
        f"{odds(region.drop or 0.0)}"
    )


def robustness_text(found: Robustness) -> str:
    """How far the score of worse copies moves, and whether the answer turns."""
    moved = found.largest_change
    if moved is None:
        return "Worse copies of this video cannot be judged, so its score cannot be compared."
    points = round(moved * 100)
    far = f"at most {points} percentage points" if points > 1 else "1 percentage point at most"
    text = f"Over {found.frames} frames, worse copies move the score by {far}."
    turned = [copy for copy in found.copies if copy.verdict != found.verdict]
    if not turned:
        return f"{text} The answer stays the same."
    changes = [f"The answer changes when it is {COPY_DONE[copy.kind]}." for copy in turned]
    return " ".join([text, *changes])
