"""Files are read by a process that can do nothing else, and whose crash affects nothing else."""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from detector import Detector
from detector.errors import CancelledError, VideoError
from detector.records import Frame, Report, Status
from detector.render.movie import annotate_video
from detector.sandbox import protocol
from detector.sandbox.job import Job
from detector.sandbox.limits import Bounds
from detector.sandbox.reader import IsolatedReader, Reader, protections, reader
from detector.sandbox.server import channel, server
from detector.settings import Settings
from detector.ui.api import Endpoints
from detector.video import DecodeNotes, Limits, VideoWriter, decode, reading, sound
from detector.video.sampling import SamplingRange
from tests.bench.scene import repeated
from tests.clips import barcode, plain, write_clip

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines processes")

ROOT = Path(__file__).parent.parent
ISOLATED = IsolatedReader()
SOON = 20.0  # seconds; a busy machine takes its time


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return write_clip(path, plain(200, (640, 360)), options={"preset": "ultrafast"}, audio=True)


def children(pid: int) -> list[int]:
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def readers() -> list[int]:
    """The decoding processes that are at work for us."""
    return children(server().process.pid)


def soon(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + SOON
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(condition())


def gone(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def bounded(**changes: float) -> IsolatedReader:
    return IsolatedReader(bounds=lambda _: Bounds(**changes))  # type: ignore[arg-type]


# The same answers


def clips_of(way: Reader, path: Path, notes: DecodeNotes | None = None) -> list[list[Frame]]:
    with way.opened(path) as file:
        return list(file.clips([SamplingRange(10)], notes or DecodeNotes()))


def drawn(folder: Path, kind: str) -> Path:
    path = folder / f"clip{kind}"
    images = [barcode(number) for number in range(30)]
    if kind in (".gif", ".webp", ".png", ".jpg"):
        first, *rest = (Pillow.fromarray(image) for image in images)
        many = {"save_all": True, "append_images": rest} if kind in (".gif", ".webp") else {}
        first.save(path, **many)
        return path
    codec = {".webm": "libvpx", ".avi": "mpeg4"}.get(kind, "libx264")
    return write_clip(path, images, codec=codec, audio=kind in (".mp4", ".mkv"))


@pytest.mark.parametrize(
    "kind", [".mp4", ".mkv", ".webm", ".avi", ".ts", ".gif", ".webp", ".png", ".jpg"]
)
def test_a_confined_process_reads_what_this_one_would(tmp_path: Path, kind: str) -> None:
    path = drawn(tmp_path, kind)
    info = ISOLATED.probe(path)
    assert info == reading.probe(path)
    ours, theirs = (clips_of(way, path) for way in (reading, ISOLATED))
    assert [[frame.second for frame in clip] for clip in ours] == [
        [frame.second for frame in clip] for clip in reading.read_clips(path, 10)
    ]
    assert [len(clip) for clip in theirs] == [len(clip) for clip in ours]
    ours += [list(reading.read_all(path, start=0.2))]
    theirs += [list(ISOLATED.read_all(path, start=0.2))]
    for a, b in zip(chain(*ours), chain(*theirs), strict=True):
        assert a.second == b.second
        np.testing.assert_array_equal(a.image, b.image)
    sounds = [[block.samples for block in way.read_sound(path)] for way in (reading, ISOLATED)]
    assert len(sounds[0]) == len(sounds[1])
    assert all((a == b).all() for a, b in zip(*sounds, strict=True))
    assert bool(sounds[0]) == info.has_audio


@pytest.mark.parametrize(
    "content", [b"", b"hello, world" * 50, b"\0\0\0\x18ftypmp42" + b"\0" * 500, b"#EXTM3U\nx.ts"]
)
def test_a_confined_process_refuses_what_this_one_would(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    reads: tuple[Callable[[Reader], object], ...] = (
        lambda way: way.probe(path),
        lambda way: list(way.read_all(path)),
        lambda way: clips_of(way, path),
    )
    for read in reads:
        raised_errors = []
        for way in (reading, ISOLATED):
            with pytest.raises(VideoError) as error:
                read(way)
            raised_errors.append((error.value.status, str(error.value)))
        assert raised_errors[0] == raised_errors[1]


def test_damage_is_noted_across_the_border(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "whole.mp4", 320, 240, 25.0) as writer:
        for number, image in enumerate(plain(100)):
            writer.write(image, number / 25)
    path = tmp_path / "cut.mp4"
    path.write_bytes(writer.path.read_bytes()[:-2000])
    notes = DecodeNotes()
    clips_of(ISOLATED, path, notes)
    assert notes.damaged


# A process that crashes, hangs or needs too much


@pytest.mark.parametrize("blow", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_while_decoding_is_an_error_and_the_next_file_is_read(
    long: Path, blow: signal.Signals
) -> None:
    frames = ISOLATED.read_all(long)
    next(frames)
    (pid,) = readers()
    os.kill(pid, blow)
    with pytest.raises(VideoError, match="could not be read safely") as error:
        list(frames)
    assert error.value.status is Status.UNSAFE
    assert ISOLATED.probe(long).frames == 200


def test_a_process_that_hangs_is_ended_and_the_next_file_is_read(long: Path) -> None:
    frames = bounded(wall_seconds=4.0).read_all(long)
    next(frames)
    (pid,) = readers()
    os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(VideoError, match="too long") as error:
        list(frames)
    assert time.monotonic() - start < SOON
    assert error.value.status is Status.UNSAFE
    assert soon(lambda: gone(pid))
    assert ISOLATED.probe(long).frames == 200


def test_a_file_that_takes_too_much_processor_time_is_stopped(tmp_path: Path) -> None:
    size, fast = (1920, 1080), {"preset": "ultrafast"}
    short = write_clip(tmp_path / "short.mp4", plain(20, size), options=fast)
    path = repeated(short, tmp_path / "heavy.mp4", 60)
    with pytest.raises(VideoError, match="processor time") as error:
        assert sum(1 for _ in bounded(cpu_seconds=1).read_all(path)) < 1200
    assert error.value.status is Status.UNSAFE


def test_a_file_that_takes_too_much_memory_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Pillow.new("RGB", (5000, 5000)).save(path)
    assert path.stat().st_size < 400_000
    with pytest.raises(VideoError, match="memory") as error:
        bounded(memory=40 * 2**20).probe(path)
    assert error.value.status is Status.UNSAFE
    assert ISOLATED.probe(path).width == 5000


def test_an_abandoned_reading_leaves_no_process_and_no_open_file(long: Path) -> None:
    ISOLATED.probe(long)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        frames = ISOLATED.read_all(long)
        next(frames)
        frames.close()
    assert soon(lambda: not readers())
    assert len(os.listdir("/proc/self/fd")) == before


def test_unfetched_frames_are_not_decoded_ahead(long: Path) -> None:
    """Otherwise a long video would fill the memory."""
    frames = ISOLATED.read_all(long)
    next(frames)
    (pid,) = readers()

    def spent() -> int:
        return sum(
            map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
        )

    def idle() -> bool:
        before = spent()
        time.sleep(0.3)
        return spent() == before

    assert soon(idle)
    assert not gone(pid)
    assert len(list(frames)) == 199


def test_cancelling_ends_even_an_unresponsive_process(detector: Detector, long: Path) -> None:
    stop = threading.Event()

    def on_progress(stage: str, done: int, total: int) -> None:
        for pid in readers():
            with suppress(ProcessLookupError):  # that of the test before may be ending
                os.kill(pid, signal.SIGSTOP)
                stop.set()

    start = time.monotonic()
    with pytest.raises(CancelledError):
        detector.analyze(
            long, Settings(frames=100), on_progress=on_progress, should_stop=stop.is_set
        )
    assert time.monotonic() - start < SOON
    assert soon(lambda: not readers())


# The server and its end


def test_a_crashed_server_is_replaced(long: Path) -> None:
    ISOLATED.probe(long)
    old = server().process.pid
    os.kill(old, signal.SIGKILL)
    assert ISOLATED.probe(long).frames == 200
    assert server().process.pid != old


def test_ctrl_c_in_the_terminal_does_not_reach_it(long: Path) -> None:
    ISOLATED.probe(long)
    pid = server().process.pid
    assert os.getsid(pid) != os.getsid(0)
    os.kill(pid, signal.SIGINT)
    assert ISOLATED.probe(long).frames == 200
    assert server().process.pid == pid


def test_many_threads_read_at_once(tmp_path: Path, long: Path) -> None:
    counts: dict[int, int] = {}
    paths = [write_clip(tmp_path / f"{k}.mp4", plain(10 + k)) for k in range(6)]

    def count(k: int) -> None:
        counts[k] = sum(1 for _ in ISOLATED.read_all(paths[k]))

    threads = [threading.Thread(target=count, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == {k: 10 + k for k in range(6)}


READS = """
import os, sys, time
from pathlib import Path
from detector.sandbox.reader import IsolatedReader
from detector.sandbox.server import channel, server
from tests.bench.scene import repeated
frames = IsolatedReader().read_all(Path(sys.argv[1]))
next(frames)
pid = server().process.pid
print(pid, Path(f"/proc/{pid}/task/{pid}/children").read_text(), flush=True)
"""


@pytest.mark.parametrize("end", ["time.sleep(60)", "sys.exit(3)", "raise KeyboardInterrupt"])
def test_nothing_outlives_the_program(long: Path, end: str) -> None:
    """However it ends: killed in the middle of a clip, by itself, or by an error."""
    parent = subprocess.Popen(
        [sys.executable, "-c", READS + end, str(long)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    if "sleep" in end:
        parent.kill()
    parent.wait(20)
    assert soon(lambda: all(gone(pid) for pid in pids))


def test_killing_the_server_ends_its_children(long: Path) -> None:
    frames = ISOLATED.read_all(long)
    next(frames)
    (pid,) = readers()
    os.kill(server().process.pid, signal.SIGKILL)
    assert soon(lambda: gone(pid))
    with pytest.raises(VideoError):
        list(frames)


# What a process that was taken over could do


FILTERED = "no programs, no other processes, no change to files"
CONFINED = """
import json, os, socket, sys, threading
from pathlib import Path
from detector.sandbox.limits import Bounds, confine, leave_network
mine, other, folder, port = sys.argv[1:]
in_force = confine(Bounds(), Path(mine), offline=leave_network())
def tried(deed):
    try:
        deed()
    except OSError:
        return False
    return True
print(json.dumps({
    "in force": in_force,
    "reads the file": tried(lambda: open(mine).read()),
    "reads another": tried(lambda: open(other).read()),
    "lists a folder": tried(lambda: os.listdir(folder)),
    "writes the file": tried(lambda: open(mine, "a")),
    "makes a file": tried(lambda: open(folder + "/new", "w").write("x")),
    "deletes a file": tried(lambda: os.unlink(other)),
    "starts a program": tried(lambda: os.posix_spawn("/bin/true", ["true"], {})),
    "connects": tried(lambda: socket.create_connection(("127.0.0.1", int(port)), 2)),
    "signals its parent": tried(lambda: os.kill(os.getppid(), 0)),
    "forks": tried(lambda: os.fork() or os._exit(0)),
    "opens a socket": tried(lambda: socket.socket(socket.AF_UNIX)),
    "begins a thread": tried(lambda: threading.Thread(target=int).start()),
}))
"""


@pytest.fixture(scope="module")
def deeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("confined")
    mine, other = folder / "mine", folder / "other"
    for path in (mine, other):
        path.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-c", CONFINED, str(mine), str(other), str(folder), str(port)],
            cwd=ROOT,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # only a lone thread can be confined
            capture_output=True,
            text=True,
            check=True,
        )
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_a_confined_process_reads_its_file_and_makes_none(deeds: dict[str, object]) -> None:
    assert deeds["reads the file"]
    assert deeds["begins a thread"]
    assert not deeds["makes a file"]


@pytest.mark.parametrize(
    ("limit", "deeds_kept_from"),
    [
        ("no other file can be read", ("reads another", "lists a folder", "writes the file")),
        ("no other file can be read", ("deletes a file", "starts a program")),
        ("no network", ("connects",)),
        (FILTERED, ("starts a program", "forks", "signals its parent", "opens a socket")),
        (FILTERED, ("deletes a file",)),
    ],
)
def test_every_reported_limit_is_in_force(
    deeds: dict[str, object], limit: str, deeds_kept_from: tuple[str, ...]
) -> None:
    if limit not in deeds["in force"]:  # type: ignore[operator]
        pytest.skip(f"this kernel does not allow: {limit}")
    assert not any(deeds[deed] for deed in deeds_kept_from)


def test_the_service_reports_what_confines_it(detector: Detector) -> None:
    reported = Endpoints({"tiny": detector}, Limits()).model_info()["models"][0]["decoding"]
    assert reported == protections()
    assert "no new files" in reported


def test_secrets_of_the_service_are_not_in_its_environment(
    monkeypatch: pytest.MonkeyPatch, long: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    server().close()
    ISOLATED.probe(long)
    assert b"hf_secret" not in Path(f"/proc/{server().process.pid}/environ").read_bytes()


@pytest.fixture
def connected() -> Iterator[tuple[Job, Connection]]:
    """A reading, and the end of its connection at which a taken-over process would sit."""
    ours, theirs = channel(timeout=0.5)
    arena = mmap.mmap(-1, 3 * 64 * 64)
    job = Job(ours, arena, "clip.mp4", lambda: None, 1.0)
    with job.connection, Connection(theirs.detach()) as theirs_end:
        yield job, theirs_end


FRAME = {"clip": 0, "last": True, "second": 0.0, "size": [8, 8]}
FORGED = {
    "no JSON": b"\x80\x04pickle",
    "no object": b"[1]",
    "nothing known": b"{}",
    "too long": b"x" * 70_000,
    "deep": b"[" * 60_000,
    **{
        name: json.dumps(FRAME | change).encode()
        for name, change in {
            "huge": {"size": [10**6, 10**6]},
            "negative": {"size": [-8, -8]},
            "empty": {"size": [0, 8]},
            "text as size": {"size": ["8", 8]},
            "no time": {"second": None},
            "not a number": {"second": float("nan")},
            "negative time": {"second": -1},
            "text as clip": {"clip": "0"},
        }.items()
    },
    "unknown status": b'{"error": "x", "status": "fine"}',
}


@pytest.mark.parametrize("forged", FORGED)
def test_nonsense_from_the_process_makes_the_file_unsafe(
    connected: tuple[Job, Connection], forged: str
) -> None:
    job, process = connected
    process.send_bytes(FORGED[forged])
    with pytest.raises(VideoError) as error:
        list(job.frames(DecodeNotes()))
    assert error.value.status is Status.UNSAFE


def test_a_message_that_never_ends_is_not_waited_for(connected: tuple[Job, Connection]) -> None:
    job, process = connected
    os.write(process.fileno(), b"\0\0\0\x20{")
    with pytest.raises(VideoError) as error:
        list(job.frames(DecodeNotes()))
    assert error.value.status is Status.UNSAFE


def test_a_valid_frame_passes_and_forged_ones_are_refused(
    connected: tuple[Job, Connection],
) -> None:
    job, process = connected
    process.send_bytes(json.dumps(FRAME).encode())
    notes_sent = DecodeNotes(tone_mapped=True)
    process.send_bytes(json.dumps({"end": protocol.notes_message(notes_sent)}).encode())
    notes = DecodeNotes()
    ((clip, last, frame),) = job.frames(notes)
    assert notes == notes_sent
    assert (clip, last, frame.second, frame.image.shape) == (0, True, 0.0, (8, 8, 3))


@pytest.mark.parametrize("change", [{"width": 10**6}, {"codec": "<b>"}, {"frames": 10**9}])
def test_impossible_facts_are_refused(
    connected: tuple[Job, Connection], long: Path, change: dict[str, object]
) -> None:
    message = asdict(reading.survey_file(long).info) | change
    with pytest.raises(ValueError, match=r"no |expected"):
        protocol.info_of(message, long, "mp4", Limits())


# It is the default


def test_nothing_decodes_in_the_service_itself(
    detector: Detector, long: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("decoded in the service")

    for module, name in ((decode, "open_container"), (sound, "open_container")):
        monkeypatch.setattr(module, name, forbidden)
    for module in (decode, reading):
        monkeypatch.setattr(module, "open_picture", forbidden)
    report = detector.analyze(long, Settings(frames=8))
    assert isinstance(report, Report)
    annotate_video(long, report, tmp_path / "out.mp4", margin=0.3)
    with pytest.raises(AssertionError):
        annotate_video(long, report, tmp_path / "out.mp4", margin=0.3, isolate=False)
    with suppress(VideoError):
        reader(lambda: None, isolate=True).probe(long)
