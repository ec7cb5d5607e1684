"""How right the answers to several files are, where a visitor has labels for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gradio as gr
from markupsafe import Markup

from detector.labels import Labels, LabelsError, read_labels
from detector.language import _, mark
from detector.records import Report, Status
from detector.render.model_charts import roc_svg
from detector.scoring.evaluation import Evaluation, LabelledScore, evaluate
from detector.service.batch import Batch, Item
from detector.text.summary import percent
from detector.ui.gradio_patches import as_uploaded
from detector.ui.templates import piece, section

MOST_BYTES = 2**20  # some 20,000 lines


def build_labels() -> tuple[gr.File, gr.Slider]:
    """Add the choice of a list of labels, and of the threshold that they are compared at."""
    with gr.Accordion(mark("Labels, if you know them"), open=False, elem_id="batch-known"):
        labels = gr.File(
            label=mark("CSV with the columns file and label (REAL or FAKE)"),
            elem_id="batch-labels",
            height=120,
        )
        threshold = gr.Slider(
            0,
            0.99,
            0,
            step=0.01,
            label=mark("Threshold of the confusion matrix (0: the model's own)"),
            elem_id="batch-threshold",
        )
    return labels, threshold


def measured(batch: Batch, path: str | None, threshold: float) -> Markup:
    """The metrics of the answers by the labels at `path`, or why there are none; empty without
    labels or before the answers are there. A `threshold` of 0 is that of each answer."""
    done = [item for item in batch.items if item.answer is not None]
    # Metrics of a part of the batch would be taken for those of all of it.
    if path is None or not done or batch.waiting or batch.current is not None:
        return Markup()
    try:
        if Path(path).stat().st_size > MOST_BYTES:
            raise LabelsError(_("{file} is too large for a list of labels.", file=Path(path).name))
        labels = read_labels(Path(path))
    except LabelsError as error:
        return section("measured", _("The labels cannot be used"), str(error), role="alert")
    return _metrics(done, labels, threshold)


def _metrics(done: Sequence[Item], labels: Labels, threshold: float) -> Markup:
    # Uploads come without their folders, and Gradio takes some characters out of their names.
    by_name = labels.by_name(as_uploaded)
    pairs = [(by_name.get(item.path.name), item) for item in done]
    labelled = [
        LabelledScore(label.fake, *_score(item, threshold), label.identity)
        for label, item in pairs
        if label
    ]
    missing = [item.name for label, item in pairs if label is None]
    if not labelled:
        return section(
            "measured",
            _("No label is about any of these files"),
            _(
                "The column file must name them as they are called here, such as {name}.",
                name=missing[0],
            ),
            role="alert",
        )
    evaluation = evaluate(labelled)
    return piece(
        "measured.html",
        evaluation=evaluation,
        auc=_auc(evaluation),
        curve=roc_svg(evaluation.roc) if evaluation.roc else "",
        threshold=None if evaluation.threshold is None else percent(evaluation.threshold),
        matrix=_matrix(evaluation),
        missing=missing,
        all=len(done),
    )


def _score(item: Item, threshold: float) -> tuple[float | None, float]:
    """The score, and from where on it is called fake: its own threshold for 0."""
    answer = item.answer
    if not isinstance(answer, Report) or answer.status is not Status.OK:
        return None, threshold
    return answer.fake, threshold or answer.threshold


def _auc(found: Evaluation) -> str:
    if found.auc is None:
        return _("unknown: it needs a score of at least one real and one fake file")
    if found.auc_interval is None:
        return _("{auc}; too few people for an interval", auc=f"{found.auc:.3f}")
    low, high = found.auc_interval
    return _(
        "{auc}, 95 % interval {low} to {high}",
        auc=f"{found.auc:.3f}",
        low=f"{low:.3f}",
        high=f"{high:.3f}",
    )


def _matrix(found: Evaluation) -> list[tuple[str, int, int, int]]:
    """Per label: files called fake, files called real, and files without a score."""
    m = found.matrix
    return [
        (_("Fake"), m.fake_called_fake, m.fake_called_real, m.fake_without_score),
        (_("Real"), m.real_called_fake, m.real_called_real, m.real_without_score),
    ]
