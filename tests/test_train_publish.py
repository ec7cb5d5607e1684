"""What is published can be found again, by its hash, with its card as the Hub shows it."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

from detector.model.cnn_lstm import CnnLstm
from detector.model.model_card import Card
from detector.model.quantize import pack, unpack
from detector.model.weights import save_weights
from tests.tiny import CARD
from train.hub_card import model_card, upload
from train.publish import choose_dtype

COMMIT = "f" * 40
ROW = {
    **{"real": 10, "fake": 12, "auc": 0.875, "auc_interval": [0.7, 0.95]},
    **{"eer": 0.2, "ece": 0.04, "average_precision": 0.9},
}


@pytest.fixture
def card() -> Card:
    about = {
        "data": [{"name": "Drawn faces", "licence": "CC0", "use": "training"}],
        "known_failures": ["Masks of paper."],
        "limits": ["Faces only."],
    }
    metrics = {"crops": ROW, "videos": {"all": ROW | {"auc": 0.75}}}
    return replace(CARD, trained_on="Drawn faces.", data={"about": about}, metrics=metrics)


def test_the_hub_reads_our_figures_and_a_person_reads_the_rest(card: Card) -> None:
    shown = ModelCard(model_card(card))
    results = {(r.dataset_type, r.metric_type): r.metric_value for r in shown.data.eval_results}
    assert results["crops", "auc"] == 0.875
    assert results["videos", "auc"] == 0.75
    for expected in (
        "| Drawn faces | CC0 | training |",
        "- Masks of paper.",
        "- Faces only.",
        "0.875",
    ):
        assert expected in shown.text


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as an upload needs; `files` is what arrived."""

    files: dict[str, bytes]

    def log_message(self, *_: object) -> None:
        """Logs nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/api/models/lab/faces/preupload/"):
            names = [file["path"] for file in json.loads(body)["files"]]
            modes = [
                {"path": n, "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                for n in names
            ]
            return self._answer({"files": modes})
        if self.path.startswith("/api/models/lab/faces/commit/"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    value = line["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            return self._answer({"commitUrl": f"{self._here}/commit/{COMMIT}", "commitOid": COMMIT})
        return self._answer({"url": self._here})

    def do_GET(self) -> None:
        self._answer({"id": "lab/faces", "sha": COMMIT, "siblings": []})

    @property
    def _here(self) -> str:
        return f"http://{self.headers['Host']}/lab/faces"

    def _answer(self, value: dict[str, Any]) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def hub() -> Iterator[tuple[str, dict[str, bytes]]]:
    files: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Hub,), {"files": files}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", files
    server.shutdown()
    server.server_close()


def test_weights_card_and_readme_reach_the_hub_whole(
    card: Card,
    hub: tuple[str, dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    endpoint, files = hub
    saved = save_weights(CnnLstm(card.model).eval(), card, tmp_path)
    assert upload(tmp_path, saved, "lab/faces", endpoint=endpoint) == COMMIT
    assert set(files) == {"README.md", f"{card.id}.json", f"{card.id}.safetensors"}
    assert hashlib.sha256(files[f"{card.id}.safetensors"]).hexdigest() == saved.sha256
    assert Card.from_json(files[f"{card.id}.json"].decode()) == saved


def test_numbers_survive_storage_to_the_last_bit_that_is_kept() -> None:
    state = {"weight": torch.randn(4, 3, 2, 2), "bias": torch.randn(4)}
    assert torch.equal(unpack(pack(state, "float32"))["weight"], state["weight"])
    small = unpack(pack(state, "int8"))
    assert torch.equal(small["bias"], state["bias"])
    step = state["weight"].abs().amax(dim=(1, 2, 3), keepdim=True) / 127
    assert ((small["weight"] - state["weight"]).abs() <= step * 0.51).all()


def test_the_smallest_storage_that_moves_no_score_too_far_is_taken(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    shifts = {"int8": 0.03, "float16": 0.0004}
    monkeypatch.setattr("train.publish.shifts_of", lambda *args: iter(shifts.items()))
    assert choose_dtype(CnnLstm(card.model), card.rules, None) == "float16"  # type: ignore[arg-type]
    shifts["int8"] = 0.004
    assert choose_dtype(CnnLstm(card.model), card.rules, None) == "int8"  # type: ignore[arg-type]
