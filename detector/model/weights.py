"""Finds, verifies and loads the network's weights, and writes them with their card."""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from detector.engines.zero_gpu import on_zero_gpu
from detector.errors import WeightsError
from detector.model.cnn_lstm import CnnLstm, fold_norms
from detector.model.hub import RELEASE, HubSource, fetch
from detector.model.model_card import Card as Card
from detector.model.model_card import is_model_id
from detector.model.quantize import pack, unpack
from detector.records import ModelInfo
from detector.scoring.calibration import ScoringRules

log = logging.getLogger(__name__)

WEIGHTS = Path(__file__).parents[2] / "weights"
VARIABLE = "DEEPFAKE_WEIGHTS"
# Suffixes of formats that PyTorch reads by unpickling, which can run any code.
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
UNTRAINED = ModelInfo(
    id="none",
    architecture="",
    revision="",
    sha256="",
    trained=False,
    calibrated=False,
    threshold=ScoringRules().threshold,
)


@dataclass(frozen=True)
class Found:
    """Trained weights that can be loaded; `source` is path, environment, weights folder or hub."""

    card: Card
    path: Path
    source: str


@dataclass(frozen=True)
class Loaded:
    """A network ready for inference, and what identifies it."""

    card: Card
    model: CnnLstm
    info: ModelInfo
    source: str


def list_models(folder: Path = WEIGHTS) -> list[Card]:
    """The cards in a folder, by id. Raises WeightsError for a damaged one."""
    return [_read_card(path) for path in sorted(folder.glob("*.json"))]


def find_weights(
    wanted: str | Path | None = None,
    *,
    device: str = "cpu",
    folder: Path = WEIGHTS,
    hub: HubSource | None = RELEASE,
    cache: Path | None = None,
) -> Found | None:
    """Where the weights are; None if nothing trained is there, which the log explains.

    `wanted` is a .safetensors file or a model id such as "fast"; without it the environment
    variable DEEPFAKE_WEIGHTS may name either. An id, or else the default ("accurate" on CUDA and
    "fast" elsewhere, or the other one of the two), is searched in `folder`, then in the Hub
    release's `cache`, then on the Hub.

    Raises WeightsError if what was requested by name is not there, or a release is unreachable.
    """
    source = "path"
    if wanted is None and os.environ.get(VARIABLE):
        wanted, source = os.environ[VARIABLE], "environment"
    if wanted is not None and (isinstance(wanted, Path) or not is_model_id(wanted)):
        return _at_path(Path(wanted), source)
    # The larger network needs a GPU to answer in reasonable time.
    defaults = ("accurate", "fast") if device.startswith("cuda") else ("fast", "accurate")
    ids = defaults if wanted is None else (str(wanted),)
    found = _in_folder(ids, folder) or _in_hub(ids, hub, cache)
    if found is None and wanted is not None:
        _explain_absence(str(wanted), folder)
    if found is None:
        log.warning("No trained weights were found, so no scores can be given.")
    return found


def load_model(found: Found, device: str) -> Loaded:
    """The network, ready for inference; its file is checked against the card first.

    It is in eval mode and channels-last, with its batch norms folded, and float32 however it was
    stored. Raises WeightsError if the file is not the card's, or contains another network
    than the card's. Nothing is ever unpickled.
    """
    card = found.card
    content = found.path.read_bytes()  # once: what was checked is what is loaded
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise WeightsError(
            f"{found.path.name} is damaged or not the file of its card (SHA-256 differs). "
            "Copy or download the file and its card again."
        )
    try:
        model = CnnLstm(card.model)
        model.load_state_dict(unpack(safetensors.torch.load(content)), strict=True)
    except (KeyError, RuntimeError, ValueError, safetensors.SafetensorError) as error:
        raise WeightsError(
            f"{found.path.name} does not contain the network that its card describes. Publish both "
            f"again from one training run. ({str(error)[:300]})"
        ) from error
    size = card.model.size
    if hasattr(model.encoder, "set_input_size"):  # a transformer, whose positions now fit once
        model.encoder.set_input_size((size, size))  # type: ignore[operator]
    # Traced at the size in use; zeros suffice, since only the order of the layers is observed.
    fold_norms(model.eval().encoder, torch.zeros(1, 3, size, size))
    # Channels-last is the layout in which cuDNN and oneDNN run convolutions without transposing.
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Loaded(card=card, model=model, info=_info(card), source=found.source)


def pick_device(wanted: str = "auto") -> str:
    """The only query of the machine's devices: "auto", "cpu" or "cuda" -> a device.

    Raises ValueError if CUDA is requested and absent, or for another word.
    """
    if wanted not in ("auto", "cpu", "cuda"):
        raise ValueError(f"the device is auto, cpu or cuda, not '{wanted}'")
    if wanted == "auto":
        return "cuda" if not on_zero_gpu() and _cuda_works() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("This machine offers no CUDA device to PyTorch; choose auto or cpu.")
    return wanted


