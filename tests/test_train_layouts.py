"""Public data sets are read as their authors lay them out; the trees here are empty files."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from detector.faces.mtcnn import FaceFinder
from tests.clips import moving_portrait
from train.hygiene import measure_row
from train.index import assign_splits, main, read_source
from train.prepare import PrepareConfig, prepare_row
from train.verbs import DataError


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


def test_deeperforensics_has_person_actor_and_split(tmp_path: Path) -> None:
    folder = tree(
        tmp_path, "manipulated_videos/end_to_end/000_M101.mp4", "source_videos/M101/a/b/c.mp4"
    )
    (folder / "lists").mkdir()
    (folder / "lists" / "train.txt").write_text("000_M101.mp4\n")
    table = assign_splits(read_source(folder, "video"))
    rows = by_name(table)
    assert rows["000_M101.mp4"]["split"] == rows["c.mp4"]["split"] == "train"
    assert rows["c.mp4"]["label"] == "REAL"


def sides(table: pd.DataFrame) -> dict[str, set[str]]:
    """The splits in which each person is."""
    met: dict[str, set[str]] = {}
    for _, row in table.iterrows():
        for name in filter(None, (row["identity"], row["target"])):
            met.setdefault(name, set()).add(row["split"])
    return met


def test_masks_of_faceforensics_are_no_videos(tmp_path: Path) -> None:
    folder = tree(
        tmp_path,
        "manipulated_sequences/FaceSwap/c23/videos/071_054.mp4",
        "manipulated_sequences/FaceSwap/masks/videos/071_054.mp4",
        "manipulated_sequences/FaceSwap/c23/masks/071_054/000.png",
        "manipulated_sequences/FaceSwap/c23/frames/071_054/000.png",
    )
    assert read_source(folder, "video")["compression"].tolist() == ["c23"]


@pytest.mark.parametrize(
    "names",
    [
        ("Celeb-real/videos/id0_0000.mp4", "Celeb-synthesis/videos/id0_id1_0000.mp4"),
        ("Celeb-real/frames/id0_0000/000.png", "Celeb-synthesis/frames/id0_id1_0000/000.png"),
        ("Celeb-real/id0_0000.mp4", "Celeb-synthesis/FaceSwap/SimSwap/id0_id1_0000.mp4"),
    ],
)
def test_celeb_df_is_read_as_others_store_it(tmp_path: Path, names: tuple[str, ...]) -> None:
    folder = tree(tmp_path, *names, "Youtube-real/videos/00001.mp4")
    (folder / "List_of_testing_videos.txt").write_text("1 YouTube-real/00001.mp4\r\n")
    table = read_source(folder, "video")
    assert table["label"].tolist() == ["REAL", "FAKE", "REAL"]
    assert table["split"].tolist() == ["", "", "test"]
    assert table["identity"][0] == table["identity"][1] != table["target"][1]


def test_frames_are_pictures_where_pictures_are_requested(tmp_path: Path) -> None:
    folder = tree(
        tmp_path,
        "Celeb-real/videos/id0_0000.mp4",
        "Celeb-real/frames/id0_0000/000.png",
        "Celeb-real/frames/id0_0000/001.png",
    )
    table = read_source(folder, "crop")
    assert [Path(path).name for path in table["path"]] == ["000.png", "001.png"]
    assert set(table["identity"]) == {"celeb_df/id0"}


def test_people_of_a_flattened_data_set_stay_on_one_side(tmp_path: Path) -> None:
    real = [f"real/id{k}_000{n}.mp4" for k in range(20) for n in range(2)]
    fake = [f"fake/id{k}_id{k + 1}_0000.mp4" for k in range(0, 20, 2)]
    table = assign_splits(read_source(tree(tmp_path, *real, *fake), "video"))
    assert table["split"].nunique() > 1
    assert all(len(splits) == 1 for splits in sides(table).values())


def test_a_name_in_many_folders_is_not_one_person(tmp_path: Path) -> None:
    names = [f"{label}/s{k}/take.mp4" for label in ("real", "fake") for k in range(30)]
    table = assign_splits(read_source(tree(tmp_path, *names), "video"))
    assert table["identity"].nunique() == 30
    assert table["split"].nunique() > 1


def test_sorted_folders_may_be_inside_splits(tmp_path: Path) -> None:
    names = ("train/real/a.mp4", "train/Fake/b.mp4", "valid/0_real/c.mp4", "test/1_fake/d.mp4")
    rows = by_name(read_source(tree(tmp_path, *names, "notes/e.mp4"), "video"))
    assert {name: row["split"] for name, row in rows.items()} == {
        **{"a.mp4": "train", "b.mp4": "train", "c.mp4": "val", "d.mp4": "test"}
    }
    assert [rows[name]["label"] for name in sorted(rows)] == ["REAL", "FAKE", "REAL", "FAKE"]


def test_frames_of_one_clip_are_one_person(tmp_path: Path) -> None:
    names = [f"real/v{k}/{n:03}.png" for k in range(20) for n in range(3)]
    table = read_source(tree(tmp_path, *names), "crop")
    assert len(table) == 60
    assert table["identity"].nunique() == 20
    assert len(read_source(tmp_path, "video")) == 20


def bench(folder: Path, content: object, *frames: str) -> pd.DataFrame:
    tree(folder, *frames)
    path = folder / "preprocessing" / "dataset_json" / "set.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return read_source(path, "video")


def entry(label: str, *frames: str) -> dict[str, object]:
    return {"label": label, "frames": list(frames)}


def test_deepfakebench_lists_keep_labels_splits_and_people(tmp_path: Path) -> None:
    real = "FaceForensics++/original_sequences/youtube/c23/frames/071/000.png"
    fake = "FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/071_054/000.png"
    content = {
        "FF-DF": {
            "FF-real": {"test": {"c23": {"071": entry("FF-real", "/away/datasets/" + real)}}},
            "FF-DF": {
                "test": {"c23": {"071_054": entry("FF-DF", fake.replace("/", "\\"))}},
                "val": {},
            },
        }
    }
    table = bench(tmp_path, content, real, fake)
    rows = by_name(table)
    assert rows["071"]["label"] == "REAL"
    assert (rows["071_054"]["label"], rows["071_054"]["method"]) == ("FAKE", "FF-DF")
    assert set(table["split"]) == {"test"}
    assert set(table["compression"]) == {"c23"}
    assert rows["071"]["identity"] == rows["071_054"]["identity"] == "faceforensics/071"


def test_deepfakebench_names_tested_videos_in_train_too(tmp_path: Path) -> None:
    names = ("id0_0000", "id0_0001", "id1_0000")
    frames = {name: f"Celeb-DF-v2/Celeb-real/frames/{name}/000.png" for name in names}
    every = {name: entry("CelebDFv2_real", path) for name, path in frames.items()}
    one = {"id0_0000": every["id0_0000"]}
    content = {"Celeb-DF-v2": {"CelebDFv2_real": {"train": every, "val": one, "test": one}}}
    rows = by_name(bench(tmp_path, content, *frames.values()))
    assert {name: row["split"] for name, row in rows.items()} == {
        **{"id0_0000": "test", "id1_0000": "train"}
    }


def test_a_data_set_that_deepfakebench_puts_in_every_split_is_in_none(tmp_path: Path) -> None:
    frames = "UADFV/real/frames/0000/000.png"
    every = {"0000": entry("UADFV_Real", frames)}
    content = {"UADFV": {"UADFV_Real": dict.fromkeys(("train", "val", "test"), every)}}
    assert bench(tmp_path, content, frames)["split"].tolist() == [""]


def test_a_list_of_deepfakebench_that_fits_nowhere_is_refused(tmp_path: Path) -> None:
    lost = {"S": {"S_Real": {"train": {"a": entry("S_Real", "S/frames/a/0.png")}}}}
    with pytest.raises(ValueError, match="not found"):
        bench(tmp_path, lost)
    for content in ([], {"a": 1}, {"S": {"S_Real": {"train": {}}}}):
        with pytest.raises(ValueError, match="no entry has the key 'frames'"):
            bench(tmp_path, content)
    odd = {"S": {"S_X": {"train": {"a": entry("S_X", "S/frames/a/0.png")}}}}
    with pytest.raises(ValueError, match="neither real nor fake"):
        bench(tmp_path, odd, "S/frames/a/0.png")


def test_df40_shares_its_people_with_the_sets_it_was_made_of(tmp_path: Path) -> None:
    folder = tree(
        tmp_path,
        "simswap/ff/frames/001_870/000.png",
        "simswap/cdf/frames/id0_id1_0000/000.png",
        "heygen/fake/frames/x/000.png",
        "heygen/real/frames/x/000.png",
        "MidJourney/fake/a.png",
        "StyleGAN2/ff/003/seed0188.png",
    )
    rows = by_name(read_source(folder, "video").iloc[::-1])
    assert (rows["001_870"]["identity"], rows["001_870"]["target"]) == (
        "faceforensics/001",
        "faceforensics/870",
    )
    assert rows["id0_id1_0000"]["identity"] == "celeb_df/id0"
    table = read_source(folder, "video")
    assert len(table) == 5
    talking = table[table["path"].str.endswith("/x")]
    assert sorted(talking["label"]) == ["FAKE", "REAL"]
    assert talking["identity"].nunique() == 1
    assert len(read_source(folder, "still")) == 6


def test_fakeavceleb_labels_the_picture_and_names_the_source_of_the_face(tmp_path: Path) -> None:
    fake = "FakeVideo-FakeAudio/African/men/id00076/00109_10_id00476_wavtolip.mp4"
    folder = tree(
        tmp_path,
        "RealVideo-RealAudio/African/men/id00076/00109.mp4",
        "RealVideo-FakeAudio/African/men/id00076/00109_fake.mp4",
        fake,
    )
    where = f"FakeAVCeleb/{Path(fake).parent}"
    (folder / "meta_data.csv").write_text(
        "source,target1,target2,method,category,type,race,gender,path,\n"
        f"id00076,id00476,10,wav2lip,D,FakeVideo-FakeAudio,African,men,{Path(fake).name},{where}\n"
    )
    rows = by_name(read_source(folder, "video"))
    assert [rows[name]["label"] for name in ("00109.mp4", "00109_fake.mp4")] == ["REAL", "REAL"]
    swapped = rows[Path(fake).name]
    assert (swapped["label"], swapped["method"]) == ("FAKE", "wav2lip")
    assert (swapped["identity"], swapped["target"]) == (
        "fakeavceleb/id00076",
        "fakeavceleb/id00476",
    )


def test_wilddeepfake_is_folders_of_frames_with_a_test_part(tmp_path: Path) -> None:
    folder = tree(
        tmp_path,
        "fake_train/1/fake/0/7.png",
        "fake_train/1/fake/1/7.png",
        "real_test/3/real/0/1.png",
    )
    table = read_source(folder, "video")
    assert table["label"].tolist() == ["FAKE", "FAKE", "REAL"]
    assert table["split"].tolist() == ["train", "train", "test"]
    assert table["identity"].nunique() == 2
    tree(tmp_path, "fake_test/4.tar.gz")
    with pytest.raises(ValueError, match="still packed"):
        read_source(folder, "video")


def test_deepfake_eval_takes_the_label_of_the_picture(tmp_path: Path) -> None:
    folder = tree(tmp_path, "video-data/a.mp4", "video-data/b.mp4", "video-data/c.mp4")
    (folder / "video-metadata-publish.csv").write_text(
        "Filename,Date,Video Ground Truth,Audio Ground Truth,Public Comments,Finetuning Set\n"
        'a.mp4,2024-11-14,Fake,Unknown,"trump, lips",train\nb.mp4,2024-11-14,Real,Fake,,test\n'
        "c.mp4,2024-11-14,Unknown,Fake,,test\ngone.mp4,2024-11-14,Real,Real,,test\n"
    )
    rows = by_name(read_source(folder, "video"))
    assert {name: (row["label"], row["split"]) for name, row in rows.items()} == {
        **{"a.mp4": ("FAKE", "train"), "b.mp4": ("REAL", "test")}
    }
    tree(tmp_path, "image-data/d.jpg")
    (folder / "image-metadata-publish.csv").write_text("Filename,Ground Truth\nd.jpg,Real\n")
    assert list(by_name(read_source(folder, "still"))) == ["d.jpg"]


def test_a_folder_of_frames_is_prepared_as_the_video_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "real" / "talk"
    folder.mkdir(parents=True)
    for k, image in enumerate(moving_portrait(12)):
        cv2.imwrite(str(folder / f"{k}.png"), np.ascontiguousarray(image[:, :, ::-1]))
    row = read_source(tmp_path, "video").iloc[0].to_dict()
    finder = FaceFinder()
    faces = prepare_row(row, finder, PrepareConfig(frames=3, pick="consecutive"))
    assert [round(face.second * 25) for face in faces] == [4, 5, 6]
    measured = measure_row(row, finder)
    assert (measured["frames"], measured["status"]) == (12, "ok")


def test_an_unknown_folder_is_reported_with_the_known_layouts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree(tmp_path, "clips/a.mp4")
    assert main(["--videos", str(tmp_path), "--out", str(tmp_path / "t.parquet")]) == 2
    assert "real/ and fake/" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("metadata.json", "[" * 100_000, "is not JSON"),
        (
            "metadata.json",
            '[{"file": "a.mp4", "label": "REAL"}, {"label": "FAKE"}]',
            "without a file",
        ),
        ("metadata.json", '{"a.mp4": {"label": "REAL", "split": "1"}, "b.mp4": "FAKE"}', "splits"),
        ("labels.csv", "file,label,label\na.mp4,REAL,FAKE\nb.mp4,FAKE,FAKE\n", "twice"),
    ],
)
def test_a_list_that_cannot_be_right_is_refused_in_one_sentence(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    for video in ("a.mp4", "b.mp4"):
        (tmp_path / video).touch()
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=reason):
        read_source(tmp_path if name == "metadata.json" else tmp_path / name, "video")


def test_metadata_may_divide_its_files_and_list_several_originals(tmp_path: Path) -> None:
    for video in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / video).touch()
    entries = {
        "a.mp4": {"label": "REAL", "split": "training"},
        "b.mp4": {"label": "FAKE", "split": "training", "original": ["a.mp4", "c.mp4"]},
        "c.mp4": {"label": "REAL", "split": "validation"},
    }
    (tmp_path / "metadata.json").write_text(json.dumps(entries))
    table = read_source(tmp_path, "video").sort_values("path")
    assert list(table["split"]) == ["train", "train", "val"]
    assert table["identity"].iloc[0] == table["identity"].iloc[1]


def test_real_pictures_beside_the_methods_of_df40_are_real(tmp_path: Path) -> None:
    for place in ("simswap/ff/000_003", "real/000"):
        (tmp_path / "DF40" / place).mkdir(parents=True)
        (tmp_path / "DF40" / place / "1.png").touch()
    table = read_source(tmp_path / "DF40", "video")
    assert sorted(zip(table["label"], table["method"], strict=True)) == [
        ("FAKE", "simswap"),
        ("REAL", "original"),
    ]


def test_a_split_file_of_faceforensics_that_is_none_is_refused(tmp_path: Path) -> None:
    video = tmp_path / "original_sequences/youtube/c23/videos/000.mp4"
    video.parent.mkdir(parents=True)
    video.touch()
    (tmp_path / "train.json").write_text('{"a": 1}')
    with pytest.raises(DataError, match="list of pairs"):
        read_source(tmp_path, "video")
