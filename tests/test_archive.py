"""An archive on Ray: one row per video, though workers die, files are poisoned or it is killed."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="an archive needs Ray: pip install -r requirements-scale.txt")

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from detector.archive.cluster import Pools, WorkerSetup, analyse_all, ray_running
from detector.archive.command import main
from detector.archive.sources import Entry, list_videos
from detector.archive.store import SCHEMA, Store, record_of
from detector.archive.worker import Job, Worker, local_copy
from detector.errors import VideoError
from detector.records import Status
from detector.render.batch import batch_csv
from detector.render.rows import row_of
from detector.sandbox.reader import reader
from detector.settings import Settings
from tests import reports
from tests.clips import moving_portrait, plain, write_clip
from tests.signing import identity, sign

ABOUT = {"model": "tiny", "settings": {"frames": 8}}


def entry(number: int, **changes: object) -> Entry:
    found = Entry(f"/videos/{number:03d}.mp4", 1000 + number, "2026-01-01T00:00:00+00:00")
    return replace(found, **changes)  # type: ignore[arg-type]


def record(number: int, status: Status = Status.EMPTY) -> dict[str, object]:
    name = f"{number:03d}.mp4"
    return record_of(row_of(VideoError(f"{name} is empty.", status), name), entry(number))


def rows(out: Path) -> list[dict[str, object]]:
    """What any reader of Parquet finds, without our code."""
    found = pads.dataset(out / "rows", partitioning="hive").to_table().to_pylist()
    return sorted(found, key=lambda row: str(row["uri"]))


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def names(*sources: str | Path, column: str = "path") -> list[str]:
    return [video.name for video in list_videos(map(str, sources), column=column)]


def test_a_folder_lists_its_videos_and_no_hidden_files(tmp_path: Path) -> None:
    touch(tmp_path, "b.mp4", "a/c.MOV", "notes.txt", "._b.mp4", ".cache/d.mp4")
    assert names(tmp_path) == ["c.MOV", "b.mp4"]


def test_lists_tables_and_uris_name_the_same_videos(tmp_path: Path) -> None:
    touch(tmp_path, "deep/a b%.mp4", "c#1.mp4")
    (tmp_path / "list.txt").write_text("deep/a b%.mp4\n\nc#1.mp4\n")
    paths = [str(tmp_path / "deep/a b%.mp4"), str(tmp_path / "c#1.mp4")]
    pq.write_table(pa.table({"where": paths}), tmp_path / "table.parquet")
    wanted = {"a b%.mp4", "c#1.mp4"}
    assert set(names(tmp_path / "list.txt")) == wanted
    assert set(names(tmp_path / "table.parquet", column="where")) == wanted
    by_uri = list(list_videos([tmp_path.as_uri()]))
    assert {video.name for video in by_uri} == wanted
    for video in by_uri:
        with local_copy(video) as path:
            assert (path.name, path.read_bytes()) == (video.name, b"x")


def test_a_video_named_twice_is_one_video(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    assert names(tmp_path, tmp_path / "a.mp4") == ["a.mp4"]


@pytest.mark.parametrize("source", ["not/there", "nowhere://a/b"])
def test_a_source_that_is_not_there_is_named(source: str) -> None:
    with pytest.raises(ValueError, match=source):
        list(list_videos([source]))


def test_a_missing_column_is_reported_with_those_present(tmp_path: Path) -> None:
    pq.write_table(pa.table({"file": ["a.mp4"]}), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="no column path; it has file"):
        names(tmp_path / "t.parquet")


def test_a_row_is_the_same_in_a_batch_and_in_an_archive() -> None:
    answers = [("a.mp4", reports.two_people()), ("b.mp4", VideoError("b.mp4 is empty."))]
    heads, *table = csv.reader(io.StringIO(batch_csv(answers)))
    for cells, (name, answer) in zip(table, answers, strict=True):
        kept = pa.Table.from_pylist([record_of(row_of(answer, name), entry(1))], SCHEMA)
        plain = {head: kept.to_pylist()[0][head] for head in heads}
        assert cells == ["" if value is None else str(value) for value in plain.values()]
    assert [*heads, "uri", "bytes", "modified"] == SCHEMA.names


def test_only_scored_videos_have_a_probability() -> None:
    row = row_of(reports.no_face(), "hills.mp4")
    assert (row.status, row.p_fake, row.p_low, row.band) == ("no_face", None, None, None)
    assert row_of(reports.two_people(), "a.mp4").p_fake is not None


def test_a_killed_run_keeps_every_finished_row(tmp_path: Path) -> None:
    """It is killed by leaving it: nothing is flushed, and its last line is cut short."""
    store = Store.open(str(tmp_path), ABOUT)
    for number in range(3):
        store.add(record(number))
    (journal,) = tmp_path.glob("journal-*")
    journal.write_text(journal.read_text() + '{"file": "003.mp')
    assert not list(tmp_path.rglob("*.parquet"))
    again = Store.open(str(tmp_path), ABOUT)
    assert again.finished == {entry(0), entry(1), entry(2)}
    assert len(rows(tmp_path)) == 3
    assert not list(tmp_path.glob("journal-*"))


def test_a_run_killed_while_writing_parquet_duplicates_no_row(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path), ABOUT)
    store.add(record(0))
    (journal,) = tmp_path.glob("journal-*")
    lines = journal.read_text()
    store.flush()
    journal.write_text(lines)  # it was killed before the journal was deleted
    Store.open(str(tmp_path), ABOUT)
    assert len(rows(tmp_path)) == 1


def test_rows_made_in_another_way_are_not_mixed(tmp_path: Path) -> None:
    Store.open(str(tmp_path), ABOUT)
    with pytest.raises(ValueError, match="another settings"):
        Store.open(str(tmp_path), ABOUT | {"settings": {"frames": 100}})


def test_rows_are_partitioned_by_verdict(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path), ABOUT)
    store.add(record(0))
    store.add(record_of(row_of(reports.two_people(), "fake.mp4"), entry(1)))
    store.flush()
    folders = sorted(path.name for path in (tmp_path / "rows").iterdir())
    assert folders == ["verdict=fake", "verdict=none"]
    assert [row["verdict"] for row in rows(tmp_path)] == ["none", "fake"]


def test_failed_files_can_be_retried(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path), ABOUT)
    store.add(record(0))
    store.add(record(1, Status.UNSAFE))
    store.flush()
    store.remove(Status.UNSAFE)
    assert store.finished == {entry(0)}
    assert [row["uri"] for row in rows(tmp_path)] == [entry(0).uri]


def test_a_changed_file_is_another_entry() -> None:
    assert entry(0) != entry(0, modified="2026-01-02T00:00:00+00:00")


@pytest.fixture(scope="module")
def job(weights: Path) -> Job:
    sha256 = json.loads((weights / "tiny.json").read_text())["sha256"]
    return Job(Settings(frames=8, heat=False), str(weights / "tiny.safetensors"), sha256)


def test_duplicate_content_is_not_analysed_again(
    job: Job, talking: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also under another name: the hash of its bytes decides."""
    worker = Worker(job, SCHEMA.empty_table(), "cpu")
    first = worker.answer(Entry(str(talking), 1, None))
    assert first["status"] == "ok"
    worker.known = pa.Table.from_pylist([first], SCHEMA)
    monkeypatch.setattr(worker.detector, "analyze", lambda *_: pytest.fail("analysed again"))
    moved = Entry(str(shutil.copy(talking, tmp_path / "moved.mp4")), 2, "now")
    again = worker.answer(moved)
    assert again == first | {"file": "moved.mp4"} | asdict(moved)


