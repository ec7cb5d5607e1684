"""An error is shown in the reader's language, wherever it was raised."""

from __future__ import annotations

import pickle

from detector.errors import VideoError
from detector.language import in_language, lazy
from detector.records import Status


def test_an_error_from_another_process_is_translated() -> None:
    error = VideoError(
        lazy(
            "This took longer than the {minutes} minutes that one job may take here.", minutes="5"
        ),
        Status.TIMED_OUT,
    )
    received = pickle.loads(pickle.dumps(error))
    assert received.status is Status.TIMED_OUT
    assert str(received) == "This took longer than the 5 minutes that one job may take here."
    with in_language("de"):
        assert str(received).startswith("Dies dauerte länger als die 5 Minuten")


def test_a_name_in_an_error_steers_no_terminal_and_reaches_nothing() -> None:
    error = VideoError(lazy("{name} is empty.", name="\x1b[2J{status}.mp4"))
    assert "\x1b" not in str(error)
    assert "{status}.mp4" in str(error)
