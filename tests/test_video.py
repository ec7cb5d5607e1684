"""Decoding is exact, cheap and safe; what is written plays in a browser."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from detector.errors import VideoError
from detector.records import Frame, Image, Status
from detector.video import (
    DecodeNotes,
    Limits,
    VideoWriter,
    plan_clips,
    probe,
    read_all,
    read_clips,
    read_sound,
)
from detector.video import writer as movie_writer
from detector.video.opening import PRODUCT_LIMITS
from detector.video.reading import gathered
from detector.video.sound import Block
from tests.clips import barcode, plain, read_barcode, write_clip

SIZE = (96, 64)
CODINGS = {
    "h264": (".mp4", "libx264", {"bf": "3"}, "yuv420p"),
    "h264, b-pyramid, GOP 12": (".mp4", "libx264", {"bf": "3", "g": "12"}, "yuv420p"),
    "h264, no B-frames": (".mp4", "libx264", {"bf": "0", "g": "30"}, "yuv420p"),
    "h264, open GOP": (".mp4", "libx264", {"x264-params": "open-gop=1:keyint=15"}, "yuv420p"),
    "h264, intra refresh": (".mp4", "libx264", {"x264-params": "intra-refresh=1"}, "yuv420p"),
    "h264, 10 bit": (".mp4", "libx264", {"g": "40"}, "yuv420p10le"),
    "h264, interlaced": (".mp4", "libx264", {"x264-params": "interlaced=1"}, "yuv420p"),
    "h264, many references": (".mp4", "libx264", {"bf": "8", "refs": "16"}, "yuv420p"),
    "av1": (".mp4", "libsvtav1", {"preset": "12", "crf": "15"}, "yuv420p"),
    "av1, GOP 20": (".mkv", "libsvtav1", {"preset": "12", "crf": "15", "g": "20"}, "yuv420p"),
    "h264 in mkv": (".mkv", "libx264", {"g": "25"}, "yuv420p"),
    "h264 in ts": (".ts", "libx264", {"g": "25"}, "yuv420p"),
    "h264 in avi": (".avi", "libx264", {"g": "25", "bf": "0"}, "yuv420p"),
    "hevc": (".mp4", "libx265", {"x265-params": "log-level=none:keyint=20"}, "yuv420p"),
    "hevc, b-pyramid": (".mp4", "libx265", {"x265-params": "log-level=none:bframes=8"}, "yuv420p"),
    "hevc, sub-layers": (
        ".mp4",
        "libx265",
        {"x265-params": "log-level=none:bframes=4:temporal-layers=3:open-gop=0:keyint=40"},
        "yuv420p",
    ),
    "hevc in mkv": (".mkv", "libx265", {"x265-params": "log-level=none"}, "yuv420p"),
    "vp8": (".webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16"}, "yuv420p"),
    "vp9": (".webm", "libvpx-vp9", {"cpu-used": "8", "deadline": "realtime"}, "yuv420p"),
    "vp9, GOP 20": (
        ".webm",
        "libvpx-vp9",
        {"cpu-used": "8", "g": "20", "auto-alt-ref": "1", "lag-in-frames": "16"},
        "yuv420p",
    ),
    "vp9, profile 1": (".mp4", "libvpx-vp9", {"cpu-used": "8", "g": "30"}, "yuv444p"),
    "mpeg4 in avi": (".avi", "mpeg4", {}, "yuv420p"),
    "mpeg2 in mpg": (".mpg", "mpeg2video", {"b": "4000000"}, "yuv420p"),
    "motion jpeg": (".mov", "mjpeg", {}, "yuvj420p"),
    "prores": (".mov", "prores_ks", {}, "yuv422p10le"),
}


def numbered(count: int, size: tuple[int, int] = SIZE) -> Iterator[Image]:
    """Barcodes under a faint moving grain, so that the encoder has something to predict."""
    grain = np.random.default_rng(1).integers(-20, 20, (size[1] * 2, size[0] * 2, 1))
    for number in range(count):
        x, y = 3 * number % size[0], number % size[1]
        moved = barcode(number, size) + grain[y : y + size[1], x : x + size[0]]
        yield np.clip(moved, 0, 255).astype(np.uint8)


def flat(clips: Iterator[list[Frame]]) -> list[Frame]:
    return [frame for clip in clips for frame in clip]


def full_decode(path: Path) -> dict[float, Image]:
    """The plain way: every frame, in order, by its time from the first one."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        base, first = stream.time_base, frames[0].pts
        return {
            float((frame.pts - first) * base): frame.to_ndarray(format="rgb24") for frame in frames
        }


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("frames", [10, 20, 100])
def test_sampled_frames_equal_those_of_a_full_decode(
    coding: str, frames: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In pixels and times, whatever was left undecoded; and it is the right picture, too."""
    suffix, codec, options, pixel_format = CODINGS[coding]
    folder = tmp_path_factory.getbasetemp() / "codings"
    folder.mkdir(exist_ok=True)
    path = folder / (hashlib.md5(coding.encode()).hexdigest() + suffix)
    if not path.exists():
        # In a thread that ends: called by root, libsvtav1 gives its caller real-time priority, and
        # browsers that the tests start later would inherit it and stall the machine.
        form = {"codec": codec, "pixel_format": pixel_format, "options": options}
        with ThreadPoolExecutor(1) as encoder:
            encoder.submit(write_clip, path, numbered(130), **form).result()
    if sys.platform == "linux":
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
    notes = DecodeNotes()
    sampled = flat(read_clips(path, frames, notes=notes))
    everything = full_decode(path)
    assert len(sampled) == frames
    assert not notes.damaged
    for frame in sampled:
        assert read_barcode(frame.image) == round(frame.second * 25)
        np.testing.assert_array_equal(frame.image, everything[frame.second])


@pytest.mark.parametrize("gop", ["12", "250"])
def test_variable_frame_rate_keeps_its_own_times(tmp_path: Path, gop: str) -> None:
    gaps = np.random.default_rng(2).choice([0.01, 0.04, 0.1, 0.5], 280)
    seconds = np.cumsum(gaps) - gaps[0]
    path = write_clip(tmp_path / "vfr.mp4", numbered(280), seconds=seconds, options={"g": gop})
    sampled = flat(read_clips(path, 40))
    assert len(sampled) == 40
    for frame in sampled:
        assert frame.second == pytest.approx(seconds[read_barcode(frame.image)], abs=1e-3)


def test_an_edit_list_cuts_frames_away_and_time_starts_after_it(tmp_path: Path) -> None:
    seconds = (np.arange(60) - 20) / 25
    path = write_clip(tmp_path / "cut.mp4", numbered(60), seconds=seconds, options={"g": "30"})
    every = list(read_all(path))
    assert [read_barcode(frame.image) for frame in every] == list(range(20, 60))
    assert probe(path).frames == 40
    sampled = flat(read_clips(path, 10))
    assert every[0].second == 0.0
    assert all(read_barcode(f.image) == round(f.second * 25) + 20 for f in sampled)


def test_a_late_start_is_second_zero(tmp_path: Path) -> None:
    seconds = 7 + np.arange(30) / 25
    path = write_clip(tmp_path / "late.mkv", numbered(30), seconds=seconds)
    assert next(read_all(path)).second == 0.0
    assert all(read_barcode(f.image) == round(f.second * 25) for f in flat(read_clips(path, 10)))
    assert probe(path).seconds == pytest.approx(1.2, abs=0.01)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_rotated_recording_yields_upright_frames(
    tmp_path: Path, rotation: int, mirrored: bool
) -> None:
    upright = [barcode(number) for number in range(12)]
    expected = [image[:, ::-1] for image in upright] if mirrored else upright
    stored = [np.rot90(image, -rotation // 90) for image in expected]
    path = write_clip(tmp_path / "phone.mp4", stored, rotation=rotation, mirrored=mirrored)
    assert [read_barcode(frame.image) for frame in read_all(path)] == list(range(12))
    sampled = flat(read_clips(path, 10))
    assert all(read_barcode(frame.image) == round(frame.second * 25) for frame in sampled)
    info = probe(path)
    assert (info.width, info.height) == SIZE
    if not mirrored:
        assert info.rotation == rotation


def test_odd_sizes_are_read_as_they_are(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "odd.mp4", numbered(10, (97, 65)), pixel_format="yuv444p")
    assert flat(read_clips(path, 10))[0].image.shape == (65, 97, 3)


def test_colours_follow_the_matrix_that_the_file_states(tmp_path: Path) -> None:
    """Read with the other matrix, this orange would be off by more than ten."""
    orange = np.full((64, 96, 3), (230, 120, 40), np.uint8)
    with VideoWriter(tmp_path / "orange.mp4", 96, 64, 25.0) as writer:
        writer.write(orange, 0.0)
    expected = next(read_all(writer.path)).image
    assert np.abs(expected.astype(int) - orange).max() <= 4


def test_an_unsupported_colour_matrix_still_yields_a_picture(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "rare.mp4", numbered(10), options={"x264-params": "colormatrix=ICtCp"}
    )
    assert [read_barcode(frame.image) for frame in read_all(path)] == list(range(10))


def test_frames_that_change_size_are_scaled_to_the_first(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "a.ts", numbered(10))
    second = write_clip(tmp_path / "b.ts", numbered(10, (192, 128)), seconds=np.arange(10, 20) / 25)
    joined = tmp_path / "both.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    every = list(read_all(joined))
    assert len(every) == 20
    assert {frame.image.shape for frame in every} == {(64, 96, 3)}
    assert read_barcode(every[-1].image) == 9
    notes = DecodeNotes()
    narrow = Limits(max_pixels=96 * 64)
    assert 0 < len(list(read_all(joined, limits=narrow, notes=notes))) <= 10
    assert notes.damaged


# Sampling


@pytest.mark.parametrize("total", [1, 2, 7, 9, 41, 100, 299, 3000])
@pytest.mark.parametrize("frames", [8, 10, 13, 20, 40, 41, 100, 300])
@pytest.mark.parametrize("fps", [10.0, 25.0, 60.0, 240.0])
def test_a_plan_contains_exactly_the_requested_frames(total: int, frames: int, fps: float) -> None:
    clips = plan_clips(np.arange(total) / fps, frames)
    numbers = np.concatenate(clips)
    assert len(numbers) == min(frames, total)
    assert (np.diff(numbers) > 0).all()
    assert 0 <= numbers[0] <= numbers[-1] < total
    sizes = [len(clip) for clip in clips]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= (5 if frames <= 40 else 10)


def test_clips_are_runs_of_neighbours_spread_evenly(tmp_path: Path) -> None:
    clips = plan_clips(np.arange(1000) / 25, 20)
    assert [len(clip) for clip in clips] == [5, 5, 5, 5]
    assert all((np.diff(clip) == 1).all() for clip in clips)
    np.testing.assert_allclose([clip.mean() for clip in clips], [125, 375, 625, 875], atol=1)
    assert [len(clip) for clip in plan_clips(np.arange(1000) / 25, 100)] == [10] * 10


def test_clips_are_spread_over_time_not_over_frames() -> None:
    """Half of these frames are in the first of ten seconds."""
    seconds = np.concatenate([np.arange(100) / 100, 1 + np.arange(100) / 100 * 9])
    clips = plan_clips(seconds, 20)
    middles = [seconds[clip].mean() for clip in clips]
    np.testing.assert_allclose(middles, [1.25, 3.75, 6.25, 8.75], atol=0.2)


def test_a_high_frame_rate_yields_clips_of_the_usual_span() -> None:
    steps = {int(step) for clip in plan_clips(np.arange(2400) / 240, 20) for step in np.diff(clip)}
    assert steps == {8}


def test_a_plan_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot choose"):
        plan_clips(np.zeros(0), 20)


def test_a_short_video_yields_every_frame_once(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "short.mp4", numbered(13))
    clips = list(read_clips(path, 20, info=probe(path)))
    assert [read_barcode(frame.image) for clip in clips for frame in clip] == list(range(13))
    assert max(len(clip) for clip in clips) <= 5


def test_a_clip_is_given_before_the_next_one_is_decoded() -> None:
    decoded: list[int] = []

    def members() -> Iterator[tuple[int, bool, Frame]]:
        # The last frame of the second clip cannot be decoded.
        for clip, last in [(0, False), (0, True), (1, False), (2, False), (2, True)]:
            decoded.append(clip)
            yield clip, last, Frame(0.0, plain(1, (8, 8))[0])

    clips = gathered(members())
    assert len(next(clips)) == 2
    assert decoded == [0, 0]
    assert [len(clip) for clip in clips] == [1, 2]


def test_a_video_of_one_frame_is_a_still(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "one.mp4", numbered(1))
    info = probe(path)
    assert info.is_still
    assert [frame.second for frame in flat(read_clips(path, 20))] == [0.0]


# What is known before decoding


def test_probe_returns_the_facts_of_the_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered(50), audio=True)
    info = probe(path)
    assert (info.name, info.container, info.codec) == ("clip.mp4", "mp4", "h264")
    assert (info.width, info.height, info.frames, info.rotation) == (*SIZE, 50, 0)
    assert info.seconds == pytest.approx(2.0)
    assert info.fps == pytest.approx(25.0)
    assert info.has_audio
    assert info.bytes == path.stat().st_size
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not probe(write_clip(tmp_path / "mute.mp4", numbered(5))).has_audio


# Pictures


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_still_is_one_clip_of_one_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"still{suffix}"
    Pillow.fromarray(barcode(77)).save(path)
    info = probe(path)
    assert info.is_still
    assert (info.seconds, info.width, info.height) == (0.0, *SIZE)
    clips = list(read_clips(path, 20, info=info))
    assert [[frame.second for frame in clip] for clip in clips] == [[0.0]]
    assert read_barcode(clips[0][0].image) == 77
    assert [read_barcode(frame.image) for frame in read_all(path)] == [77]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_set_upright_by_its_exif(tmp_path: Path, orientation: int) -> None:
    turns: dict[int, Image] = {}
    image = barcode(77)
    for code, (turn, mirror) in enumerate(
        [(0, 0), (0, 1), (2, 0), (2, 1), (1, 1), (1, 0), (3, 1), (3, 0)], start=1
    ):
        turns[code] = np.rot90(image[:, ::-1] if mirror else image, turn)
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    Pillow.fromarray(np.ascontiguousarray(turns[orientation])).save(path, exif=exif)
    assert read_barcode(flat(read_clips(path, 10))[0].image) == 77
    assert (probe(path).width, probe(path).height) == SIZE


def test_unusual_pictures_become_rgb(tmp_path: Path) -> None:
    grey16 = barcode(5)[:, :, 0].astype(np.uint16) * 257
    Pillow.fromarray(grey16).save(tmp_path / "grey16.png")
    clear = np.dstack([barcode(5), np.full((64, 96), 255, np.uint8)])
    clear[:, -2:, 3] = 0
    Pillow.fromarray(clear).save(tmp_path / "clear.png")
    Pillow.fromarray(barcode(5)).convert("CMYK").save(tmp_path / "print.jpg")
    for name in ("grey16.png", "clear.png", "print.jpg"):
        image = flat(read_clips(tmp_path / name, 10))[0].image
        assert (image.dtype, image.shape) == (np.uint8, (64, 96, 3))
        assert read_barcode(image) == 5
    assert (flat(read_clips(tmp_path / "clear.png", 10))[0].image[0, -1] == 255).all()


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_moving_pictures_are_videos_with_their_own_times(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"moving{suffix}"
    first, *rest = (Pillow.fromarray(barcode(number)) for number in range(30))
    durations = [40] * 15 + [120] * 15
    first.save(path, save_all=True, append_images=rest, duration=durations)
    shown = np.cumsum([0, *durations[:-1]]) / 1000
    info = probe(path)
    assert info.frames == 30
    assert info.seconds == pytest.approx(2.4, abs=0.1)
    sampled = flat(read_clips(path, 10, info=info))
    assert len(sampled) == 10
    for frame in [*sampled, *read_all(path)]:
        assert frame.second == pytest.approx(shown[read_barcode(frame.image)])


# Bad files


def status_of(path: Path, limits: Limits = PRODUCT_LIMITS) -> Status:
    """The same from `probe` and, called without it, from the readers; never an empty message."""
    with pytest.raises(VideoError) as from_probe:
        probe(path, limits)
    with pytest.raises(VideoError) as from_clips:
        list(read_clips(path, 10, limits=limits))
    with pytest.raises(VideoError):
        list(read_all(path, limits=limits))
    assert from_clips.value.status == from_probe.value.status
    assert str(from_probe.value).endswith(".")
    return from_probe.value.status


def file_of(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


PLAYLISTS = {
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.ts\n#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile other.mp4\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
}


@pytest.mark.parametrize("playlist", PLAYLISTS)
def test_a_script_that_names_other_files_is_not_followed(tmp_path: Path, playlist: str) -> None:
    write_clip(tmp_path / "other.mp4", numbered(5))
    write_clip(tmp_path / "other.ts", numbered(5))
    path = file_of(tmp_path / "clip.mp4", PLAYLISTS[playlist])
    assert status_of(path) is Status.UNSUPPORTED


def test_kinds_of_files_that_are_no_video_are_distinguished(tmp_path: Path) -> None:
    assert status_of(file_of(tmp_path / "empty.mp4", b"")) is Status.EMPTY
    assert status_of(file_of(tmp_path / "text.mp4", b"Dear diary,\n" * 99)) is Status.UNREADABLE
    assert status_of(file_of(tmp_path / "zero.mp4", bytes(4000))) is Status.UNREADABLE
    assert status_of(file_of(tmp_path / "paper.pdf", b"%PDF-1.7" * 99)) is Status.UNSUPPORTED
    heic = b"\x00\x00\x00\x18ftypheic" + bytes(400)
    assert status_of(file_of(tmp_path / "photo.mp4", heic)) is Status.UNSUPPORTED
    assert status_of(file_of(tmp_path / "song.mp4", b"ID3\x04" + bytes(400))) is Status.NO_VIDEO
    assert status_of(tmp_path / "missing.mp4") is Status.UNREADABLE
    assert status_of(tmp_path) is Status.UNREADABLE


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    """Opening it would wait for a writer for ever."""
    os.mkfifo(tmp_path / "pipe.mp4")
    assert status_of(tmp_path / "pipe.mp4") is Status.UNREADABLE


def test_an_audio_file_is_reported_as_such(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100, layout="mono")
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 44_100), np.float32), format="fltp", layout="mono"
        )
        silence.rate = 44_100
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    assert status_of(path) is Status.NO_VIDEO


def test_damage_to_the_beginning_or_to_everything_is_an_error(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", numbered(50)).read_bytes()
    headless = file_of(tmp_path / "headless.mp4", whole[: len(whole) // 2])
    assert status_of(headless) is Status.UNREADABLE
    start, end = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
    noise = np.random.default_rng(3).bytes(end - start)
    hollow = file_of(tmp_path / "hollow.mp4", whole[:start] + noise + whole[end:])
    assert status_of(hollow) is Status.UNREADABLE
    photo = tmp_path / "photo.jpg"
    Pillow.fromarray(barcode(3)).save(photo)
    assert status_of(file_of(photo, photo.read_bytes()[:300])) is Status.UNREADABLE


def test_videos_over_the_limits_are_refused_before_decoding(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered(50))
    assert status_of(path, Limits(max_bytes=1000)) is Status.TOO_LARGE
    assert status_of(path, Limits(max_pixels=95 * 64)) is Status.TOO_LARGE
    assert status_of(path, Limits(max_seconds=1.5)) is Status.TOO_LONG
    assert status_of(path, Limits(max_frames=49)) is Status.TOO_LONG
    photo = tmp_path / "photo.png"
    Pillow.fromarray(barcode(3)).save(photo)
    assert status_of(photo, Limits(max_still_pixels=95 * 64)) is Status.TOO_LARGE
    claims = bytearray(photo.read_bytes())
    claims[16:24] = struct.pack(">II", 60_000, 60_000)
    claims[29:33] = struct.pack(">I", zlib.crc32(bytes(claims[12:29])))
    assert status_of(file_of(tmp_path / "bomb.png", bytes(claims))) is Status.TOO_LARGE
    two_hours = write_clip(tmp_path / "film.mp4", numbered(3), seconds=[0, 10, 7200])
    assert status_of(two_hours) is Status.TOO_LONG


def test_a_truncated_file_yields_its_remaining_frames(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "fast.mp4", *SIZE, 25.0) as writer:
        for number, image in enumerate(numbered(200)):
            writer.write(image, number / 25)
    path = file_of(
        tmp_path / "cut.mp4", writer.path.read_bytes()[: writer.path.stat().st_size * 2 // 3]
    )
    notes = DecodeNotes()
    sampled = flat(read_clips(path, 20, info=probe(path), notes=notes))
    assert notes.damaged
    assert len(sampled) >= 10
    assert all(read_barcode(frame.image) == round(frame.second * 25) for frame in sampled)


def test_damage_in_the_middle_leaves_the_rest(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", numbered(200), options={"g": "20"}).read_bytes()
    middle = len(whole) // 2
    noise = np.random.default_rng(4).bytes(len(whole) // 6)
    path = file_of(tmp_path / "holed.mp4", whole[:middle] + noise + whole[middle + len(noise) :])
    notes = DecodeNotes()
    clips = list(read_clips(path, 40, info=probe(path), notes=notes))
    assert notes.damaged
    assert all(clips)
    assert read_barcode(clips[0][0].image) == round(clips[0][0].second * 25)
    assert read_barcode(clips[-1][-1].image) == round(clips[-1][-1].second * 25)


def test_a_whole_file_is_not_called_damaged(tmp_path: Path) -> None:
    notes = DecodeNotes()
    path = write_clip(tmp_path / "whole.mp4", numbered(60), audio=True)
    assert len(list(read_all(path, notes=notes))) == 60
    assert len(flat(read_clips(path, 20, notes=notes))) == 20
    assert not notes.damaged


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts", ".gif", ".webp", ".png"])
def test_no_scrambled_file_does_more_than_raise_a_video_error(tmp_path: Path, suffix: str) -> None:
    """Bytes are changed at random all over the file, headers included."""
    path = tmp_path / f"clip{suffix}"
    if suffix in (".gif", ".webp", ".png"):
        first, *rest = (Pillow.fromarray(image) for image in numbered(12))
        first.save(path, **({} if suffix == ".png" else {"save_all": True, "append_images": rest}))
    else:
        write_clip(path, numbered(12), codec="mpeg4" if suffix == ".avi" else "libx264")
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    random = np.random.default_rng(5)
    for _ in range(12):
        scrambled = whole.copy()
        places = random.integers(12, len(whole), 20)
        scrambled[places] = random.integers(0, 256, 20)
        path.write_bytes(scrambled.tobytes())
        for read in (probe, lambda path: list(read_clips(path, 10)), lambda p: list(read_all(p))):
            with suppress(VideoError):
                read(path)


# Memory


def test_a_long_video_keeps_only_a_few_frames_in_memory(tmp_path: Path) -> None:
    size = (320, 240)
    path = write_clip(tmp_path / "long.mp4", plain(900, size), options={"preset": "ultrafast"})
    one = size[0] * size[1] * 3
    for read in (lambda: read_clips(path, 100), lambda: read_all(path)):
        tracemalloc.start()
        for _ in read():
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 25 * one


def test_reading_from_the_middle_starts_there(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered(50))
    frames = list(read_all(path, start=1.0))
    assert [read_barcode(frame.image) for frame in frames] == list(range(25, 50))


# Writing


def write_movie(
    path: Path,
    seconds: list[float],
    size: tuple[int, int] = SIZE,
    audio_from: Path | None = None,
) -> Path:
    sound = read_sound(audio_from) if audio_from else None
    with VideoWriter(path, *size, 25.0, sound) as writer:
        for second, image in zip(seconds, numbered(len(seconds), size), strict=True):
            writer.write(image, second)
    return writer.path


def test_a_written_video_plays_in_a_browser(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "out.mp4", [k / 25 for k in range(60)])
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt, codec.width, codec.height) == ("h264", "yuv420p", *SIZE)
    assert [read_barcode(frame.image) for frame in read_all(path)] == list(range(60))


def test_a_written_video_keeps_its_times(tmp_path: Path) -> None:
    seconds = [0.0, 0.04, 0.5, 0.513, 2.0, 2.0, 3.1]
    path = write_movie(tmp_path / "out.mp4", seconds)
    assert [frame.second for frame in read_all(path)] == pytest.approx(seconds, abs=1e-4)


def test_odd_sizes_are_written_even(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "out.mp4", [0.0, 0.04], size=(97, 65))
    assert (probe(path).width, probe(path).height) == (98, 66)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_the_sound_of_the_original_is_kept_in_sync(tmp_path: Path, suffix: str) -> None:
    """Whatever it was, it becomes AAC, which every browser plays in MP4."""
    source = tmp_path / f"source{suffix}"
    if suffix == ".avi":
        write_pcm_avi(source)
    else:
        write_clip(source, numbered(100), audio=True)
    path = write_movie(tmp_path / "out.mp4", [k / 25 for k in range(100)], audio_from=source)
    with av.open(str(path)) as container:
        sound = container.streams.audio[0]
        assert sound.codec_context.name == "aac"
        sound_frames = [(frame.time, frame.to_ndarray()) for frame in container.decode(sound)]
    assert sound_frames[0][0] == pytest.approx(0.0, abs=0.05)
    assert sound_frames[-1][0] == pytest.approx(4.0, abs=0.1)
    assert np.abs(np.concatenate([wave[0] for _, wave in sound_frames])).mean() > 0.1


def write_pcm_avi(path: Path) -> None:
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=44_100, layout="mono")
        wave = (np.sin(np.arange(4 * 44_100) / 16) * 9000).astype(np.int16)
        for number, image in enumerate(numbered(100)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            part = wave[None, number * 1764 : (number + 1) * 1764]
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.rate, frame.pts = 44_100, number * 1764
            container.mux(sound.encode(frame))
        container.mux(video.encode())


def test_sound_that_starts_before_the_picture_is_moved_with_it(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "late.mkv", numbered(50), seconds=[1 + k / 25 for k in range(50)], audio=True
    )
    path = write_movie(tmp_path / "out.mp4", [k / 25 for k in range(50)], audio_from=source)
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(audio=0)]
    assert times[0] == pytest.approx(0.0, abs=0.05)
    assert times[-1] == pytest.approx(2.0, abs=0.1)


def test_sound_whose_times_run_backwards_is_still_written(tmp_path: Path) -> None:
    """As in a transport stream whose pieces were put together in another order."""
    samples = np.full((4800, 1), 9000, np.int16)
    blocks = iter([Block(second, samples) for second in (0.0, 0.3, 0.1, 0.05, 0.4)])
    with VideoWriter(tmp_path / "out.mp4", *SIZE, 25.0, blocks) as writer:
        for number, image in enumerate(numbered(30)):
            writer.write(image, number / 25)
    assert probe(writer.path).has_audio


def test_side_data_newer_than_the_library_is_no_obstacle(tmp_path: Path) -> None:
    """A Motion JPEG picture with EXIF: PyAV does not know that kind of side data."""
    path = motion_jpeg(tmp_path / "clip.avi", orientations=[1] * 5)
    assert probe(path).frames == 5
    assert [read_barcode(frame.image) for frame in read_all(path)] == list(range(5))


def test_all_frames_have_one_size_even_if_some_are_rotated(tmp_path: Path) -> None:
    path = motion_jpeg(tmp_path / "clip.avi", orientations=[1, 1, 6, 1])
    assert {frame.image.shape for frame in read_all(path)} == {(SIZE[1], SIZE[0], 3)}


def motion_jpeg(path: Path, orientations: list[int]) -> Path:
    """An AVI of one JPEG per frame, with EXIF."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuvj420p"
        container.start_encoding()
        for number, orientation in enumerate(orientations):
            exif, still = Pillow.Exif(), io.BytesIO()
            exif[0x0112] = orientation
            Pillow.fromarray(barcode(number)).save(still, "JPEG", exif=exif)
            packet = av.Packet(still.getvalue())
            packet.stream, packet.pts, packet.dts = stream, number, number
            packet.is_keyframe = True
            container.mux(packet)
    return path


def test_an_original_without_sound_adds_none(tmp_path: Path) -> None:
    mute = write_clip(tmp_path / "mute.mp4", numbered(5))
    photo = tmp_path / "photo.png"
    Pillow.fromarray(barcode(1)).save(photo)
    for source in (mute, photo):
        path = write_movie(tmp_path / "out.mp4", [0.0, 0.04], audio_from=source)
        assert not probe(path).has_audio


def test_without_an_h264_encoder_a_webm_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(movie_writer, "h264_available", lambda: False)
    source = write_clip(tmp_path / "source.mp4", numbered(50), audio=True)
    path = write_movie(tmp_path / "out.mp4", [k / 25 for k in range(50)], audio_from=source)
    assert path == tmp_path / "out.webm"
    info = probe(path)
    assert (info.container, info.codec, info.has_audio) == ("webm", "vp8", True)
    assert [read_barcode(frame.image) for frame in read_all(path)] == list(range(50))


def write_two(path: Path, second: Image) -> None:
    with VideoWriter(path, *SIZE, 25.0) as writer:
        writer.write(barcode(0), 0.0)
        writer.write(second, 0.04)


def test_an_interrupted_video_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected an image"):
        write_two(tmp_path / "out.mp4", barcode(1, (32, 32)))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="no frame"):
        write_movie(tmp_path / "out.mp4", [])
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_video_does_not_replace_the_one_before(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "out.mp4", [0.0, 0.04])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="expected an image"):
        write_two(path, barcode(1, (32, 32)))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_written_times_always_rise(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "out.mp4", [0.0, 0.2, 0.2, 0.1, 0.3])
    seconds = [frame.second for frame in read_all(path)]
    assert len(seconds) == 5
    assert all(before < after for before, after in pairwise(seconds))
