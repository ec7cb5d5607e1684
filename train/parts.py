"""A large file in parts that travel, and whole again: split where it was made, joined at home.

python -m train.parts weights/accurate.safetensors --out parts --mib 15
python -m train.parts --join parts --out weights
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from train.verbs import DataError, verb, whole

MEBI = 1 << 20  # bytes


def split(path: Path, out: Path, mebi: float) -> list[Path]:
    """`path` as NAME.000, NAME.001, ... of at most `mebi` MiB in `out`, and NAME.parts.json, which
    describes them; returns the parts."""
    content = path.read_bytes()
    step = max(int(mebi * MEBI), 1)
    parts = []
    for number, start in enumerate(range(0, len(content), step)):
        with whole(out / f"{path.name}.{number:03d}") as place:
            place.write_bytes(content[start : start + step])
        parts.append(out / f"{path.name}.{number:03d}")
    manifest = {
        "name": path.name,
        "parts": [part.name for part in parts],
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    # Written last: with it all parts are there.
    with whole(out / f"{path.name}.parts.json") as place:
        place.write_text(json.dumps(manifest, indent=1))
    return parts


def join(folder: Path, out: Path) -> list[Path]:
    """Every file that is in parts in `folder`, whole in `out`. Raises DataError where a part is
    missing or damaged, or there is nothing to join."""
    made = []
    for listing in sorted(folder.glob("*.parts.json")):
        manifest = json.loads(listing.read_text())
        missing = [name for name in manifest["parts"] if not (folder / name).is_file()]
        if missing:
            raise DataError(f"{folder} lacks {missing[0]}, a part of {manifest['name']}.")
        content = b"".join((folder / name).read_bytes() for name in manifest["parts"])
        # Of the whole, so a part of another file is noticed as well.
        if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
            raise DataError(f"the parts of {manifest['name']} are damaged; fetch them again.")
        with whole(out / manifest["name"]) as place:
            place.write_bytes(content)
        made.append(out / manifest["name"])
    if not made:
        raise DataError(f"{folder} contains no *.parts.json, so there is nothing to join.")
    return made


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.parts", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", type=Path, nargs="?", help="a file to split")
    source.add_argument("--join", type=Path, metavar="PARTS", help="folder of parts")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mib", type=float, default=15.0, help="of a part at most")
    options = parser.parse_args(argv)
    made = join(options.join, options.out) if options.join else None
    made = made or split(options.file, options.out, options.mib)
    print("\n".join(str(path) for path in made))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
