"""What is wrong with a data set is found before anything is trained on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.clips import moving_portrait, plain, write_clip
from train import hygiene, index


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos: a face, the same again smaller, one of three frames, and one that is none."""
    folder = tmp_path_factory.mktemp("set")
    write_clip(folder / "a.mp4", moving_portrait(12))
    write_clip(folder / "b.mp4", moving_portrait(12, size=(320, 240), face=213))
    write_clip(folder / "short.mp4", plain(3))
    (folder / "bad.mp4").write_text("no video at all")
    names = ["a", "b", "short", "bad"]
    rows = [f"{name}.mp4,REAL,person{place}" for place, name in enumerate(names)]
    (folder / "list.csv").write_text("\n".join(["file,label,identity", *rows]))
    path = folder / "table.parquet"
    index.main(["--videos", f"{folder / 'list.csv'}:train", "--out", str(path), "--excel"])
    hygiene.main(["measure", "--table", str(path)])
    hygiene.main(["clean", "--table", str(path), "--min-frames", "5", "--duplicates", "6"])
    return path


def row(table: Path, name: str) -> pd.Series:
    rows = pd.read_parquet(table)
    found: pd.Series = rows[rows["path"].str.endswith(f"{name}.mp4")].iloc[0]
    return found


def test_every_video_is_measured(table: Path) -> None:
    good = row(table, "a")
    assert (good["status"], good["frames"], good["faces"]) == ("ok", 12, 1)
    assert good["seconds"] == pytest.approx(12 / 25, abs=0.05)
    assert (good["width"], good["height"]) == (480, 360)


def test_unreadable_and_short_videos_and_duplicates_are_marked_with_a_reason(table: Path) -> None:
    assert "not a video" in row(table, "bad")["status"]
    assert row(table, "short")["status"] == "only 3 frames"
    assert row(table, "b")["status"].startswith("duplicate of")


def test_the_table_is_written_as_csv_and_excel_too(table: Path) -> None:
    assert len(pd.read_csv(table.with_suffix(".csv"))) == 4
    assert len(pd.read_excel(table.with_suffix(".xlsx"))) == 4


def test_a_fake_with_original_pictures_is_an_audio_fake(tmp_path: Path) -> None:
    write_clip(tmp_path / "real.mp4", moving_portrait(12))
    write_clip(tmp_path / "sound.mp4", moving_portrait(12), audio=True)
    swapped = [np.ascontiguousarray(frame[:, ::-1]) for frame in moving_portrait(12)]
    write_clip(tmp_path / "swap.mp4", swapped)
    rows = [("real", "REAL"), ("sound", "FAKE"), ("swap", "FAKE")]
    table = pd.DataFrame(
        [
            {"path": str(tmp_path / f"{name}.mp4"), "label": label, "kind": "video"}
            for name, label in rows
        ]
    ).assign(identity="dfdc/real", status="ok")
    marked = hygiene.mark_audio_only(table)["status"].tolist()
    assert marked == ["ok", "only the sound is altered", "ok"]


def test_weights_make_labels_and_methods_equally_likely() -> None:
    labels = ["REAL"] + ["FAKE"] * 5
    methods = ["original", *["swap"] * 4, "reenactment"]
    table = pd.DataFrame({"label": labels, "method": methods, "split": "train", "path": "x"})
    weights = hygiene.with_weights(table).groupby(["label", "method"])["weight"].sum()
    assert weights["REAL", "original"] == pytest.approx(0.5)
    assert weights["FAKE", "swap"] == pytest.approx(weights["FAKE", "reenactment"])


def test_real_videos_are_altered_until_there_are_as_many_as_fakes(tmp_path: Path) -> None:
    write_clip(tmp_path / "real.mp4", moving_portrait(6))
    rows = [("real", "REAL", "anna"), *((f"fake{k}", "FAKE", "otto") for k in range(3))]
    table = pd.DataFrame(
        [
            {"path": str(tmp_path / f"{name}.mp4"), "label": label, "identity": identity}
            for name, label, identity in rows
        ]
    ).assign(kind="video", split="train", method="")
    table.to_parquet(tmp_path / "t.parquet")
    hygiene.main(["augment", "--table", str(tmp_path / "t.parquet"), "--out", str(tmp_path / "o")])
    after = pd.read_parquet(tmp_path / "t.parquet")
    real = after[after["label"] == "REAL"]
    assert len(real) == 3
    assert set(real["identity"]) == {"anna"}
    pictures = [hygiene.some_frames(Path(path))[0] for path in real["path"]]
    assert pictures[0].shape == pictures[1].shape
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 2


def test_a_table_that_was_not_measured_cannot_be_cleaned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pd.DataFrame({"path": ["a"]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(SystemExit):
        hygiene.main(["clean", "--table", str(tmp_path / "t.parquet")])
    assert "measure" in capsys.readouterr().err