def test_a_missing_file_is_a_row_of_its_own(job: Job) -> None:
    worker = Worker(job, SCHEMA.empty_table(), "cpu")
    for uri in ("/not/there.mp4", "file:///not/there.mp4"):
        row = worker.answer(Entry(uri, None, None))
        assert (row["verdict"], row["p_fake"]) == (None, None)
        assert "there.mp4" in str(row["headline"])


def test_an_archive_without_gpu_workers_refuses_to_decode_on_a_gpu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--out", str(tmp_path / "out"), "--decode-on-gpu"])
    assert "needs workers with a GPU" in capsys.readouterr().err


def test_workers_with_a_gpu_come_first_and_the_rest_have_none() -> None:
    demand = Pools(cpu_workers=2, gpu_workers=1, gpus_per_worker=0.5).demands()
    assert [demand()["num_gpus"] for _ in range(4)] == [0.5, 0, 0, 0.5]


# From here on with Ray itself, on drawn clips.


class Fragile(Worker):
    """Ends its process at a file named poison, always; at one named once, the first time.

    It loads no network: the handling of a video does not depend on its score.
    """

    def __init__(self, job: Job, known: pa.Table, device: str) -> None:
        self.job, self.known, self.device = job, known, device

    def answer(self, video: Entry) -> dict[str, object]:
        marker = Path(video.uri).with_suffix(".seen")
        if video.name == "poison.mp4" or (video.name == "once.mp4" and not marker.exists()):
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if video.name == "broken.mp4":
            raise ZeroDivisionError("a mistake of ours")
        answer = VideoError(f"{self.device} {os.getpid()}", Status.NO_FACE)
        return record_of(row_of(answer, video.name), video)


