"""The findings in a language model's words: off unless configured, and never shown unchecked.

Any OpenAI-compatible endpoint serves, or a provider of Hugging Face. It receives the sentences of
the report and nothing else: no picture, no file name. What comes back is checked; a text with a
number, a part of the face or a claim that is not in the report is dropped, which is stated.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from huggingface_hub import InferenceClient
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError is not exported
    HfHubHTTPError,
    HTTPError,  # of httpx or httpx2, whichever the library uses
    InferenceTimeoutError,
)

from detector.findings import Retelling
from detector.language import SOURCE, _, in_language, joined
from detector.records import Report, Status
from detector.text.messages import RETELLING
from detector.text.summary import headline, percent, sentences

ENVIRONMENT = "DEEPFAKE_TEXT_"
LONGEST = 1500  # characters; the findings fit in far fewer
TASK = (
    "You retell findings of a deepfake detector to a person who knows nothing about it. Use two to "
    "five plain sentences. Repeat the probability. Use only numbers, times and parts of the face "
    "that the findings name, written as there. Add no judgement and no advice."
)
_NUMBER = re.compile(r"\d+(?:[.:,]\d+)*")
_WORDS = (
    *("zero", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "fifteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty"),
    *("ninety", "hundred", "thousand", "half", "third", "quarter"),
)
_PARTS = (
    *("eye", "eyes", "brow", "brows", "eyebrow", "eyebrows", "nose", "nostril", "nostrils"),
    *("mouth", "lip", "lips", "cheek", "cheeks", "forehead", "jaw", "jawline", "chin", "hair"),
    *("ear", "ears", "neck", "teeth", "tooth", "skin", "temple", "temples", "beard", "background"),
)
_CLAIMS = (
    *("real", "authentic", "genuine", "unaltered", "untouched", "proof", "proves", "proven"),
    *("certain", "certainly", "definitely", "guarantee", "guaranteed", "undoubtedly", "fake"),
)
_FORBIDDEN = re.compile(
    r"\b(?:is|are|was) (?:definitely |clearly )?(?:fake|real|genuine|authentic)"
)


@dataclass(frozen=True, slots=True)
class Narrator:
    """Who retells: a `model` at an OpenAI-compatible `url`, or else at a `provider`.

    `seconds` bounds the wait; `key` is sent to that endpoint alone. A provider without a `key` is
    sent the token that Hugging Face's own tools find, such as HF_TOKEN; a `url` never is.
    """

    model: str
    url: str = ""
    provider: str = ""
    key: str = ""
    seconds: float = 30.0

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.provider):
            raise ValueError("a language model is reached by a url or by a provider, not by both")

    def complete(self, findings: str) -> str:
        """The model's text. Raises HTTPError, HfHubHTTPError or InferenceTimeoutError."""
        where = {"base_url": self.url} if self.url else {"provider": self.provider}
        key = self.key or ("none" if self.url else None)
        # "none": some servers reject an empty key, and the user's token must not be sent to a
        # `url`.
        client = InferenceClient(**where, api_key=key, timeout=self.seconds)  # type: ignore[arg-type]
        messages = [{"role": "system", "content": TASK}, {"role": "user", "content": findings}]
        answer = client.chat_completion(
            messages, model=self.model, max_tokens=400, temperature=0.0, seed=0
        )
        return str(answer.choices[0].message.content or "").strip()


def narrator_of(environment: Mapping[str, str] = os.environ) -> Narrator | None:
    """The narrator that DEEPFAKE_TEXT_URL or DEEPFAKE_TEXT_PROVIDER, _MODEL and _KEY name; None
    where none is named, which is the default."""
    model, url, provider, key = (
        environment.get(ENVIRONMENT + name, "") for name in ("MODEL", "URL", "PROVIDER", "KEY")
    )
    return Narrator(model, url, provider, key) if url or provider else None


def findings_of(report: Report) -> str:
    """The narrator's input as JSON: the report's own sentences, and no name of a file.

    Signals are left out: they quote the file, which could contain instructions to the model.
    """
    report = replace(report, signals=())
    with in_language(SOURCE):  # what comes back is checked against English words
        content = {
            "headline": headline(report),
            "findings": [one.text for one in sentences(report)],
        }
    return json.dumps(content, ensure_ascii=False)


def retell(report: Report, narrator: Narrator) -> Report:
    """`report` with its findings retold, or with the reason why they are not."""
    if report.status is not Status.OK:
        return _with(report, narrator, "no_score")
    findings = findings_of(report)
    try:
        text = narrator.complete(findings)
    except InferenceTimeoutError:
        return _with(report, narrator, "timeout")
    except HfHubHTTPError:
        return _with(report, narrator, "refused")
    except (HTTPError, OSError):
        return _with(report, narrator, "unreachable")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return _with(report, narrator, "refused")  # what came back is no answer
    if faults_of(text, findings, report):
        return _with(report, narrator, "unfaithful")
    return _with(report, narrator, "ok", text)


def _with(report: Report, narrator: Narrator, outcome: str, text: str = "") -> Report:
    return replace(report, retelling=Retelling(outcome, text, narrator.model))


def retelling_text(retelling: Retelling) -> str:
    """The text with who wrote it, or the reason why there is none."""
    note = str(RETELLING[retelling.outcome])
    if not retelling.text:
        return note
    model = _("Model: {model}.", model=retelling.model)
    return f"{retelling.text} ({joined(note, model)})"


def faults_of(text: str, findings: str, report: Report) -> list[str]:
    """The statements of `text` that are not in `findings`; empty if it can be shown."""
    found = [f"number {n}" for n in _NUMBER.findall(text) if n not in _NUMBER.findall(findings)]
    used, given = _words(text), _words(findings)
    for what, words in (("number", _WORDS), ("part", _PARTS), ("claim", _CLAIMS)):
        found += [f"{what} {word}" for word in words if word in used and word not in given]
    if _FORBIDDEN.search(text.lower()):
        found.append("a claim of certainty")
    with in_language(SOURCE):
        score = percent(report.fake or 0.0)
    if not set(_NUMBER.findall(score)) <= set(_NUMBER.findall(text)):
        found.append(f"the score {score} is missing")
    if not text or len(text) > LONGEST:
        found.append("no text, or too long a one")
    return found


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))
