"""Weights match their card and their source, or are refused with a reason."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from detector.errors import WeightsError
from detector.model.cnn_lstm import CnnLstm, ModelConfig
from detector.model.hub import HubSource
from detector.model.weights import (
    WEIGHTS,
    Card,
    find_weights,
    list_models,
    load_model,
    pick_device,
    save_weights,
)
from detector.scoring.calibration import ScoringRules
from tests.hub_server import REPO, REVISION, serving

TINY = ModelConfig(backbone="test_resnet", size=32, hidden=8, families=("swap", "drift"))


def card(name: str = "fast", *, trained: bool = True, config: ModelConfig = TINY) -> Card:
    rules = ScoringRules(temperature=1.7, calibrated=True, threshold=0.6, undecided=(0.5, 0.7))
    return Card(
        id=name,
        model=config,
        rules=rules,
        trained=trained,
        trained_on="noise",
        metrics={"auc": 0.5},
        commit="abc",
        revision="1",
    )


def network(config: ModelConfig = TINY, seed: int = 1) -> CnnLstm:
    torch.manual_seed(seed)
    return CnnLstm(config).eval()


def published(folder: Path, name: str = "fast", *, trained: bool = True) -> Path:
    save_weights(network(), card(name, trained=trained), folder)
    return folder / f"{name}.safetensors"


def edit_card(weights: Path, **changes: object) -> None:
    path = weights.with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPFAKE_WEIGHTS", raising=False)


@torch.no_grad()
def test_a_saved_network_returns_the_same_scores_after_loading(tmp_path: Path) -> None:
    found = find_weights(published(tmp_path))
    assert found is not None
    loaded = load_model(found, "cpu")
    clip = torch.rand(1, 4, 3, 32, 32)
    torch.testing.assert_close(loaded.model(clip).clip, network()(clip).clip)
    assert not loaded.model.training
    assert loaded.info.trained
    assert loaded.info.sha256 == hashlib.sha256(found.path.read_bytes()).hexdigest()
    assert loaded.info.threshold == 0.6


@pytest.mark.parametrize(("dtype", "size"), [("float16", 0.6), ("int8", 0.45)])
@torch.no_grad()
def test_smaller_numbers_on_disk_yield_nearly_the_same_score(
    tmp_path: Path, dtype: str, size: float
) -> None:
    full = published(tmp_path / "full")
    written = save_weights(network(), card(), tmp_path / "small", dtype=dtype)
    small = tmp_path / "small" / "fast.safetensors"
    assert written.dtype == dtype
    assert small.stat().st_size < size * full.stat().st_size
    found = find_weights(small)
    assert found is not None
    loaded = load_model(found, "cpu")
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    clip = torch.rand(1, 4, 3, 32, 32)
    torch.testing.assert_close(loaded.model(clip).clip, network()(clip).clip, atol=2e-2, rtol=2e-2)


def test_a_card_survives_the_trip_through_json() -> None:
    assert Card.from_json(card().to_json()) == card()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("trained"), "lacks 'trained'"),
        (lambda values: values.update(version=2), "version 2.*install a newer release"),
        (lambda values: values.update(trained="yes"), "'trained'"),
        (lambda values: values["model"].update(size="224"), "'model.size'"),
        (lambda values: values["rules"].update(bands=[0.5, 0.4, 0.9, 1.0]), "rising"),
        (lambda values: values["rules"].update(undecided=[0.7, 0.9]), "enclose the threshold"),
        (lambda values: values.update(rules=None), "'rules'"),
    ],
)
def test_a_card_with_a_fault_is_refused_by_the_name_of_the_fault(change, message: str) -> None:
    values = json.loads(card().to_json())
    change(values)
    with pytest.raises(WeightsError, match=message):
        Card.from_json(json.dumps(values))


def only(written: dict, known: dict) -> dict:
    """Of a written card what an older one has; what was added since has its default."""
    return {
        key: only(written[key], value) if isinstance(value, dict) else written[key]
        for key, value in known.items()
    }


RELEASED = Path(__file__).parent / "cards" / "fast-2026-11-25.json"


def test_the_card_of_an_earlier_release_loads_for_good() -> None:
    """As it was published, but for its long lists of data and metrics."""
    text = RELEASED.read_text(encoding="utf-8")
    read = Card.from_json(text)
    assert (read.id, read.rules.threshold, read.model.size) == ("fast", 0.778, 192)
    assert read.model.families == ("face_swap", "blend", "local_edit", "whole_face")
    released = json.loads(text)
    assert only(json.loads(read.to_json()), released) == released


def test_a_card_from_before_a_rule_was_added_takes_its_default() -> None:
    """What a new rule, layer or field does to every card that is published already."""
    values = json.loads(RELEASED.read_text(encoding="utf-8"))
    for place, key in ((values["rules"], "share"), (values["model"], "dropout"), (values, "dtype")):
        del place[key]
    assert Card.from_json(json.dumps(values)).rules.share == ScoringRules().share


def test_what_a_later_release_adds_is_kept_and_written_back() -> None:
    values = json.loads(RELEASED.read_text(encoding="utf-8"))
    values["licence"] = "Apache-2.0"
    values["rules"]["patience"] = 3
    values["model"]["attention"] = {"heads": 2}
    read = Card.from_json(json.dumps(values))
    assert read.unknown["rules"] == {"patience": 3}
    again = json.loads(read.to_json())
    assert only(again, values) == values


def test_a_card_that_is_no_json_is_refused(tmp_path: Path) -> None:
    weights = published(tmp_path)
    weights.with_suffix(".json").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(WeightsError, match=r"fast\.json.*not JSON.*download the card again"):
        find_weights(weights)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    weights = published(tmp_path)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    found = find_weights(weights)
    assert found is not None
    with pytest.raises(WeightsError, match="damaged or not the file of its card"):
        load_model(found, "cpu")


@pytest.mark.parametrize(
    "other", [replace(TINY, hidden=16), replace(TINY, families=()), replace(TINY, backbone="none")]
)
def test_a_card_of_another_architecture_is_refused(tmp_path: Path, other: ModelConfig) -> None:
    weights = published(tmp_path)
    edit_card(weights, model=other.to_dict())
    found = find_weights(weights)
    assert found is not None
    with pytest.raises(WeightsError, match="does not contain the network that its card describes"):
        load_model(found, "cpu")


def test_a_file_that_is_no_safetensors_is_refused_even_with_the_right_hash(tmp_path: Path) -> None:
    weights = published(tmp_path)
    weights.write_bytes(pickle.dumps({"a": 1}))
    edit_card(weights, sha256=hashlib.sha256(weights.read_bytes()).hexdigest())
    found = find_weights(weights)
    assert found is not None
    with pytest.raises(WeightsError, match="does not contain the network"):
        load_model(found, "cpu")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt"])
def test_a_pickle_is_refused_unread(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(WeightsError, match=r"pickle.*never loaded"):
        find_weights(path)


@pytest.mark.parametrize("missing", ["fast.safetensors", "fast.json"])
def test_a_path_with_half_of_the_pair_names_what_is_missing(tmp_path: Path, missing: str) -> None:
    weights = published(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(WeightsError, match=f"{missing} does not exist"):
        find_weights(str(weights))


def test_nothing_anywhere_is_no_error_but_no_weights(tmp_path: Path) -> None:
    assert find_weights(folder=tmp_path, hub=None) is None


def test_an_untrained_network_is_never_offered(tmp_path: Path) -> None:
    """Random weights give numbers too; they must not pass for scores."""
    weights = published(tmp_path, trained=False)
    assert find_weights(folder=tmp_path, hub=None) is None
    assert find_weights("fast", folder=tmp_path, hub=None) is None
    assert find_weights(weights) is None


def test_each_device_gets_its_own_default(tmp_path: Path) -> None:
    published(tmp_path, "fast")
    published(tmp_path, "accurate")
    chosen = {device: find_weights(device=device, folder=tmp_path) for device in ("cpu", "cuda")}
    assert {device: found and found.card.id for device, found in chosen.items()} == {
        "cpu": "fast",
        "cuda": "accurate",
    }


def test_a_trained_network_is_preferred_to_an_untrained_default(tmp_path: Path) -> None:
    published(tmp_path, "fast")
    published(tmp_path, "accurate", trained=False)
    found = find_weights(device="cuda", folder=tmp_path, hub=None)
    assert found is not None
    assert found.card.id == "fast"


def test_the_models_of_a_folder_can_be_listed(tmp_path: Path) -> None:
    published(tmp_path, "fast")
    published(tmp_path, "accurate", trained=False)
    listed = {card.id: card.trained for card in list_models(tmp_path)}
    assert listed == {"accurate": False, "fast": True}


def test_an_unknown_name_is_an_error_with_the_known_ones(tmp_path: Path) -> None:
    published(tmp_path, "fast")
    with pytest.raises(WeightsError, match=r"no model named 'faster'\. Choose one of: fast"):
        find_weights("faster", folder=tmp_path, hub=None)


def test_the_environment_ranks_between_the_argument_and_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local, named, argument = (published(tmp_path / name) for name in ("local", "named", "asked"))
    monkeypatch.setenv("DEEPFAKE_WEIGHTS", str(named))
    found = find_weights(folder=local.parent)
    assert found is not None
    assert (found.path, found.source) == (named, "environment")
    found = find_weights(argument, folder=local.parent)
    assert found is not None
    assert (found.path, found.source) == (argument, "path")


def test_the_local_folder_has_priority_over_the_hub(tmp_path: Path) -> None:
    published(tmp_path)
    nowhere = HubSource(REPO, REVISION, {"fast": "0" * 64}, endpoint="http://127.0.0.1:1")
    found = find_weights(folder=tmp_path, hub=nowhere)
    assert found is not None
    assert found.source == "weights folder"


def release(folder: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    files = {path.name: path.read_bytes() for path in published(folder).parent.iterdir()}
    return files, {"fast": hashlib.sha256(files["fast.json"]).hexdigest()}


def test_weights_from_the_hub_load_and_then_need_no_network(tmp_path: Path) -> None:
    files, cards = release(tmp_path / "release")
    cache = tmp_path / "cache"
    with serving(files) as hub:
        pinned = HubSource(REPO, REVISION, cards, endpoint=hub.endpoint)
        found = find_weights(folder=tmp_path / "none", hub=pinned, cache=cache)
    assert found is not None
    assert load_model(found, "cpu").source == "hub"
    again = find_weights(folder=tmp_path / "none", hub=pinned, cache=cache)
    assert again == found


def test_a_forged_network_on_the_hub_is_refused(tmp_path: Path) -> None:
    """The pinned hash of the card contains that of the weights: one cannot be changed alone."""
    files, cards = release(tmp_path / "release")
    files["fast.safetensors"] += b"x"
    with serving(files) as hub:
        pinned = HubSource(REPO, REVISION, cards, endpoint=hub.endpoint)
        with pytest.raises(WeightsError, match="not the released file"):
            find_weights(folder=tmp_path / "none", hub=pinned, cache=tmp_path / "cache")


def test_weights_are_saved_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    published(tmp_path)
    published(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fast.json", "fast.safetensors"]


def test_a_card_of_another_network_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the network is"):
        save_weights(network(), card(config=replace(TINY, hidden=16)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unavailable_device_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == "cpu"
    assert pick_device("cpu") == "cpu"
    with pytest.raises(ValueError, match="no CUDA device"):
        pick_device("cuda")
    with pytest.raises(ValueError, match="auto, cpu or cuda"):
        pick_device("tpu")


def test_every_shipped_card_is_trained_exactly_if_its_weights_are_there() -> None:
    cards = list_models()
    assert {"accurate"} <= {card.id for card in cards}
    for card in cards:
        assert card.trained == (WEIGHTS / f"{card.id}.safetensors").is_file(), card.id
