"""Any CNN of timm may be trained; what cannot is refused before data is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from detector.model.weights import file_content
from tests.shards import drawn_shards
from train import fit
from train.clips import Faces
from train.run import load_run
from train.scores import score_crops


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_shards(tmp_path_factory.mktemp("shards"), clips=2, frames=2)


def tiny_fit(shards: Path, out: Path, backbone: str, *more: str) -> int:
    common = ["--shards", str(shards), "--out", str(out), "--backbone", backbone, "--size", "64"]
    common += ["--workers", "0", "--threads", "1", "--steps", "1", "--pairs", "1", *more]
    return fit.main(common)


@pytest.mark.parametrize(
    ("backbone", "freeze"),
    [
        ("efficientnet_b0", "2"),
        ("legacy_xception", "2"),
        ("mobilenetv3_small_050", "2"),
        ("convnext_atto", "1"),
        ("resnext50_32x4d", "2"),
        ("vit_small_patch14_dinov2", "10"),
    ],
)
def test_a_step_of_each_family_yields_a_working_network(
    shards: Path, tmp_path: Path, backbone: str, freeze: str
) -> None:
    size = ["--size", "56"] if backbone.startswith("vit") else []
    assert tiny_fit(shards, tmp_path, backbone, "--freeze", freeze, *size) == 0
    table = score_crops(load_run(tmp_path), Faces(shards, "val"))
    assert len(table.clip) == 8


def test_a_family_without_maps_is_refused_in_a_sentence(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tiny_fit(shards, tmp_path, "swin_tiny_patch4_window7_224", "--freeze", "0") == 2
    errors = capsys.readouterr().err
    assert "swin_tiny_patch4_window7_224 does not make maps" in errors
    assert "Take a CNN" in errors


def test_an_old_name_is_answered_with_those_that_exist(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tiny_fit(shards, tmp_path, "xception") == 2
    assert "no backbone 'xception'; it has legacy_xception" in capsys.readouterr().err


def test_indistinguishable_stages_are_not_frozen(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tiny_fit(shards, tmp_path, "densenet121", "--freeze", "2") == 2
    assert "use --freeze 0" in capsys.readouterr().err


def test_a_run_of_frames_keeps_the_lstm_that_it_began_with(shards: Path, tmp_path: Path) -> None:
    """A new one adds nothing to the frames' own scores."""
    assert tiny_fit(shards, tmp_path / "new", "test_resnet") == 0
    model = load_run(tmp_path / "new")
    answer = model.classify(torch.rand(1, 4, model.encoder.num_features))
    torch.testing.assert_close(answer.clip, answer.frame.mean(1))
    torch.nn.init.normal_(model.clip.weight)
    (tmp_path / "earlier.safetensors").write_bytes(file_content(model.state_dict()))
    earlier = ("--init", str(tmp_path / "earlier.safetensors"))
    assert tiny_fit(shards, tmp_path / "again", "test_resnet", *earlier) == 0
    torch.testing.assert_close(load_run(tmp_path / "again").clip.weight, model.clip.weight)
