"""Fetches released files from the Hugging Face Hub: pinned, verified, and bounded in time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError is not exported
    EntryNotFoundError,
    HTTPError,  # of httpx or httpx2, whichever the library uses; not an OSError
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from detector.errors import WeightsError

# The library retries for 24 seconds where the Hub does not answer; one short request replaces that.
REACH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class HubSource:
    """Where released weights are stored.

    `revision` is a full commit hash, never a branch: a score must not change overnight. `cards`
    gives each model id the SHA-256 of its card <id>.json, which in turn has that of its
    weights, so one hash pins both. `endpoint` is the Hub's address; None follows HF_ENDPOINT.
    """

    repo_id: str
    revision: str
    cards: Mapping[str, str]
    endpoint: str | None = None

    def __post_init__(self) -> None:
        # A SHA-1 of git; tags and branches can be moved, commits cannot.
        if not re.fullmatch(r"[0-9a-f]{40}", self.revision):
            raise ValueError(
                f"a Hub revision is pinned by its full commit hash of 40 hexadecimal digits, "
                f"not by '{self.revision}'"
            )


# The one place that names our repository; None: nothing is released there yet.
RELEASE: HubSource | None = None


def fetch(source: HubSource, name: str, sha256: str, *, cache: Path | None = None) -> Path:
    """The file `name` of `source`, from the local cache or else the network.

    `cache` is the Hub's own folder unless given. Answers within about ten seconds where there
    is no network. Raises WeightsError if the file cannot be had or is not the expected one.
    """
    try:
        path = Path(
            hf_hub_download(
                source.repo_id,
                name,
                revision=source.revision,
                cache_dir=cache,
                # No request at all where the file is cached, so that a service starts without a
                # network.
                local_files_only=True,
            )
        )
    except LocalEntryNotFoundError:
        return _download(source, name, sha256, cache)
    if sha256_of(path) == sha256:
        return path
    path.unlink()  # the library would keep its link to the bad file, even where it downloads anew
    return _download(source, name, sha256, cache, again=True)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(
    source: HubSource, name: str, sha256: str, cache: Path | None, *, again: bool = False
) -> Path:
    where = f"{source.repo_id} at revision {source.revision[:8]}"
    _reach(source, name, where)
    try:
        path = hf_hub_download(
            source.repo_id,
            name,
            revision=source.revision,
            cache_dir=cache,
            endpoint=source.endpoint,
            token=False,
            # No credentials of the user: the release is public, and an expired token would make it
            # fail.
            force_download=again,
        )
    except (HTTPError, OSError) as error:
        raise WeightsError(
            f"The download of {name} from {where} broke off; start it again on a steady "
            f"connection. ({_first_line(error)})"
        ) from error
    if sha256_of(Path(path)) != sha256:
        raise WeightsError(
            f"{name} from {where} is not the released file (its SHA-256 differs). Start again to "
            "download it afresh; if this stays so, do not use that source."
        )
    return Path(path)


def _reach(source: HubSource, name: str, where: str) -> None:
    """Raises WeightsError unless the Hub has the file and answers soon."""
    url = hf_hub_url(source.repo_id, name, revision=source.revision, endpoint=source.endpoint)
    try:
        get_hf_file_metadata(url, timeout=REACH_SECONDS, token=False, endpoint=source.endpoint)
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
        raise WeightsError(
            f"The Hub has no {name} in {where}; install a release of this program that supports a "
            "newer revision, or name a weights file of your own."
        ) from error
    except (HTTPError, OSError) as error:
        raise WeightsError(
            f"{name} is not on this computer and the Hub could not be reached. Connect to the "
            f"internet once, or put the released files into weights/. ({_first_line(error)})"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
