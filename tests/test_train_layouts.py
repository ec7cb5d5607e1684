"""Public data sets are read as their authors lay them out; the trees here are empty files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from train.index import assign_splits, read_source


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def by_name(table: pd.DataFrame) -> dict[str, pd.Series]:
    return {Path(row["path"]).name: row for _, row in table.iterrows()}


def test_faceforensics_keeps_methods_compression_and_the_official_split(tmp_path: Path) -> None:
    folder = tree(
        tmp_path,
        "original_sequences/youtube/c23/videos/071.mp4",
        "original_sequences/youtube/c23/videos/054.mp4",
        "manipulated_sequences/FaceSwap/c23/videos/071_054.mp4",
        "manipulated_sequences/DeepFakeDetection/c40/videos/01_02__talking__X.mp4",
    )
    (folder / "test.json").write_text(json.dumps([["071", "054"]]))
    rows = by_name(read_source(folder, "video"))
    fake = rows["071_054.mp4"]
    assert (fake["label"], fake["method"], fake["compression"]) == ("FAKE", "FaceSwap", "c23")
    assert fake["split"] == rows["071.mp4"]["split"] == "test"
    assert fake["target"] == rows["054.mp4"]["identity"]
    assert rows["01_02__talking__X.mp4"]["split"] == ""


def test_celeb_df_tests_on_its_list_and_drops_its_people_elsewhere(tmp_path: Path) -> None:
    folder = tree(
        tmp_path,
        "Celeb-real/id0_0000.mp4",
        "Celeb-real/id0_0001.mp4",
        "Celeb-real/id5_0000.mp4",
        "YouTube-real/00001.mp4",
        "Celeb-synthesis/id0_id1_0000.mp4",
    )
    (folder / "List_of_testing_videos.txt").write_text("1 Celeb-real/id0_0000.mp4\n")
    rows = by_name(assign_splits(read_source(folder, "video")))
    assert rows["id0_0000.mp4"]["split"] == "test"
    assert "id0_0001.mp4" not in rows
    assert {"id5_0000.mp4", "00001.mp4"} <= set(rows)


def test_dfdc_takes_labels_from_metadata_and_people_from_originals(tmp_path: Path) -> None:
    folder = tree(tmp_path, "part_0/a.mp4", "part_0/b.mp4")
    entries = {"a.mp4": {"label": "REAL"}, "b.mp4": {"label": "FAKE", "original": "a.mp4"}}
    entries["gone.mp4"] = {"label": "REAL"}
    (folder / "part_0" / "metadata.json").write_text(json.dumps(entries))
    rows = by_name(read_source(folder, "video"))
    assert set(rows) == {"a.mp4", "b.mp4"}
    assert rows["a.mp4"]["identity"] == rows["b.mp4"]["identity"]


def test_deeperforensics_knows_person_actor_and_split(tmp_path: Path) -> None:
    folder = tree(
        tmp_path, "manipulated_videos/end_to_end/000_M101.mp4", "source_videos/M101/a/b/c.mp4"
    )
    (folder / "lists").mkdir()
    (folder / "lists" / "train.txt").write_text("000_M101.mp4\n")
    table = assign_splits(read_source(folder, "video"))
    rows = by_name(table)
    assert rows["000_M101.mp4"]["split"] == rows["c.mp4"]["split"] == "train"
    assert rows["c.mp4"]["label"] == "REAL"
