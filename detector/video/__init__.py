"""A path becomes timed, upright RGB frames, and frames become a video that browsers play."""

from detector.video.opening import Limits
from detector.video.packets import DecodeNotes
from detector.video.reading import probe, read_all, read_clips
from detector.video.sampling import plan_clips
from detector.video.sound import read_sound
from detector.video.writer import VideoWriter, h264_available

__all__ = [
    "DecodeNotes",
    "Limits",
    "VideoWriter",
    "h264_available",
    "plan_clips",
    "probe",
    "read_all",
    "read_clips",
    "read_sound",
]
