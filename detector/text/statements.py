"""The sentences of a report; `summary` fills them with its numbers."""

from __future__ import annotations

from detector.language import Message, lazy
from detector.records import Status, Verdict

VERDICTS = {
    Verdict.FAKE: lazy("Looks manipulated"),
    Verdict.NO_SIGN: lazy("No sign found"),
    Verdict.UNDECIDED: lazy("Undecided"),
}
# By verdict and by whether it is a still picture.
HEADLINES = {
    (Verdict.NO_SIGN, False): lazy(
        "No sign of manipulation was found; that is not proof that the video is genuine."
    ),
    (Verdict.NO_SIGN, True): lazy(
        "No sign of manipulation was found; that is not proof that the picture is genuine."
    ),
    (Verdict.UNDECIDED, False): lazy("Undecided: this video does not show enough to decide."),
    (Verdict.UNDECIDED, True): lazy("Undecided: this picture does not show enough to decide."),
}
# Why there is no score, in a headline; some by whether it is a still picture.
REASONS: dict[Status | tuple[Status, bool], Message] = {
    (Status.NO_FACE, False): lazy("no face was found in this video"),
    (Status.NO_FACE, True): lazy("no face was found in this picture"),
    (Status.FACE_TOO_SMALL, False): lazy("the faces in this video are too small for a score"),
    (Status.FACE_TOO_SMALL, True): lazy("the faces in this picture are too small for a score"),
    (Status.TOO_FEW_FACES, False): lazy("this video shows too few clear pictures of a face"),
    (Status.TOO_FEW_FACES, True): lazy("this picture shows too few clear pictures of a face"),
    (Status.TOO_SHORT, False): lazy("this video is too short for a score"),
    (Status.TOO_SHORT, True): lazy("this picture is too short for a score"),
    (Status.TOO_BLURRED, False): lazy("the faces in this video are too blurred for a score"),
    (Status.TOO_BLURRED, True): lazy("the faces in this picture are too blurred for a score"),
    Status.UNTRAINED: lazy("the model has no trained weights"),
    Status.CANCELLED: lazy("the analysis was cancelled"),
    Status.TIMED_OUT: lazy("the analysis took too long"),
    Status.INTERRUPTED: lazy("the analysis broke off on our side"),
    Status.BUSY: lazy("too many people are waiting"),
    Status.QUOTA_USED: lazy("your share of this machine is used up for now"),
    Status.OK: lazy("no person could be scored"),
}
# By whether the score is calibrated, and whether it has an interval.
OVERALL = {
    (True, True): lazy(
        "The probability that Person {person} is manipulated is {fake} "
        "(95 % interval {low} to {high}); the decision threshold is {threshold}."
    ),
    (True, False): lazy(
        "The probability that Person {person} is manipulated is {fake}; "
        "the decision threshold is {threshold}."
    ),
    (False, True): lazy(
        "The uncalibrated score of Person {person} is {fake} "
        "(95 % interval {low} to {high}); the decision threshold is {threshold}."
    ),
    (False, False): lazy(
        "The uncalibrated score of Person {person} is {fake}; "
        "the decision threshold is {threshold}."
    ),
}
# The line under the score, by whether that is calibrated, and whether it has an interval.
SCORE_LINES = {
    (True, True): lazy(
        "Calibrated probability of the most suspicious face, Person {person}: {score}, "
        "95 % interval {low} to {high}."
    ),
    (True, False): lazy(
        "Calibrated probability of the most suspicious face, Person {person}: {score}."
    ),
    (False, True): lazy(
        "Uncalibrated score of the most suspicious face, Person {person}: {score}, "
        "95 % interval {low} to {high}."
    ),
    (False, False): lazy(
        "Uncalibrated score of the most suspicious face, Person {person}: {score}."
    ),
}
SCORE_KINDS = {
    True: lazy("It is a likelihood, not an amount of manipulation."),
    False: lazy("It ranks suspicion, not an amount of manipulation."),
}
# A suspicious stretch and a scored frame, in a chart.
STRETCH = lazy("Person {person} looks manipulated, {start} to {end}, peak {peak}")
STRETCH_UNDECIDED = lazy("Person {person} reaches the threshold, {start} to {end}, peak {peak}")
POINT = lazy("Person {person}, {time}: {score}")
POINT_UNCLEAR = lazy("Person {person}, {time}: {score}, too unclear to count")
# A stretch that looks manipulated, or only reaches the threshold; `True`: within one tenth.
SEGMENTS = {
    (True, False): lazy(
        "Person {person} looks manipulated from {start} to {end}, with a peak of {peak} at {time}."
    ),
    (True, True): lazy(
        "Person {person} looks manipulated at {start}, with a peak of {peak} at {time}."
    ),
    (False, False): lazy(
        "Person {person} reaches the threshold from {start} to {end}, with a peak of {peak} at "
        "{time}; that alone decides nothing."
    ),
    (False, True): lazy(
        "Person {person} reaches the threshold at {start}, with a peak of {peak} at {time}; "
        "that alone decides nothing."
    ),
}
