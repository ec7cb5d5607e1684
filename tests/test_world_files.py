"""Files as the world makes them: joined, cut, of several tracks, interlaced, in HDR, with odd
pixels. Each is read as a good player would show it, and the report states what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image as Pillow

from detector.errors import VideoError
from detector.language import in_language
from detector.records import Frame, Image, Status
from detector.sandbox.reader import IsolatedReader
from detector.video import DecodeNotes, probe, read_all, read_clips, read_sound, reading
from detector.video.fields import CELL, TEETH, TOOTH, combing, is_combed
from detector.video.packets import demuxed
from detector.video.sampling import SamplingRange
from tests.clips import barcode, plain, read_barcode, write_clip

SIZE = (96, 64)


def numbered(first: int, count: int, size: tuple[int, int] = SIZE) -> Iterator[Image]:
    return (barcode(number, size) for number in range(first, first + count))


def numbers(frames: Sequence[Frame]) -> list[int]:
    return [read_barcode(frame.image) for frame in frames]


def flat(clips: Iterator[list[Frame]]) -> list[Frame]:
    return [frame for clip in clips for frame in clip]


def part(
    path: Path,
    first: int,
    count: int,
    start: float = 0.0,
    *,
    size: tuple[int, int] = SIZE,
    **more: object,
) -> bytes:
    """A stream of numbered pictures whose clock begins at `start`."""
    seconds = start + np.arange(count) / 25
    write_clip(path, numbered(first, count, size), seconds=seconds, **more)  # type: ignore[arg-type]
    return path.read_bytes()


# --- clocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0.0, 1.0, 40_000.0], ids=["restarts", "overlaps", "jumps"])
@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_joined_parts_follow_each_other_in_time(tmp_path: Path, suffix: str, start: float) -> None:
    codec = {".ts": "libx264", ".mpg": "mpeg2video"}[suffix]
    options = {"b": "4000000"} if suffix == ".mpg" else {"g": "25"}
    if suffix == ".mpg" and start == 40_000:
        pytest.skip("the clock of a program stream is written from 0")
    parts = [
        part(tmp_path / f"{k}{suffix}", 100 * k, 75, start * k, codec=codec, options=options)
        for k in range(2)
    ]
    path = tmp_path / f"joined{suffix}"
    path.write_bytes(b"".join(parts))
    notes = DecodeNotes()
    every = list(read_all(path, notes=notes))
    gaps = np.diff([frame.second for frame in every])
    assert notes.retimed
    assert not notes.damaged
    assert probe(path).seconds == pytest.approx(6.0, abs=0.4)
    assert (gaps > 0).all()
    assert gaps.max() < 0.3
    assert {number // 100 for number in numbers(every)} == {0, 1}
    sampled = numbers(flat(read_clips(path, 20)))
    assert sum(number >= 100 for number in sampled) == pytest.approx(10, abs=2)


@pytest.mark.parametrize("lost", [7, 20])
def test_a_stream_that_lost_packets_is_damaged_though_its_clock_runs_on(
    tmp_path: Path, lost: int
) -> None:
    whole = part(tmp_path / "whole.ts", 0, 75, options={"g": "25"}, size=(480, 320))
    middle = len(whole) // 188 // 2 * 188
    path = tmp_path / "lost.ts"
    path.write_bytes(whole[:middle] + whole[middle + 188 * lost :])
    notes = DecodeNotes()
    list(read_all(path, notes=notes))
    assert (notes.damaged, notes.retimed) == (True, False)


def test_a_jump_by_hours_is_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "live.mkv"
    seconds = [*(np.arange(50) / 25), *(5000 + np.arange(50) / 25)]
    write_clip(path, numbered(0, 100), seconds=seconds)
    assert probe(path).seconds == pytest.approx(4.0, abs=0.15)
    sampled = flat(read_clips(path, 20))
    assert all(read_barcode(f.image) == pytest.approx(f.second * 25, abs=4) for f in sampled)


def test_a_pause_that_a_player_shows_is_kept(tmp_path: Path) -> None:
    """A recording of a screen has no pictures while nothing moves."""
    seconds = [*(np.arange(25) / 25), *(120 + np.arange(25) / 25)]
    path = write_clip(tmp_path / "screen.mp4", numbered(0, 50), seconds=seconds)
    notes = DecodeNotes()
    assert list(read_all(path, notes=notes))[-1].second == pytest.approx(120.96, abs=0.01)
    assert not notes.retimed


def test_the_sound_of_joined_parts_stays_beside_the_picture(tmp_path: Path) -> None:
    parts = [part(tmp_path / f"{k}.ts", 100 * k, 75, audio=True) for k in range(3)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(parts))
    starts = [block.second for block in read_sound(path)]
    assert starts[-1] == pytest.approx(9.0, abs=0.4)
    assert max(b - a for a, b in pairwise(starts)) < 0.5


def test_a_track_that_begins_in_mid_stream_ends_no_reading() -> None:
    """PyAV raises IndexError at its first packet; damaged tables of a stream bring it about."""

    class Container:
        starts = 0

        def demux(self, *streams: object) -> Iterator[object]:
            self.starts += 1
            yield SimpleNamespace(size=1, number=self.starts)
            if self.starts == 1:
                raise IndexError

    notes = DecodeNotes()
    read = [p.number for p in demuxed(Container(), (), notes)]  # type: ignore[arg-type, union-attr]
    assert (read, notes.damaged) == ([1, 2], False)


@pytest.mark.parametrize("cut", [1, 77, 187])
def test_a_stream_may_begin_in_mid_packet(tmp_path: Path, cut: int) -> None:
    whole = part(tmp_path / "whole.ts", 0, 60)
    path = tmp_path / "cut.ts"
    path.write_bytes(whole[-cut:] + whole)
    assert numbers(list(read_all(path)))[-20:] == list(range(40, 60))
    assert probe(path).container == "mpegts"


def test_a_program_stream_may_begin_in_mid_pack(tmp_path: Path) -> None:
    options = {"b": "4000000", "g": "12"}
    whole = part(tmp_path / "whole.mpg", 0, 60, codec="mpeg2video", options=options)
    path = tmp_path / "cut.mpg"
    path.write_bytes(whole[500:])
    assert len(list(read_all(path))) > 30


def test_random_bytes_are_no_stream(tmp_path: Path) -> None:
    path = tmp_path / "noise.ts"
    path.write_bytes(np.random.default_rng(0).integers(0, 256, 70_000, np.uint8).tobytes())
    with pytest.raises(VideoError, match="not a video"):
        probe(path)


# --- tracks -------------------------------------------------------------------------------------


def two_tracks(path: Path, *, default: int, first_has: int = 50) -> Path:
    """Track 1 shows numbers from 0, `first_has` of them; track 2 those from 500."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for k, stream in enumerate(streams):
            stream.width, stream.height = SIZE
            stream.pix_fmt = "yuv420p"
            stream.disposition = Disposition.default if k == default else Disposition(0)
        for number in range(50):
            for k, stream in enumerate(streams):
                if k or number < first_has:
                    image = barcode(500 * k + number, SIZE)
                    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                    frame.pts, frame.time_base = number, Fraction(1, 25)
                    container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("default", [0, 1])
