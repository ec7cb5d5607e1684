"""Reads content credentials (C2PA) with the project's own library; hostile files are expected."""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import c2pa

from detector.findings import Credentials, Origin

log = logging.getLogger(__name__)

TRUST_ANCHORS = "DEEPFAKE_TRUST_ANCHORS"
"""Names a PEM file with the certificates of the authorities that the operator trusts."""

# Kinds of `opening` that can carry credentials, as the library calls them.
MEDIA_TYPES = {
    "mp4": "video/mp4",
    "avi": "video/avi",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
}
# Nothing is fetched: not the credentials, should they lie elsewhere, and not whether a
# certificate was revoked.
OFFLINE = {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}
STATES = {
    "Trusted": Credentials.TRUSTED,
    "Valid": Credentials.VALID,
    "Invalid": Credentials.BROKEN,
}
UNTRUSTED = "signingCredential.untrusted"


def anchors_in_environment() -> dict[str, str]:
    """The variable for a process elsewhere: its file by an absolute path; empty if it is unset."""
    named = os.environ.get(TRUST_ANCHORS)
    return {TRUST_ANCHORS: os.path.abspath(named)} if named else {}


@functools.cache
def trust_anchors() -> str:
    """The operator's certificates, or "". Read once, since a confined process cannot. Where the
    file cannot be read or has no certificates, that is logged, and no signer is trusted."""
    named = os.environ.get(TRUST_ANCHORS)
    if not named:
        return ""
    try:
        anchors = Path(named).read_text(encoding="ascii")
        context(anchors)
    except (OSError, UnicodeDecodeError, c2pa.C2paError) as error:
        log.error(
            "%s names %s, which is no PEM file of certificates (%s), so no signer is trusted.",
            TRUST_ANCHORS,
            named,
            error,
        )
        return ""
    return anchors


def context(anchors: str) -> c2pa.Context:
    """The settings of a check. Not to be kept: one made before a fork does not work after it."""
    trust = {"trust": {"trust_anchors": anchors}} if anchors else {}
    return c2pa.Context.from_dict({"verify": OFFLINE, **trust})


def read_credentials(path: Path, kind: str, anchors: str) -> Origin:
    """The content credentials of a file of that `kind`, and whether they are valid."""
    if kind not in MEDIA_TYPES:
        return Origin()
    try:
        with path.open("rb") as file:
            reader = c2pa.Reader(MEDIA_TYPES[kind], file, context=context(anchors))
            return _origin(json.loads(reader.json()))
    except c2pa.C2paError.ManifestNotFound:
        return Origin()
    except (c2pa.C2paError.Verify, c2pa.C2paError.Signature, c2pa.C2paError.Assertion):
        return Origin(Credentials.BROKEN, faults=("malformed",))
    except c2pa.C2paError.RemoteManifest:
        return Origin(Credentials.UNREAD, faults=("remote",))
    except (c2pa.C2paError.Other, c2pa.C2paError.NotSupported):
        return Origin()  # a damaged file, which other checks report
    except c2pa.C2paError:
        return Origin(Credentials.UNREAD)


def _origin(found: dict[str, Any]) -> Origin:
    manifests = found.get("manifests") or {}
    active = manifests.get(found.get("active_manifest")) or {}
    signature = active.get("signature_info") or {}
    programs = active.get("claim_generator_info") or [{}]
    actions = [action for manifest in manifests.values() for action in _actions(manifest)]
    codes = (status.get("code", "") for status in found.get("validation_status") or [])
    return Origin(
        # A state that a later version of the library adds counts as broken, never as valid.
        credentials=STATES.get(found.get("validation_state", ""), Credentials.BROKEN),
        signer=signature.get("common_name") or "",
        issuer=signature.get("issuer") or "",
        generator=programs[0].get("name") or active.get("claim_generator") or "",
        signed_utc=signature.get("time") or "",
        sources=_each_once(_last_word(one.get("digitalSourceType")) for one in actions),
        actions=_each_once(one.get("action") for one in actions),
        # An unknown signer is expressed by `VALID` instead of `TRUSTED`, and is no fault.
        faults=_each_once(code for code in codes if code != UNTRUSTED),
    )


def _actions(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What was done, by the assertions of one manifest: its own or an ingredient's."""
    for assertion in manifest.get("assertions") or []:
        if assertion.get("label", "").startswith("c2pa.actions"):
            yield from assertion.get("data", {}).get("actions") or []


def _last_word(address: str | None) -> str | None:
    return address.rpartition("/")[2] if address else None


def _each_once(words: Iterator[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word))
