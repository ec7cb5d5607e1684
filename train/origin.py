"""Where a run began and by what code: enough to repeat it, and to refuse to resume it otherwise."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from train.verbs import DataError, whole

MAY_CHANGE = frozenset({"steps", "evaluate_every", "patience", "stop_after", "commit"})
"""What may differ when a run is resumed: its length, how often it is evaluated, and the code, of
which the first commit is kept."""

RENAMED = {"teach": "teacher_weight"}
"""Settings by their name in the config of runs begun by earlier versions."""


def commit_of_code() -> str:
    """The commit that stands checked out, with a + where files differ from it; empty outside a
    repository."""
    where = Path(__file__).parent
    try:
        commit, changes = (
            subprocess.run(
                ["git", *command], cwd=where, capture_output=True, text=True, check=True
            ).stdout.strip()
            for command in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno"))
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + "+" * bool(changes)


def origin_of(init: str | None, shards: Path, **settings: Any) -> dict[str, Any]:
    """The weights a run begins with, by name and SHA-256, the SHA-256 of its table of faces, the
    commit of the code, and `settings` that its config does not have."""
    start = Path(init) if init and init != "hub" else None
    # Tables alone: they name every picture, and pixels would take minutes.
    tables = hashlib.sha256()
    for path in sorted(shards.glob("*.parquet")):
        tables.update(path.read_bytes())
    return {
        "init": start.name if start else init,
        "init_sha256": _digest(start) if start else None,
        "shards_sha256": tables.hexdigest(),
        "commit": commit_of_code(),
        **settings,
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_config(path: Path, config: Mapping[str, Any], *, resumed: bool) -> None:
    """Store the config of a run. One that `resumed` from a checkpoint must have the settings that
    it was begun with, but for `MAY_CHANGE`, or DataError is raised."""
    # As it will be read again: tuples become lists.
    current = json.loads(json.dumps(config))
    if resumed and path.exists():
        stored: dict[str, Any] = json.loads(path.read_text())
        begun = {RENAMED.get(name, name): value for name, value in stored.items()}
        changed = sorted(_changes(begun, current))
        if changed:
            raise DataError(
                f"{path.parent} was begun with {'; '.join(changed)}. Give the same arguments to go "
                "on, or another --out to begin anew."
            )
        current["origin"] = begun.get("origin", current["origin"])
    with whole(path) as part:
        part.write_text(json.dumps(current, indent=1))


def _changes(begun: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """What differs, each as "rate 0.1, not 0.2". What was not stored is not compared."""
    found: list[str] = []
    for name, value in current.items():
        # Settings that a newer version added are not in an old config.
        before = begun.get(name, value)
        if isinstance(value, dict) and isinstance(before, dict):
            found += _changes(before, value)
        elif name not in MAY_CHANGE and before != value:
            found.append(f"{name} {before}, not {value}")
    return found
