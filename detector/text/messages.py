"""The fixed texts of the product: the meaning of each band, status and warning, and what to do."""

from __future__ import annotations

from detector.findings import SignalStatus
from detector.language import lazy
from detector.records import Status, Warn

BANDS = {
    "weak": lazy("Weak evidence of manipulation"),
    "moderate": lazy("Moderate evidence of manipulation"),
    "strong": lazy("Strong evidence of manipulation"),
    "very_strong": lazy("Very strong evidence of manipulation"),
}

STATUS = {
    Status.OK: lazy("The video has a score; read it together with its interval and the limits."),
    Status.NO_FACE: lazy(
        "No face was found, so there is nothing to score. Use a part of the video in which a "
        "face is visible and upright."
    ),
    Status.FACE_TOO_SMALL: lazy(
        "The faces are too small for a score. Use a version with a higher resolution, or a part "
        "filmed closer."
    ),
    Status.TOO_FEW_FACES: lazy(
        "Too few clear pictures of the face were found for a score. Analyse more frames, or use "
        "a longer part in which the face is visible."
    ),
    Status.TOO_SHORT: lazy(
        "The video is too short: it has fewer frames than a score needs. Use a longer part of "
        "it, or the whole video that it was cut from."
    ),
    Status.TOO_BLURRED: lazy(
        "The faces are too blurred for a score. Use the original file rather than a copy that "
        "was compressed or forwarded."
    ),
    Status.UNTRAINED: lazy(
        "The model has no trained weights, so it gives no score. "
        "Install the released weights and analyse the video again."
    ),
    Status.UNREADABLE: lazy(
        "The file could not be read as a video. "
        "Play it on your computer to check that it is complete, then export it as MP4."
    ),
    Status.UNSAFE: lazy(
        "Reading the file was stopped, because it crashed the decoder or took more time or memory "
        "than any file needs. Open it in a video editor and export it anew as MP4 (H.264)."
    ),
    Status.EMPTY: lazy("The file is empty. Upload it again, or copy it once more from its source."),
    Status.NO_VIDEO: lazy(
        "The file contains no pictures, perhaps only sound. Choose a file that contains video."
    ),
    Status.UNSUPPORTED: lazy(
        "This kind of file is not supported. Convert it to MP4 (H.264) and try again."
    ),
    Status.TOO_LARGE: lazy(
        "The file or its picture is larger than the limit. "
        "Cut out the part that matters, or export it at a lower resolution."
    ),
    Status.TOO_LONG: lazy(
        "The video is longer than the limit. Cut out the part that matters and analyse that."
    ),
    Status.CANCELLED: lazy(
        "The analysis was cancelled before it was done. Start it again if needed."
    ),
    Status.TIMED_OUT: lazy(
        "The file took longer than one analysis may. "
        "Choose fewer frames, cut out the part that matters, or run it on a machine of your own."
    ),
    Status.INTERRUPTED: lazy(
        "This is our fault, or the file is built to do harm; the service goes on. "
        "Send it once more, and if it happens again, export it as MP4 first."
    ),
    Status.BUSY: lazy("Nothing was analysed. Come back in a few minutes and send the file again."),
    Status.QUOTA_USED: lazy(
        "Everyone gets the same share of this machine. "
        "Wait as long as is shown here, or run the detector on a machine of your own."
    ),
}

