"""No person may be on two sides of a split, and a bad list is reported with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from train.index import COLUMNS, assign_splits, main, read_source


def table_of(pairs: list[tuple[str, str]]) -> pd.DataFrame:
    rows = [
        {name: "" for name in COLUMNS} | {"identity": source, "target": target}
        for source, target in pairs
    ]
    return pd.DataFrame(rows)


def test_no_person_is_in_two_splits_neither_as_source_nor_as_target() -> None:
    rng = np.random.default_rng(0)
    people = [f"p{k}" for k in range(400)]
    alone = [(name, "") for name in people]
    swaps = [(people[a], people[b]) for a, b in rng.integers(0, 400, (120, 2))]
    table = assign_splits(table_of(alone + swaps))
    met: dict[str, set[str]] = {}
    for row in table.itertuples():
        for name in filter(None, (row.identity, row.target)):
            met.setdefault(name, set()).add(row.split)
    assert all(len(splits) == 1 for splits in met.values())
    assert set(table["split"]) == {"train", "val", "test"}


def test_a_person_keeps_the_split_when_others_are_added() -> None:
    before = assign_splits(table_of([(f"p{k}", "") for k in range(50)]))
    after = assign_splits(table_of([(f"p{k}", "") for k in range(100)]))
    assert after["split"][:50].tolist() == before["split"].tolist()


def test_one_person_in_two_splits_is_refused() -> None:
    table = table_of([("anna", ""), ("anna", "")]).assign(split=["train", "val"])
    with pytest.raises(ValueError, match="more than one split"):
        assign_splits(table)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name,label\na.mp4,REAL\n", "no column 'file'"),
        ("file\na.mp4\n", "no column 'label'"),
        ("file,label\na.mp4,MAYBE\n", "MAYBE"),
        ("file,label\nb.mp4,REAL\n", "do not exist"),
    ],
)
def test_a_bad_list_is_reported_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_source(tmp_path / "list.csv", "video")


def test_labels_may_be_written_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "list.csv").write_text("file,label\na.mp4, fake \n")
    assert read_source(tmp_path / "list.csv", "video")["label"].tolist() == ["FAKE"]


def test_two_folders_are_a_data_set(tmp_path: Path) -> None:
    for name in ("real/a.mp4", "fake/b.mp4", "fake/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    out = tmp_path / "out" / "table.parquet"
    assert main(["--videos", f"{tmp_path}:test", "--out", str(out)]) == 0
    table = pd.read_parquet(out)
    assert sorted(table["label"]) == ["FAKE", "REAL"]
    assert set(table["split"]) == {"test"}
