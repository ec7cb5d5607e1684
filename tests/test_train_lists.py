"""Lists as people write them are read, or refused in one sentence with a next step."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.test_train_layouts import by_name, tree
from train.index import assign_splits, main, read_source, split_of_source


def listed(folder: Path, text: str | bytes, *names: str) -> pd.DataFrame:
    tree(folder, *names)
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "list.csv").write_bytes(data)
    return read_source(folder / "list.csv", "video")


def dfdc(folder: Path, entries: object, *names: str, mark: str = "") -> pd.DataFrame:
    tree(folder, *names)
    (folder / "metadata.json").write_text(mark + json.dumps(entries), encoding="utf-8")
    return read_source(folder, "video")


def test_splits_are_read_in_any_usual_word(tmp_path: Path) -> None:
    text = "file,label,split\na.mp4,REAL,Training\nb.mp4,REAL,valid\nc.mp4,REAL,eval\n"
    table = listed(tmp_path, text, "a.mp4", "b.mp4", "c.mp4")
    assert table["split"].tolist() == ["train", "val", "test"]


def test_a_split_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="splits other than train, val, test: holdout"):
        listed(tmp_path, "file,label,split\na.mp4,REAL,holdout\n", "a.mp4")


def test_an_unnamed_row_is_a_separate_person(tmp_path: Path) -> None:
    names = [f"c{k}.mp4" for k in range(40)]
    rows = "\n".join(f"{name},REAL," for name in names)
    table = assign_splits(listed(tmp_path, f"file,label,identity\n{rows}\n", *names))
    assert table["identity"].nunique() == 40
    assert table["split"].nunique() > 1


def test_one_file_cannot_be_real_and_fake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"1 files as both REAL and FAKE, as .*a\.mp4"):
        listed(tmp_path, "file,label\na.mp4,REAL\n./a.mp4,FAKE\n", "a.mp4")


def test_two_lists_cannot_disagree_about_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree(tmp_path, "a.mp4")
    for name, label in (("one.csv", "REAL"), ("two.csv", "FAKE")):
        (tmp_path / name).write_text(f"file,label\na.mp4,{label}\n")
    lists = [str(tmp_path / "one.csv"), str(tmp_path / "two.csv")]
    assert main(["--videos", *lists, "--out", str(tmp_path / "t.parquet")]) == 2
    assert "both REAL and FAKE" in capsys.readouterr().err


def test_a_file_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    assert len(listed(tmp_path, "file,label\na.mp4,REAL\na.mp4,REAL\n", "a.mp4")) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file,label\n", "names no files"),
        ("", "not a CSV table"),
        ('file,label\n"a.mp4,REAL\n', "not a CSV table"),
        ("file,label\na.mp4,REAL,train\n", "more cells than its first line"),
        ("file,label\na.mp4,1\n", "name the column is_fake"),
        ("file,label\na.mp4,\n", "no label"),
    ],
)
def test_a_broken_list_is_reported_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        listed(tmp_path, text, "a.mp4")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig", "utf-16"])
def test_lists_of_spreadsheets_are_read(tmp_path: Path, encoding: str) -> None:
    table = listed(tmp_path, "Filename;Label\nJosé.mp4;fake\n".encode(encoding), "José.mp4")
    assert by_name(table)["José.mp4"]["label"] == "FAKE"


def test_paths_of_windows_are_found(tmp_path: Path) -> None:
    table = listed(tmp_path, "file,label\nclips\\a.mp4,REAL\n", "clips/a.mp4")
    assert Path(table["path"][0]) == tmp_path / "clips" / "a.mp4"


def test_yes_and_no_are_labels_in_a_yes_no_column(tmp_path: Path) -> None:
    table = listed(tmp_path, "file,is_fake\na.mp4,0\nb.mp4,True\n", "a.mp4", "b.mp4")
    assert table["label"].tolist() == ["REAL", "FAKE"]


def test_a_path_may_contain_a_colon(tmp_path: Path) -> None:
    folder = tree(tmp_path / "take 10:30", "real/a.mp4")
    assert split_of_source(str(folder), "video") == (folder, "video", "")
    assert split_of_source(f"{folder}:training", "video") == (folder, "video", "train")
    with pytest.raises(ValueError, match="a split is one of train, val, test"):
        split_of_source(f"{folder}:holdout", "video")
    assert split_of_source(r"C:\clips", "video")[2] == ""


@pytest.mark.parametrize(
    "entries",
    [
        {"a.mp4": {"label": "REAL"}, "b.mp4": {"label": "FAKE", "original": "a.mp4"}},
        [
            {"file": "a.mp4", "label": "REAL"},
            {"file": "b.mp4", "label": "FAKE", "original": "a.mp4"},
        ],
        {
            "a.mp4": {"is_fake": False, "original": None},
            "b.mp4": {"is_fake": 1, "original": "a.mp4"},
        },
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_metadata_is_read_in_every_shape(tmp_path: Path, entries: object, mark: str) -> None:
    rows = by_name(dfdc(tmp_path, entries, "a.mp4", "b.mp4", mark=mark))
    assert (rows["a.mp4"]["label"], rows["b.mp4"]["label"]) == ("REAL", "FAKE")
    assert rows["a.mp4"]["identity"] == rows["b.mp4"]["identity"]


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"a.mp4": {"split": "train"}}, "no column 'label'"),
        ({"a.mp4": {"label": None}}, "no label"),
        ({"a.mp4": {"label": 1}}, "is_fake"),
        ({}, "not a list of files"),
        (["a.mp4"], "not a list of files"),
        ("a.mp4", "not a list of files"),
        ({"gone.mp4": {"label": "REAL"}}, "names no file that is beside it"),
    ],
)
def test_empty_metadata_is_refused(
    tmp_path: Path, entries: object, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=reason):
        dfdc(tmp_path, entries, "a.mp4")
    assert main(["--videos", str(tmp_path), "--out", str(tmp_path / "t.parquet")]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_metadata_that_is_no_json_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "a.mp4")
    (tmp_path / "metadata.json").write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        read_source(tmp_path, "video")


def test_a_list_beside_sorted_folders_does_not_hide_them(tmp_path: Path) -> None:
    folder = tree(tmp_path, "real/a.mp4", "fake/b.mp4", "fake/._b.mp4")
    for text in ("[1]", json.dumps({"b.mp4": {"label": "FAKE", "original": "a.mp4"}})):
        (folder / "fake" / "metadata.json").write_text(text)
        rows = by_name(read_source(folder, "video"))
        assert set(rows) == {"a.mp4", "b.mp4"}
    assert rows["a.mp4"]["identity"] == rows["b.mp4"]["identity"]


def test_a_parquet_file_without_pictures_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"label": ["REAL"]}).to_parquet(tmp_path / "t.parquet")
    (tmp_path / "broken.parquet").write_text("no")
    for name, reason in (("t.parquet", "no column 'image'"), ("broken.parquet", "not a Parquet")):
        with pytest.raises(ValueError, match=reason):
            read_source(tmp_path / name, "crop")


def test_shares_and_tables_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    source = str(tree(tmp_path, "real/a.mp4"))
    out = str(tmp_path / "t.parquet")
    for wrong in (["--shares", "0", "0", "0"], ["--shares", "-1", "1", "1"]):
        with pytest.raises(SystemExit):
            main(["--videos", source, "--out", out, *wrong])
    with pytest.raises(SystemExit):
        main(["--videos", source, "--out", str(tmp_path / "t.csv")])