WARNINGS = {
    Warn.STILL_IMAGE: lazy(
        "This is a still picture: nothing could be learned from movement, "
        "so analyse the video it comes from if there is one."
    ),
    Warn.FEW_FRAMES: lazy("Few frames could be scored, so the score is uncertain."),
    Warn.SMALL_FACES: lazy(
        "Some faces are small; the score is more reliable with a higher resolution."
    ),
    Warn.BLURRED_FACES: lazy(
        "Some faces are blurred; the score is more reliable for the original file than for a "
        "compressed copy."
    ),
    Warn.PROFILE_FACES: lazy(
        "Some faces are turned away from the camera, where the model is less reliable; "
        "look at the moments in which they face it."
    ),
    Warn.MANY_FACES: lazy(
        "There are more faces than were analysed; cut the video to the people who matter, "
        "or raise the number of faces."
    ),
    Warn.TIME_AND_FRAME_DISAGREE: lazy(
        "The scores of single frames and of their movement over time disagree; treat the score "
        "with caution and check the moments yourself."
    ),
    Warn.NEAR_THRESHOLD: lazy(
        "The score lies in the range in which this model is often wrong either way, so use other "
        "evidence, too."
    ),
    Warn.NOT_CALIBRATED: lazy(
        "The model is not calibrated: its score ranks faces, but a score of 80 % "
        "does not mean that 80 of 100 such faces are manipulated."
    ),
    Warn.DAMAGED_FILE: lazy(
        "Parts of the file are damaged and were skipped; "
        "analyse a complete copy if you can get one."
    ),
    Warn.RETIMED: lazy(
        "The clock of the file restarts or jumps, as after joining recordings; "
        "its parts are timed here one after the other, so another player may show other times."
    ),
    Warn.OTHER_TRACKS: lazy(
        "The file has several video tracks, and only one of them was analysed; choose another "
        "track to analyse that one."
    ),
    Warn.TONE_MAPPED: lazy(
        "The pictures have a high dynamic range or wide colours and were converted to those of a "
        "standard screen; the score is more reliable for an original without them."
    ),
    Warn.DEINTERLACED: lazy(
        "The video is interlaced, so only one of the two moments in each picture was analysed, "
        "at half the height; the score is more reliable for a progressive original."
    ),
    Warn.TURNED: lazy(
        "The faces lay on their side or upside down, so the pictures were turned until the faces "
        "stood upright, and all results are about the turned pictures."
    ),
    Warn.LYING_FACES: lazy(
        "Some faces are rotated while others are upright, and were not scored; rotate the video "
        "so that they are upright to get their score."
    ),
    Warn.PARTLY_SEEN: lazy(
        "Most of this video is between the analysed frames; a short manipulated part may have "
        "been missed."
    ),
}

# What can be done about a warning while there are frames that were not analysed.
ADVICE_MORE = {
    Warn.FEW_FRAMES: lazy("Analyse more frames."),
    Warn.NEAR_THRESHOLD: lazy("Analysing more frames may settle it."),
    Warn.PARTLY_SEEN: lazy("Analyse more frames, or choose the part that matters."),
}

LIMIT_SCORE = lazy("The score states how likely manipulation is, not how much was changed.")
LIMIT_HEAT = lazy(
    "Heat maps show regions that contribute to the score; they do not prove that something "
    "was edited there."
)
LIMIT_VIDEO = lazy(
    "Only faces in the sampled frames were examined: not the sound, the background, the text or "
    "the frames in between."
)
LIMIT_PICTURE = lazy("Only faces were examined: not the background or the text.")
LIMIT_MODEL = lazy(
    "The model can be wrong, above all on kinds of manipulation it was not trained on."
)

# The checks of a report that is given back: question, yes, no, not checked.
VERIFY = {
    "file": (
        lazy("Same file"),
        lazy("The file is the one that the report is about, to the last byte."),
        lazy(
            "This is another file than the report is about, or it was changed or saved again. "
            "Look for the very file that was analysed."
        ),
        lazy("The report names no file: it is about one that could not be read."),
    ),
    "weights": (
        lazy("Same weights"),
        lazy("The weights that the report names are the ones at work here."),
        lazy(
            "The report names weights that are not loaded here, so its score cannot be repeated. "
            "Ask the author of the report which release was used."
        ),
        lazy("The report names no weights: its file gave no score."),
    ),
    "score": (
        lazy("Same answer"),
        lazy("The same analysis, done again, gives the same answer."),
        lazy(
            "The same analysis, done again, gives another answer: the report was altered, or made "
            "by another version. Do not rely on it."
        ),
        lazy(
            "The answer was not compared; that needs the same file, the same weights and a second "
            "analysis."
        ),
    ),
}

# The outcomes of a retelling by a language model.
RETELLING = {
    "ok": lazy(
        "Retold by a language model from the findings; every number and part of the face was "
        "checked against them."
    ),
    "no_score": lazy("There is no score to retell; the reason stands above."),
    "unfaithful": lazy(
        "The language model's text did not agree with the findings, so it is not shown; "
        "the sentences above are the report's own."
    ),
    "timeout": lazy(
        "The language model did not answer in time; the sentences above are the report's own. "
        "Try again later."
    ),
    "refused": lazy(
        "The language model refused the request or gave no usable answer; the sentences above are "
        "the report's own. Check its name and key."
    ),
    "unreachable": lazy(
        "The language model could not be reached; the sentences above are the report's own. "
        "Check its address."
    ),
}

SIGNAL_STATUS = {
    SignalStatus.DECLARED: lazy("Declared by the file"),
    SignalStatus.BROKEN: lazy("Not valid"),
    SignalStatus.SOUND: lazy("Valid"),
    SignalStatus.NOTED: lazy("Noted"),
    SignalStatus.ABSENT: lazy("Not present"),
}
