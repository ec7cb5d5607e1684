"""What a weights card says about its model, as HTML: figures, charts with their tables, data.

Every figure and fact is read from the card; what a card does not hold is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from detector.render.answer_card import definitions
from detector.render.model_charts import intervals_svg, levels_svg, reliability_svg
from detector.render.sections import section

Card = Mapping[str, Any]
_SETS = {
    "videos": "videos",
    "videos_10": "videos, 10 frames",
    "videos_100": "videos, 100 frames",
    "social": "videos after a social-media transcode",
    "shuffled": "videos, frames shuffled",
}
_HEADS = (
    "Validation set",
    "Real / fake",
    "AUC (95 %)",
    "Equal error",
    "Real called fake",
    "Fake missed",
    "Calibration error",
)


def model_page(card: Card) -> str:
    """The whole card, as sections; `card` is `Detector.describe()`."""
    if not card.get("trained"):
        return section(
            "No trained weights",
            "<p>No figures can be shown: nothing here was trained yet. Faces are found, and not "
            "scored. Install the released weights and start again.</p>",
        )
    metrics, about = card.get("metrics", {}), card.get("data", {}).get("about", {})
    parts = (
        _facts(card),
        _results(metrics),
        _reliability(metrics.get("crops", {}).get("reliability", [])),
        _perturbed(metrics.get("perturbed", {})),
        _controls(metrics),
        _items("Known failures", about.get("known_failures", [])),
        _items("Limits", about.get("limits", [])),
        _data(card, about.get("data", [])),
    )
    return "\n".join(part for part in parts if part)


def _facts(card: Card) -> str:
    model, rules = card["model"], card["rules"]
    low, high = rules["undecided"]
    return section(
        f"Model <b>{escape(str(card['id']))}</b>",
        definitions(
            "card",
            [
                ("Network", f"{model['backbone']} + bidirectional LSTM, {model['size']} px faces"),
                ("Decision threshold", f"{rules['threshold']:.3f}"),
                ("Undecided", f"from {low:.3f} to {high:.3f}"),
                ("Calibrated", "yes" if rules["calibrated"] else "no"),
                ("Revision", card["revision"] or "unknown"),
                ("Weights SHA-256", card["sha256"]),
                ("Stored as", card["dtype"]),
                ("Trained by code at", card["commit"][:12] or "unknown"),
            ],
        ),
    )


def rows_of(metrics: Card) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every set with an AUC: the face crops, then the videos, whole and by group."""
    crops = metrics.get("crops", {})
    if "auc" in crops:
        yield "face crops, single frames", crops
    if "uploaded" in crops:
        yield "face crops after an upload", crops["uploaded"]
    for key, name in _SETS.items():
        for group, row in metrics.get(key, {}).items():
            if not isinstance(row, Mapping) or "auc" not in row:
                continue
            if group == "all":
                yield f"all {name}", row
            elif key == "videos":
                yield f"{name}: {group}", row


def _results(metrics: Card) -> str:
    rows = list(rows_of(metrics))
    if not rows:
        return ""
    bounds = [(name, row["auc"], row.get("auc_interval")) for name, row in rows]
    return section(
        "How well it tells real from fake",
        '<p class="small soft">AUC: how often a fake is ranked above a real one; 0.5 is chance. '
        "The bars are 95 % intervals: with few videos they are wide. "
        "All sets show people that training never saw.</p>",
        intervals_svg(bounds),
        table(_HEADS, [_result(name, row) for name, row in rows]),
    )


def _result(name: str, row: Mapping[str, Any]) -> list[str]:
    area = f"{row['auc']:.3f}"
    if row.get("auc_interval"):
        low, high = row["auc_interval"]
        area += f" ({low:.2f}–{high:.2f})"
    counts = f"{row['real']} / {row['fake']}" if "real" in row and "fake" in row else ""
    return [
        name,
        counts,
        area,
        _share(row.get("eer")),
        _share(row.get("false_alarms")),
        _share(row.get("misses")),
        "" if row.get("ece") is None else f"{row['ece']:.3f}",
    ]


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def _reliability(rows: Sequence[Sequence[float]]) -> str:
    if not rows:
        return ""
    cells = [[f"{100 * p:.0f} %", f"{100 * share:.0f} %", f"{n:.0f}"] for p, share, n in rows]
    return section(
        "Is 80 % really 80 %?",
        '<p class="small soft">Face crops with like scores, taken together: on the dashed line, '
        "as many of them are fake as the score says.</p>",
        f'<div class="twins">{reliability_svg(rows)}'
        f"{table(('Mean score', 'Were fake', 'Crops'), cells)}</div>",
    )


def _perturbed(results: Card) -> str:
    levels: Mapping[str, Sequence[float]] = results.get("levels", {})
    if not levels:
        return ""
    known = [("as it is", results.get("clean")), ("social-media transcode", results.get("social"))]
    facts = [(name, f"AUC {value:.3f}") for name, value in known if value is not None]
    heads = ("Perturbation", *(f"Level {k}" for k in range(1, 6)))
    rows = [[kind, *(f"{value:.3f}" for value in row)] for kind, row in levels.items()]
    return section(
        "When pictures get worse",
        '<p class="small soft">AUC on face crops under each perturbation at five levels, real and '
        "fake alike.</p>",
        definitions("facts", facts),
        levels_svg(levels),
        table(heads, rows),
    )


def _controls(metrics: Card) -> str:
    """What the LSTM adds, and the two controls: before training, and a usual student project."""
    names = {
        "mean_pooling": "clips, mean pooling",
        "lstm": "clips, LSTM",
        "lstm_shuffled": "clips, LSTM with shuffled frames",
    }
    time = metrics.get("time", {})
    rows = [[names[key], f"{time[key]:.3f}"] for key in names if key in time]
    if "auc" in metrics.get("untrained", {}):
        rows.append(["the same network before training", f"{metrics['untrained']['auc']:.3f}"])
    rows += [
        [f"the usual student pipeline, {name}", f"{row['auc']:.3f}"]
        for name, row in metrics.get("student", {}).items()
        if isinstance(row, Mapping) and "auc" in row
    ]
    return section("Controls", table(("What", "AUC"), rows)) if rows else ""


def _items(title: str, items: Sequence[str]) -> str:
    lines = "".join(f"<li>{escape(str(item))}</li>" for item in items)
    return section(title, f'<ul class="limits">{lines}</ul>') if items else ""


def _data(card: Card, rows: Sequence[Mapping[str, str]]) -> str:
    parts = [f"<p>{escape(card['trained_on'])}</p>"] if card.get("trained_on") else []
    if rows:
        keys = ("name", "licence", "use")
        cells = [[str(row.get(key, "")) for key in keys] for row in rows]
        parts.append(table(("Data", "Licence or terms", "Used for"), cells, kind="text"))
    return section("Data and licences", *parts) if parts else ""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "numbers") -> str:
    """A table of text cells, all escaped, that scrolls sideways where it must."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="wide"><table class="{kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
