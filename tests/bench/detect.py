"""What finding faces costs per 720p frame: the library's default driver against ours.

    python -m tests.bench.detect [clip.mp4 ...]

Without a clip the pictures are drawn. Milliseconds are of CPU time, the median of three
rounds. Recall is the share of the faces that the library is 95 % sure of, and that are large
enough to be scored, which a way meets with IoU >= 0.5; `extra` counts boxes on none of the
library's, per frame. The last line is one JSON object.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import av
from facenet_pytorch import MTCNN

from detector.faces.geometry import iou
from detector.faces.mtcnn import FaceFinder
from detector.faces.tracking import PeopleTracker
from detector.records import Box, Frame, Image
from tests.bench.scene import scene

CLIP = 8  # frames that the product detects in one call
CLIPS = 4
SCORED_FROM = 64  # pixels; the shorter side of a face below which no score is given
Boxes = list[list[Box]]


def read(path: str) -> list[Image]:
    with av.open(path) as container:
        frames = zip(range(CLIP * CLIPS), container.decode(video=0), strict=False)
        return [frame.to_ndarray(format="rgb24") for _, frame in frames]


def by_library(library: MTCNN, images: Sequence[Image], sure: float = 0.0) -> Boxes:
    found = []
    for image in images:
        boxes, scores = library.detect(image)
        pairs = zip(boxes, scores, strict=True) if boxes is not None else ()
        found.append([Box(*box) for box, score in pairs if score >= sure])
    return found


def by_tracker(finder: FaceFinder, images: Sequence[Image]) -> Boxes:
    found: Boxes = [[] for _ in images]
    tracker = PeopleTracker()
    for start in range(0, len(images), CLIP):
        frames = [Frame(k / 25, images[k]) for k in range(start, min(start + CLIP, len(images)))]
        for track in tracker.follow(frames, finder.find):
            for index, face in zip(track.indices, track.faces, strict=True):
                found[start + index].append(face.box)
    return found


def by_finder(finder: FaceFinder, images: Sequence[Image]) -> Boxes:
    return [
        [face.box for face in faces]
        for start in range(0, len(images), CLIP)
        for faces in finder.find(images[start : start + CLIP])
    ]


def measure(images: Sequence[Image], rounds: int = 3) -> dict[str, dict[str, float]]:
    """Each way takes every frame `rounds` times, in turns, so that other load hits all alike."""
    library, finder = MTCNN(keep_all=True), FaceFinder()
    ways: dict[str, Callable[[], Boxes]] = {
        "library": lambda: by_library(library, images),
        "finder": lambda: by_finder(finder, images),
        "tracker": lambda: by_tracker(finder, images),
    }
    truth = by_library(library, images, sure=0.95)
    times: dict[str, list[float]] = {name: [] for name in ways}
    results = {}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            boxes = way()
            times[name].append((time.process_time() - start) / len(images) * 1e3)
            results[name] = compare(truth, boxes)
    library_ms = statistics.median(times["library"])
    for name, row in results.items():
        row["ms_per_frame"] = statistics.median(times[name])
        row["times_faster"] = library_ms / row["ms_per_frame"]
    return results


def compare(truth: Boxes, found: Boxes) -> dict[str, float]:
    met = missed = extra = 0
    for sure, boxes in zip(truth, found, strict=True):
        large_enough = [face for face in sure if min(face.width, face.height) >= SCORED_FROM]
        hits = sum(any(iou(face, box) >= 0.5 for box in boxes) for face in large_enough)
        met, missed = met + hits, missed + len(large_enough) - hits
        extra += sum(not any(iou(face, box) >= 0.5 for face in sure) for box in boxes)
    return {"recall": met / max(met + missed, 1), "extra": extra / len(truth)}


def main(paths: Sequence[str]) -> None:
    videos = {path.rsplit("/", 1)[-1]: read(path) for path in paths} or {
        "drawn": list(scene(CLIP * CLIPS, people=2))
    }
    report = {name: measure(images) for name, images in videos.items()}
    print(f"{'video':<28}{'way':<9}{'cpu ms':>9}{'faster':>8}{'recall':>8}{'extra':>7}")
    for name, results in report.items():
        for way, row in results.items():
            print(
                f"{name[:27]:<28}{way:<9}{row['ms_per_frame']:>9.1f}{row['times_faster']:>8.1f}"
                f"{row['recall']:>8.2f}{row['extra']:>7.2f}"
            )
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1:])
