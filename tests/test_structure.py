"""Imports run one way, from the page down to plain data."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# From the ground up. A module may import from lower floors, and from its own folder.
FLOORS = [
    ["heat_methods", "language"],
    ["settings"],
    ["findings"],
    ["records"],
    ["errors", "labels"],
    ["progress", "engines"],
    ["faces", "video", "signals"],
    ["scoring", "sandbox"],
    ["model", "comparison"],
    ["heatmaps"],
    ["inference"],
    ["explain", "text"],
    ["render", "analysis"],
    ["verify", "requests"],
    ["pipeline"],
    ["service", "terminal", "archive"],
    ["ui", "cli"],
    ["__main__"],
]
ONLY_HERE = {
    "ray": ("archive.cluster", "__main__"),
    "pyarrow": ("archive",),
    "gradio": ("ui", "service.identity", "engines.zero_gpu"),
    "torch": (
        *("engines.openvino", "model", "faces.crops", "faces.mtcnn", "faces.candidates"),
        *("heatmaps", "inference", "explain"),
    ),
    "openvino": ("engines.openvino",),
    "cv2": ("video.degrade", "faces", "render.overlay"),
}


def modules(folder: str) -> list[Path]:
    """Snippets are shown, not imported."""
    return sorted(p for p in (ROOT / folder).rglob("*.py") if p.parent.name != "snippets")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def imported(path: Path) -> Iterator[str]:
    """Modules that `path` imports, with those that it takes from a package by name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "detector").with_suffix("").parts)


def floor_of(name: str) -> int:
    head = name.split(".")[0]
    floors = [floor for floor, names in enumerate(FLOORS) if head in names]
    assert floors, f"detector/{name} stands on no floor: add it to FLOORS"
    return floors[0]


@pytest.mark.parametrize("path", modules("detector"), ids=name_of)
def test_detector_imports_only_downwards(path: Path) -> None:
    name = name_of(path)
    if name == "__init__":
        return
    for target in imports(path):
        assert not target.startswith(("train", "tests", "app")), f"{name} must not import {target}"
        if not target.startswith("detector."):
            continue
        lower = target.removeprefix("detector.")
        if lower.split(".")[0] == name.split(".")[0]:
            continue
        assert floor_of(lower) < floor_of(name), f"{name} must not import {lower}"


def test_every_folder_of_modules_is_installed() -> None:
    """setuptools finds only folders that are packages."""
    for path in modules("detector") + modules("train"):
        assert (path.parent / "__init__.py").exists(), f"{path.parent} has no __init__.py"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Floors order the packages; this orders the modules inside one."""
    names = {f"detector.{name_of(path)}": path for path in modules("detector")}
    graph = {name: names.keys() & set(imported(path)) for name, path in names.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError with the circle


@pytest.mark.parametrize("package", ONLY_HERE)
def test_heavy_packages_stay_where_they_belong(package: str) -> None:
    for path in modules("detector"):
        used = any(target.split(".")[0] == package for target in imports(path))
        allowed = name_of(path).startswith(ONLY_HERE[package])
        assert allowed or not used, f"{name_of(path)} must not import {package}"


INSIDE_GRADIO = ("state_holder", "constructor_args", ".fns", ".blocks.", "processing_utils")


def test_gradio_internals_are_used_in_one_module() -> None:
    """`LocalContext`, which identifies the current request, is the one exception."""
    for path in modules("detector/ui"):
        if name_of(path) != "ui.gradio_patches":
            text = path.read_text(encoding="utf-8")
            assert [name for name in INSIDE_GRADIO if name in text] == [], name_of(path)


def test_training_never_imports_the_page() -> None:
    banned = ("detector.ui", "detector.cli", "detector.render", "gradio")
    for path in modules("train"):
        for target in imports(path):
            assert not target.startswith(banned), f"{path.name} must not import {target}"


def test_no_module_of_the_product_is_long() -> None:
    for path in modules("detector"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 300, f"{name_of(path)} has {lines} lines; 300 are enough"


def test_the_app_module_stays_short() -> None:
    assert len((ROOT / "app.py").read_text(encoding="utf-8").splitlines()) <= 40


WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# Names that treat data as a person; what they stand for has a field term.
METAPHORS = {
    *("asked", "asks", "heard", "hears", "listens", "looked", "looks", "speaks", "spoken"),
    *("told", "tells", "voice", "silent", "honest", "desk", "analyst", "buried", "buries"),
    *("judged", "unjudged", "ledger", "deaf", "believed", "unheard", "spoke", "taught", "drown"),
}


def named(path: Path) -> Iterator[str]:
    """The functions, classes, parameters and variables that a module defines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


@pytest.mark.parametrize("folder", ["detector", "train"])
def test_names_are_field_terms(folder: str) -> None:
    for path in modules(folder):
        words = {word.lower(): name for name in named(path) for word in WORD.findall(name)}
        found = [words[word] for word in METAPHORS & words.keys()]
        assert not found, f"{path}: name {found} by field terms"


# The same in comments and docstrings; a person may look or say, so those words are not here.
PROSE = re.compile(
    r"\b(ask(s|ed|ing)?|hear[sd]?|listen(s|ed|ing)?|speaks?|spoken?|tells?|told|silent(ly)?|"
    r"honest(ly)?|loud(ly)?|aloud|bur(y|ied|ies)|hop(e|es|ed)|swallow(s|ed)?|drown(s|ed)?|"
    r"starv(es?|ed)|deaf|believed?|witness(es)?|judge[sd]?|looked at|lets? go|voices?|desk)\b",
    re.IGNORECASE,
)


def prose(path: Path) -> Iterator[str]:
    """The comments and docstrings of a module."""
    text = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


@pytest.mark.parametrize("folder", ["detector", "train", "tests", ".ci"])
def test_comments_and_docstrings_use_field_terms(folder: str) -> None:
    for path in modules(folder):
        found = [match[0] for text in prose(path) if (match := PROSE.search(text))]
        assert not found, f"{path}: write {found} in field terms"


def numbers_in(node: ast.AST) -> bool:
    """Whether a value has numbers in it, other than as an index."""
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    if isinstance(node, ast.Subscript):
        return False
    return any(numbers_in(part) for part in ast.iter_child_nodes(node))


def unexplained(path: Path) -> Iterator[str]:
    """Constants that are numbers and have no comment: on their lines, above them or the lines that
    they follow, or as a docstring below."""
    text = path.read_text(encoding="utf-8")
    lines, body = text.splitlines(), ast.parse(text).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.Assign) or not numbers_in(node.value):
            continue
        name = ast.unparse(node.targets[0]).strip("()")
        described = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if described or not name.replace(",", "").replace(" ", "").lstrip("_").isupper():
            continue
        above = node.lineno - 2
        while lines[above] and "#" not in lines[above]:
            above -= 1
        own = lines[node.lineno - 1 : node.end_lineno]
        if not lines[above].startswith("#") and not any("#" in line for line in own):
            yield name


@pytest.mark.parametrize("folder", ["detector", "train"])
def test_every_constant_has_its_reason(folder: str) -> None:
    for path in modules(folder):
        found = list(unexplained(path))
        assert not found, f"{path}: say in a comment where {found} come from, or how they were set"
