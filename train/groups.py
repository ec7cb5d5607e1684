"""The generators that labelled videos name, by how they make a face.

A figure over all fakes hides that detectors find one kind and miss another, so results are given
by group. Names are those of the generators' papers; those of FaceForensics++ stand under two
prefixes, by where the copies came from.
"""

from __future__ import annotations

GROUPS: dict[str, tuple[str, ...]] = {
    "face swap": (
        *("Deepfakes", "FaceSwap", "FaceShifter", "DFD", "DFDC", "DeepFaceLive-DFM", "CanonSwap"),
        *("StyleSwap", "roop-inswapper", "DiepNep", "unknown_swap", "unspecified-swap"),
        *("ForgeryNet-unspecified", "UADFV-like-unspecified"),
    ),
    "lip sync and reenactment": (
        *("Face2Face", "NeuralTextures", "Wav2Lip", "Wav2Lip-HQ", "KeySync", "DiffDub", "IP-LAP"),
        *("StyleSync", "ReSyncer", "unspecified-lipsync", "DiffusionVideoEditing", "ICface"),
    ),
    "GAN talking head": (
        *("FOMM", "DaGAN", "TPSM", "TPSMM", "MCNet", "LIA-X", "LivePortrait", "face-vid2vid"),
        *("PC-AVS", "PD-FGC", "EAMM", "MakeItTalk", "SadTalker", "StyleTalk", "DreamTalk"),
        *("AniTalker", "Bi-Layer", "EDTalk", "StyleHEAT", "JoyVASA", "FLOAT", "MoDA", "VASA-1"),
        *("ROME", "AniFaceGAN", "Portrait4D", "MoDiTalker"),
    ),
    "diffusion talking head": (
        *("X-Portrait", "EmotiveTalk", "CyberHost", "MEMO", "FollowYourEmoji", "Sonic", "Hallo"),
        *("MagicInfinite", "OmniHuman", "FantasyTalking", "EchoMimic", "Hallo2", "EMO"),
        *("V-Express", "ACTalker", "HunyuanVideo-Avatar", "JoyHallo", "DAE-Talker", "KeyFace"),
        *("AniPortrait", "HelloMeme", "FADM", "Gemini-video", "Jimeng", "DiffusionAvatars"),
    ),
    "NeRF or Gaussian head": (
        *("ER-NeRF", "RAD-NeRF", "SyncTalk", "GaussianTalker", "GaussianAvatars", "NPGA", "GAF"),
        *("GaussianSpeech", "TalkingGaussian", "CodeTalker+GaussianAvatars"),
        *("FaceFormer+GaussianAvatars",),
    ),
}

TALKING_HEADS = ("GAN talking head", "diffusion talking head", "NeRF or Gaussian head")
PREFIXES = ("FF++-", "FFpp-")


def plain_method(name: str) -> str:
    """A method's name without its data set's prefix."""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def group_of(method: str) -> str:
    """The group of a method; "other" for a name that is not listed."""
    # First match: no name is in two groups.
    plain = plain_method(method)
    return next((group for group, names in GROUPS.items() if plain in names), "other")