def _cuda_works() -> bool:
    """Whether PyTorch computes on a GPU here. Where there is one that it cannot use, as with a
    driver that is too old, the reason is logged."""
    reasons: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    reasons += [str(each.message) for each in caught if "CUDA" in str(each.message)]
    if available:
        try:
            # `is_available` is true also where no kernel fits the GPU; only running one shows it.
            torch.zeros(1, device="cuda").add(1).cpu()
        except RuntimeError as error:
            available = False
            reasons.append(str(error))
    if reasons and not available:
        reason = reasons[-1].strip().splitlines()[0]
        log.warning("The GPU cannot be used, so the CPU computes: %s", reason)
    return available


def file_content(state: Mapping[str, torch.Tensor]) -> bytes:
    """A state dict as the content of a .safetensors file."""
    # safetensors requires contiguous tensors on the CPU.
    return safetensors.torch.save({name: v.cpu().contiguous() for name, v in state.items()})


def save_weights(model: CnnLstm, card: Card, folder: Path, *, dtype: str = "float32") -> Card:
    """Writes <id>.safetensors and <id>.json, and returns the card with SHA-256 and dtype filled.

    Each file appears whole or not at all. `dtype` is one of `storage.DTYPES`. Raises ValueError
    if the card describes another network.
    """
    if card.model != model.config:
        raise ValueError(f"the card has {card.model}, the network is {model.config}")
    content = file_content(pack(model.state_dict(), dtype))
    digest = hashlib.sha256(content).hexdigest()
    card = replace(card, sha256=digest, dtype=dtype)
    folder.mkdir(parents=True, exist_ok=True)
    _write_whole(folder / f"{card.id}.safetensors", content)
    _write_whole(folder / f"{card.id}.json", card.to_json().encode())
    return card


def _at_path(path: Path, source: str) -> Found | None:
    if path.suffix.lower() in PICKLES:
        raise WeightsError(
            f"{path.name} may be a pickle, which can run any code when it is read; such files are "
            "never loaded. Convert it to .safetensors and give it a card."
        )
    if path.suffix != ".safetensors":
        raise WeightsError(f"Name a .safetensors file or a model id, not '{path}'.")
    for part in (path, path.with_suffix(".json")):
        if not part.is_file():
            raise WeightsError(
                f"{part} does not exist. Weights are two files side by side, "
                "NAME.safetensors and its card NAME.json."
            )
    return _if_trained(Found(_read_card(path.with_suffix(".json")), path, source))


def _in_folder(ids: Iterable[str], folder: Path) -> Found | None:
    for id_ in ids:
        path = folder / f"{id_}.safetensors"
        card = path.with_suffix(".json")
        if card.is_file() and not path.is_file():
            log.warning("%s has a card but no weights in %s.", id_, folder)
        if card.is_file() and path.is_file():
            found = _if_trained(Found(_read_card(card), path, "weights folder"))
            if found is not None:
                return found
    return None


def _in_hub(ids: Iterable[str], hub: HubSource | None, cache: Path | None) -> Found | None:
    if hub is None:
        log.info("No Hub release is pinned, so none was searched.")
        return None
    for id_ in ids:
        if id_ in hub.cards:
            card = _read_card(fetch(hub, f"{id_}.json", hub.cards[id_], cache=cache))
            path = fetch(hub, f"{id_}.safetensors", card.sha256, cache=cache)
            return _if_trained(Found(card, path, "hub"))
    return None


def _if_trained(found: Found) -> Found | None:
    if not found.card.trained:
        log.warning("%s is not trained, so it is not used.", found.card.id)
        return None
    log.info("Weights: %s (%s).", found.path, found.source)
    return found


def _explain_absence(wanted: str, folder: Path) -> None:
    """Raises WeightsError unless the card of the requested model marks it as not trained yet."""
    cards = {card.id: card for card in list_models(folder)}
    if wanted not in cards:
        raise WeightsError(
            f"There is no model named '{wanted}'. Choose one of: {', '.join(cards) or 'none'}; "
            "or name a .safetensors file."
        )
    if cards[wanted].trained:
        raise WeightsError(
            f"{wanted}.safetensors is missing beside its card in {folder}. Put the released file "
            "there."
        )


def _read_card(path: Path) -> Card:
    try:
        card = Card.from_json(path.read_text(encoding="utf-8"))
    except (WeightsError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: {error} Copy or download the card again.") from error
    if card.id != path.stem:
        raise WeightsError(f"{path} is the card of '{card.id}'; name it {card.id}.json.")
    return card


def _info(card: Card) -> ModelInfo:
    return ModelInfo(
        id=card.id,
        architecture=f"{card.model.backbone} + BiLSTM({card.model.hidden})",
        revision=card.revision,
        sha256=card.sha256,
        trained=card.trained,
        calibrated=card.rules.calibrated,
        threshold=card.rules.threshold,
        trained_on=card.trained_on,
        families=card.model.families,
        undecided=card.rules.undecided,
    )


def _write_whole(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        # A rename within one folder is atomic, so a reader never finds half a file.
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
