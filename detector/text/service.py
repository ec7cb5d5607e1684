"""What can stand in the way of an answer besides the file."""

from __future__ import annotations

from detector.language import lazy

SERVICE = {
    "queue full": lazy(
        "Too many people are waiting already. Your file was not analysed; try again in a few "
        "minutes."
    ),
    "quota": lazy(
        "The processor time that this service grants you is used up. Wait until it is granted "
        "anew, sign in where that is offered, or run the program on your own machine."
    ),
    "language model unreachable": lazy(
        "The language model that rewrites the findings did not answer. "
        "The sentences shown are the detector's own; nothing is missing from them."
    ),
}