class Notary(Worker):
    """Its rows say whether a file's signer is trusted; it loads no network."""

    def __init__(self, job: Job, known: pa.Table, device: str) -> None:
        self.job, self.known, self.device = job, known, device

    def answer(self, video: Entry) -> dict[str, object]:
        origin = reader(lambda: None, isolate=True).read_origin(Path(video.uri))
        return record_of(row_of(VideoError(origin.credentials.value), video.name), video)


@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process be confined")
def test_the_operators_authorities_reach_every_worker(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named relative to the folder in which the command is started."""
    clip = write_clip(tmp_path / "clip.mp4", plain(12))
    (tmp_path / "in").mkdir()
    for file, name in (("known.mp4", "Newsroom"), ("stranger.mp4", "Another")):
        sign(clip, tmp_path / "in" / file, name=name)
    (tmp_path / "anchors.pem").write_text(identity("Newsroom").authority)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEEPFAKE_TRUST_ANCHORS", "anchors.pem")
    store = Store.open(str(tmp_path / "out"), ABOUT)
    with ray_running(None, cpus=2):
        setup = WorkerSetup(job, Pools(cpu_workers=1), Notary)
        made = list(analyse_all(list(list_videos(["in"])), store, setup))
    assert {row["file"]: row["headline"] for row in made} == {
        "known.mp4": "trusted",
        "stranger.mp4": "valid",
    }


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with ray_running(None, cpus=3):
        yield


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("cluster")
def test_crashed_workers_and_crashing_files_affect_no_other_video(job: Job, tmp_path: Path) -> None:
    special = ["poison.mp4", "once.mp4", "broken.mp4"]
    touch(tmp_path / "in", *special, *(f"{number:03d}.mp4" for number in range(197)))
    store = Store.open(str(tmp_path / "out"), ABOUT)
    entries = list(list_videos([str(tmp_path / "in")]))
    setup = WorkerSetup(job, Pools(cpu_workers=2), Fragile)
    assert len(list(analyse_all(entries, store, setup))) == 200
    store.flush()
    found = {str(row["file"]): row for row in rows(tmp_path / "out")}
    assert len(found) == 200
    given_up = {name for name, row in found.items() if row["status"] == "unsafe"}
    assert given_up == {"poison.mp4", "broken.mp4"}
    assert "poison.mp4 crashed every worker" in str(found["poison.mp4"]["headline"])
    assert not list(analyse_all(entries, store, setup))


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("cluster")
def test_an_archive_stopped_in_the_middle_goes_on(job: Job, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, images in (("a", moving_portrait(20)), ("b", plain(20)), ("c", plain(12))):
        write_clip(folder / f"{name}.mp4", images)
    entries = list(list_videos([str(tmp_path / "in")]))
    setup = WorkerSetup(job, Pools(cpu_workers=1))
    stopped = analyse_all(entries, Store.open(str(tmp_path / "out"), ABOUT), setup)
    first = next(stopped)["uri"]  # whichever is ready first
    stopped.close()
    store = Store.open(str(tmp_path / "out"), ABOUT)
    later = [row["uri"] for row in analyse_all(entries, store, setup)]
    assert sorted([first, *later]) == [entry.uri for entry in entries]
    store.flush()
    found = rows(tmp_path / "out")
    assert [row["status"] for row in found] == ["ok", "no_face", "no_face"]
    assert all(row["model"] == "tiny" and row["sha256"] for row in found)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every file name is Unicode")
def test_a_name_that_is_not_utf8_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One such file in a folder or a list must not keep the others from being scored."""
    odd = os.fsencode(tmp_path) + b"/a\xff.mp4"
    for path in (odd, os.fsencode(tmp_path) + b"/b.mp4"):
        Path(os.fsdecode(path)).touch()
    (tmp_path / "list.txt").write_bytes(odd + b"\nb.mp4\n")
    for source in (tmp_path, tmp_path / "list.txt"):
        caplog.clear()
        assert [entry.name for entry in list_videos([str(source)])] == ["b.mp4"]
        assert "a\N{REPLACEMENT CHARACTER}.mp4 is left out: its name is not UTF-8" in caplog.text