def test_the_default_track_is_read_and_the_others_are_named(
    tmp_path: Path, suffix: str, default: int
) -> None:
    path = two_tracks(tmp_path / f"two{suffix}", default=default)
    assert all(n // 500 == default for n in numbers(flat(read_clips(path, 10))))
    assert all(n // 500 == default for n in numbers(list(read_all(path))))
    info = probe(path)
    assert (info.track, [track.number for track in info.tracks]) == (default + 1, [1, 2])


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_thumbnail_is_never_the_analysed_track(tmp_path: Path, suffix: str) -> None:
    path = two_tracks(tmp_path / f"thumb{suffix}", default=0, first_has=1)
    assert numbers(list(read_all(path)))[:3] == [500, 501, 502]


@pytest.mark.parametrize("way", [reading, IsolatedReader()], ids=["here", "confined"])
def test_another_track_can_be_chosen(tmp_path: Path, way: reading | IsolatedReader) -> None:  # type: ignore[valid-type]
    path = two_tracks(tmp_path / "two.mkv", default=0)
    with way.opened(path, track=2) as file:  # type: ignore[attr-defined]
        assert file.info.track == 2
        assert all(n >= 500 for n in numbers(flat(file.clips([SamplingRange(10)], DecodeNotes()))))
    assert numbers(list(way.read_all(path, info=file.info)))[0] == 500  # type: ignore[attr-defined]
    with pytest.raises(VideoError, match="no video track 3") as error, way.opened(path, track=3):  # type: ignore[attr-defined]
        pass
    assert error.value.status is Status.NO_VIDEO
    with in_language("de"):
        assert str(error.value) == (
            "two.mkv hat keine Videospur 3; die letzte ist 2. Wählen Sie eine andere."
        )


# --- pictures -----------------------------------------------------------------------------------


def test_a_jpeg_with_more_pictures_inside_is_a_still(tmp_path: Path) -> None:
    """Cameras put a second view, a preview or a map of depth behind the first picture."""
    size = (4000, 3000)  # more than a frame of a video may have
    pictures = [Pillow.fromarray(barcode(number, size)) for number in (5, 6, 7)]
    path = tmp_path / "phone.jpg"
    pictures[0].save(path, "MPO", save_all=True, append_images=pictures[1:])
    info = probe(path)
    assert (info.container, info.frames, info.is_still) == ("jpeg", 1, True)
    assert numbers(flat(read_clips(path, 10))) == [5]


# --- colours ------------------------------------------------------------------------------------

SMPTE2084, HLG, BT2020, BT2020_MATRIX = 16, 18, 9, 9
PATCHES = [(200, 150, 120), (120, 80, 60), (40, 40, 40), (210, 210, 210), (60, 90, 160)]


def to_2020(colour: tuple[int, int, int]) -> np.ndarray:
    """A BT.709 colour as linear light in BT.2020, 1.0 = white (ITU-R BT.2087)."""
    linear = (np.array(colour) / 255) ** 2.4  # ITU-R BT.1886
    matrix = [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
    return np.array(matrix) @ linear


def pq(linear: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084, white at 203 cd/m2 (ITU-R BT.2408)."""
    power = (linear * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(linear: np.ndarray) -> np.ndarray:
    """ARIB STD-B67 for a display of 1000 cd/m2, system gamma 1.2, white at 203 cd/m2."""
    light = linear * 0.203
    scene = light * max(float(np.array([0.2627, 0.678, 0.0593]) @ light), 1e-6) ** (1 / 1.2 - 1)
    low = np.sqrt(3 * scene)
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-6)) + 0.55991073
    return np.where(scene <= 1 / 12, low, high)


def sdr(linear: np.ndarray) -> np.ndarray:
    return linear ** (1 / 2.4)


def write_wide(path: Path, curve: Callable[[np.ndarray], np.ndarray], transfer: int) -> Path:
    """Patches of colour in ten bits, BT.2020; non-constant luminance (ITU-R BT.2020, table 4)."""
    columns = []
    for colour in PATCHES:
        red, green, blue = curve(to_2020(colour))
        luma = 0.2627 * red + 0.678 * green + 0.0593 * blue
        columns.append((luma, (blue - luma) / 1.8814, (red - luma) / 1.4746))
    planes = np.repeat(np.array(columns), 32, axis=0)  # (W, 3)
    codes = [64 + 876 * planes[:, 0], 512 + 896 * planes[:, 1], 512 + 896 * planes[:, 2]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=25)
        stream.width, stream.height, stream.pix_fmt = len(planes), 64, "yuv444p10le"
        stream.options = {"crf": "4", "x265-params": "log-level=none"}
        codec = stream.codec_context
        codec.color_trc, codec.color_primaries, codec.colorspace = transfer, BT2020, BT2020_MATRIX
        codec.color_range = 1
        for number in range(6):
            frame = av.VideoFrame(len(planes), 64, "yuv444p10le")
            for plane, code in zip(frame.planes, codes, strict=True):
                row = np.rint(code).astype("<u2")
                padded = np.zeros(plane.line_size // 2, "<u2")
                padded[: len(row)] = row
                plane.update(np.tile(padded, 64).tobytes())
            frame.pts, frame.time_base = number, Fraction(1, 25)
            frame.color_trc, frame.color_primaries = transfer, BT2020
            frame.colorspace, frame.color_range = BT2020_MATRIX, 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("curve", "transfer"), [(pq, SMPTE2084), (hlg, HLG), (sdr, 1)], ids=["pq", "hlg", "wide"]
)
def test_high_range_and_wide_colours_come_out_as_an_ordinary_screen_shows_them(
    tmp_path: Path, curve: Callable[[np.ndarray], np.ndarray], transfer: int
) -> None:
    path = write_wide(tmp_path / "hdr.mp4", curve, transfer)
    notes = DecodeNotes()
    image = list(read_all(path, notes=notes))[2].image
    found = [image[32, 32 * k + 16].astype(int) for k in range(len(PATCHES))]
    assert notes.tone_mapped
    for colour, pixel in zip(PATCHES, found, strict=True):
        assert np.abs(pixel - np.array(colour)).max() <= 12, (colour, pixel)


@pytest.mark.parametrize("curve", [pq, hlg])
def test_white_that_was_put_at_100_is_lifted_to_where_it_belongs(
    tmp_path: Path, curve: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Converters without BT.2408 put the white of an ordinary video there."""
    transfer = SMPTE2084 if curve is pq else HLG
    path = write_wide(tmp_path / "dim.mp4", lambda linear: curve(linear * 100 / 203), transfer)
    image = next(read_all(path)).image
    for k, colour in enumerate(PATCHES):
        pixel = image[32, 32 * k + 16].astype(int)
        assert np.abs(pixel - np.array(colour)).max() <= 16, (colour, pixel)


def test_ordinary_colours_are_left_alone(tmp_path: Path) -> None:
    notes = DecodeNotes()
    list(read_all(write_clip(tmp_path / "sdr.mp4", plain(5)), notes=notes))
    assert not notes.tone_mapped


# --- lines --------------------------------------------------------------------------------------


def sliding(count: int, size: tuple[int, int] = (192, 128)) -> list[Image]:
    """A soft square that moves sideways, four pixels from picture to picture."""
    images = []
    for k in range(count):
        image = np.full((size[1], size[0], 3), 60, np.uint8)
        cv2.rectangle(image, (20 + 4 * k, 30), (80 + 4 * k, 100), (200, 170, 150), -1)
        images.append(cv2.GaussianBlur(image, (0, 0), 1.0).astype(np.uint8))
    return images


def woven(images: Sequence[Image]) -> list[Image]:
    """Even lines of one picture and odd lines of the next."""
    frames = []
    for first, second in zip(images[::2], images[1::2], strict=True):
        frame = first.copy()
        frame[1::2] = second[1::2]
        frames.append(frame)
    return frames


FIELDS = {"x264-params": "interlaced=1:crf=12"}


@pytest.mark.parametrize("options", [FIELDS, {"crf": "12"}], ids=["flagged", "unflagged"])
def test_interlaced_pictures_become_pictures_of_one_moment(
    tmp_path: Path, options: dict[str, str]
) -> None:
    moments = sliding(24)
    path = write_clip(tmp_path / "50i.mp4", woven(moments), options=options)
    notes = DecodeNotes()
    frames = list(read_all(path, notes=notes))
    assert notes.deinterlaced
    for frame, moment in zip(frames, moments[::2], strict=True):
        assert np.abs(frame.image.astype(int) - moment).mean() < 4
        assert frame.image.shape == moment.shape
        pixel = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
        assert not is_combed(pixel.reformat(format="yuv420p"))


def test_progressive_pictures_stored_as_fields_are_left_alone(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "psf.mp4", sliding(12), options=FIELDS)
    notes = DecodeNotes()
    list(read_all(path, notes=notes))
    assert not notes.deinterlaced


@pytest.mark.parametrize("height", [32, 40, 131, 180, 720])
def test_combing_is_measured_point_by_point(height: int) -> None:
    """The quick way over bytes gives what the definition gives, at every height."""
    generator = np.random.default_rng(height)
    luma = generator.integers(0, 256, (height, 40), np.uint8)
    luma[height // 3 : -4 : 2] = np.clip(luma[height // 3 : -4 : 2] // 32 + 200, 0, 255)
    luma[height // 3 + 1 : -4 : 2] //= 32
    combed = np.zeros((height - 4, 40), bool)
    for y, x in np.ndindex(*combed.shape):
        line = luma[y : y + 5, x].astype(int)
        up, down = line[2] - line[1], line[2] - line[3]
        own = max(abs(line[2] - line[0]), abs(line[2] - line[4]))
        tooth = min(abs(up), abs(down))
        combed[y, x] = tooth > TOOTH and (up > 0) == (down > 0) and 2 * own < tooth
    rows = len(combed) // CELL
    cells = combed[: rows * CELL].reshape(rows, CELL, -1).sum(axis=1) >= TEETH
    assert 0 < cells.mean() < 1
    assert combing(luma) == cells.mean()


# --- the shape of pixels ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "size"), [(Fraction(16, 11), (140, 64)), (Fraction(3, 4), (96, 85))]
)
def test_pixels_are_made_square(tmp_path: Path, shape: Fraction, size: tuple[int, int]) -> None:
    path = tmp_path / "dv.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.sample_aspect_ratio = shape
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(barcode(number, SIZE), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    frames = list(read_all(path))
    assert frames[0].image.shape == (size[1], size[0], 3)
    assert numbers(frames) == list(range(10))
    info = probe(path)
    assert (info.width, info.height) == size
