"""A weights card as HTML: figures, charts with their tables, data.

Every figure and fact is read from the card; what a card does not have is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from detector.language import _, lazy
from detector.render.model_charts import intervals_svg, levels_svg, reliability_svg
from detector.render.templates import html

Card = Mapping[str, Any]
_SETS = {
    "videos": lazy("all videos"),
    "videos_20": lazy("all videos, 20 frames"),
    "videos_100": lazy("all videos, 100 frames"),
    "social": lazy("all videos after a social-media transcode"),
    "left_out": lazy("training videos, each by a run without its source"),
    "shuffled": lazy("all videos, frames shuffled"),
}
_GROUPS = {
    "swap and reenactment": lazy("swap and reenactment"),
    "talking heads": lazy("talking heads"),
    "face swap": lazy("face swap"),
    "lip sync and reenactment": lazy("lip sync and reenactment"),
    "diffusion talking head": lazy("diffusion talking head"),
    "GAN talking head": lazy("GAN talking head"),
}
_PERTURBATIONS = {
    "blocks": lazy("blocks"),
    "blur": lazy("blur"),
    "compression": lazy("compression"),
    "contrast": lazy("contrast"),
    "downscale": lazy("downscale"),
    "noise": lazy("noise"),
    "saturation": lazy("saturation"),
}
_POOLINGS = {
    "mean_pooling": lazy("clips, mean pooling"),
    "lstm": lazy("clips, LSTM"),
    "lstm_shuffled": lazy("clips, LSTM with shuffled frames"),
}
_DATA = ("name", "licence", "use")
_STUDENT = {
    "claimed": lazy("the usual student pipeline, claimed"),
    "crops": lazy("the usual student pipeline, crops"),
}


def model_page(card: Card) -> Markup:
    """The whole card, as sections; `card` is `Detector.describe()`."""
    if not card.get("trained"):
        return html("model_page.html", trained=False)
    metrics, about = card.get("metrics", {}), card.get("data", {}).get("about", {})
    rows = list(rows_of(metrics))
    bounds = [(name, row["auc"], row.get("auc_interval")) for name, row in rows]
    reliability = metrics.get("crops", {}).get("reliability", [])
    measured: Mapping[str, Sequence[float]] = metrics.get("perturbed", {}).get("levels", {})
    levels = {str(_PERTURBATIONS.get(kind, kind)): row for kind, row in measured.items()}
    lists = (
        (_("Known failures"), about.get("known_failures", [])),
        (_("Limits"), about.get("limits", [])),
    )
    return html(
        "model_page.html",
        trained=True,
        name=Markup("<b>{}</b>").format(card["id"]),
        facts=_facts(card),
        results=[_result(name, row) for name, row in rows],
        intervals=intervals_svg(bounds) if rows else "",
        reliability=[[_percent(p), _percent(share), f"{n:.0f}"] for p, share, n in reliability],
        reliability_chart=reliability_svg(reliability) if reliability else "",
        levels=[[kind, *(f"{value:.3f}" for value in row)] for kind, row in levels.items()],
        levels_chart=levels_svg(levels) if levels else "",
        level_heads=[_("Perturbation"), *(_("Level {level}", level=k) for k in range(1, 6))],
        perturbed=_perturbed(metrics.get("perturbed", {})),
        controls=_controls(metrics),
        lists=[(title, items) for title, items in lists if items],
        trained_on=card.get("trained_on"),
        data=[
            [row.get(key, "") for key in ("name", "licence", "use")]
            for row in about.get("data", [])
        ],
    )


def _facts(card: Card) -> list[tuple[str, str]]:
    model, rules = card["model"], card["rules"]
    low, high = rules["undecided"]
    picture = rules.get("picture") or rules["threshold"]
    return [
        (
            _("Network"),
            _(
                "{backbone} + bidirectional LSTM, {size} px faces",
                backbone=model["backbone"],
                size=model["size"],
            ),
        ),
        (_("Decision threshold"), f"{rules['threshold']:.3f}"),
        (_("Decision threshold for pictures"), f"{picture:.3f}"),
        (
            _("Undecided"),
            _("from {low} to {high}", low=format(low, ".3f"), high=format(high, ".3f")),
        ),
        (_("Calibrated"), _("yes") if rules["calibrated"] else _("no")),
        (_("Revision"), card["revision"] or _("unknown")),
        (_("Weights SHA-256"), card["sha256"]),
        (_("Stored as"), card["dtype"]),
        (_("Trained by code at"), card["commit"][:12] or _("unknown")),
    ]


def rows_of(metrics: Card) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every set with an AUC: the face crops, then the videos, whole and by group."""
    crops = metrics.get("crops", {})
    if "auc" in crops:
        yield _("face crops, single frames"), crops
    if "uploaded" in crops:
        yield _("face crops after an upload"), crops["uploaded"]
    for key, name in _SETS.items():
        for group, row in metrics.get(key, {}).items():
            if not isinstance(row, Mapping) or "auc" not in row:
                continue
            if group == "all":
                yield str(name), row
            elif key == "videos":
                yield _("videos: {group}", group=_GROUPS.get(group, group)), row


def _result(name: str, row: Mapping[str, Any]) -> list[str]:
    area = f"{row['auc']:.3f}"
    if row.get("auc_interval"):
        low, high = row["auc_interval"]
        area += f" ({low:.2f}–{high:.2f})"
    counts = f"{row['real']} / {row['fake']}" if "real" in row and "fake" in row else ""
    shares = (row.get(key) for key in ("eer", "false_alarms", "misses"))
    return [
        name,
        counts,
        area,
        *("" if share is None else _percent(share) for share in shares),
        "" if row.get("ece") is None else f"{row['ece']:.3f}",
    ]


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _perturbed(results: Card) -> list[tuple[str, str]]:
    known = [
        (_("as it is"), results.get("clean")),
        (_("social-media transcode"), results.get("social")),
    ]
    return [(name, f"AUC {value:.3f}") for name, value in known if value is not None]


def _controls(metrics: Card) -> list[list[str]]:
    """The gain of the LSTM, and the two controls: before training, and a usual student project."""
    time = metrics.get("time", {})
    rows = [[str(name), f"{time[key]:.3f}"] for key, name in _POOLINGS.items() if key in time]
    if "auc" in metrics.get("untrained", {}):
        name = _("the same network before training")
        rows.append([name, f"{metrics['untrained']['auc']:.3f}"])
    rows += [
        [str(_STUDENT.get(name, name)), f"{row['auc']:.3f}"]
        for name, row in metrics.get("student", {}).items()
        if isinstance(row, Mapping) and "auc" in row
    ]
    return rows
