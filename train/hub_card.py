"""A weights card as the Hub shows it: README.md with `model-index`, and the upload of all three."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, HfApi, ModelCardData

from detector.model.model_card import Card

SETS = {
    "crops": "DFDC face crops of unseen people",
    "videos": "videos of unseen people",
    "social": "the same videos after a social-media transcode",
}
METRICS = {
    "auc": "AUC",
    "average_precision": "Average precision",
    "eer": "Equal error rate",
    "ece": "Expected calibration error",
}


def results_of(card: Card) -> list[EvalResult]:
    """The card's figures as the Hub's `model-index` has them."""
    return [
        EvalResult(
            task_type="video-classification",
            task_name="Deepfake detection",
            dataset_type=name,
            dataset_name=SETS[name],
            dataset_split="validation",
            metric_type=key,
            metric_name=METRICS[key],
            # As published: `train.publish` has rounded it to four digits.
            metric_value=row[key],
        )
        for name, row in _sets(card)
        for key in METRICS
        if key in row
    ]


def _sets(card: Card) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in SETS:
        rows = card.metrics.get(name, {})
        row = rows if name == "crops" else rows.get("all", {})
        if row:
            yield name, row


def model_card(card: Card) -> str:
    """The model card as Markdown; every figure and fact comes from `card`."""
    header = ModelCardData(
        license="apache-2.0",
        library_name="pytorch",
        pipeline_tag="video-classification",
        tags=["deepfake-detection", "face", "cnn-lstm"],
        model_name=card.id,
        eval_results=results_of(card) or None,
    )
    about = card.data.get("about", {})
    parts = [
        f"---\n{header.to_yaml()}\n---\n",
        f"# {card.id}: {card.model.backbone} + BiLSTM",
        "Estimates for every face in a video how likely it is manipulated. It is no proof, in "
        "either direction, and must not be the only ground for a decision about a person.",
        f"Input: face crops of {card.model.size} px. Threshold {card.rules.threshold}; between "
        f'{card.rules.undecided[0]} and {card.rules.undecided[1]} the answer is "undecided".',
        "## Results\n\n" + _results_table(card),
        f"## Data\n\n{card.trained_on}\n\n" + _data_table(about.get("data", [])),
        _list("Known failures", about.get("known_failures", [])),
        _list("Limits", about.get("limits", [])),
        f"## Files\n\n`{card.id}.safetensors` ({card.dtype}, SHA-256 `{card.sha256}`) and its card "
        f"`{card.id}.json`. Code at commit `{card.commit[:12]}`; `train/reproduce.sh` there "
        "is the recipe.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _results_table(card: Card) -> str:
    lines = ["| set | real / fake | AUC (95 %) | EER | ECE |", "|---|---|---|---|---|"]
    for name, row in _sets(card):
        low, high = row["auc_interval"]
        lines.append(
            f"| {SETS[name]} | {row['real']} / {row['fake']} | {row['auc']:.3f} "
            f"({low:.2f}–{high:.2f}) | {row['eer']:.2f} | {row['ece']:.3f} |"
        )
    return "\n".join(lines)


def _data_table(rows: list[dict[str, str]]) -> str:
    lines = ["| data | licence or terms | used for |", "|---|---|---|"]
    lines += [f"| {row['name']} | {row['licence']} | {row['use']} |" for row in rows]
    return "\n".join(lines) if rows else ""


def _list(title: str, items: list[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {item}" for item in items) if items else ""


def upload(folder: Path, card: Card, repo_id: str, *, endpoint: str | None = None) -> str:
    """Weights, card and README.md of `card`, which lie in `folder`, to the Hub; returns the commit
    hash that pins them. The token is that of `hf auth login` or HF_TOKEN."""
    (folder / "README.md").write_text(model_card(card), encoding="utf-8")
    api = HfApi(endpoint=endpoint)
    api.create_repo(repo_id, exist_ok=True)
    done = api.upload_folder(
        repo_id=repo_id,
        folder_path=folder,
        # Only these three: the folder may have cards and weights of other models.
        allow_patterns=["README.md", f"{card.id}.json", f"{card.id}.safetensors"],
        commit_message=f"Publish {card.id} {card.revision}",
    )
    return str(done.oid)
