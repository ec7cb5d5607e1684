"""The tab that explains calls from a program, heat maps, and what each answer means."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from markupsafe import Markup

from detector.records import Status
from detector.text.service import SERVICE
from detector.text.summary import status_text
from detector.ui.greeting import greeting
from detector.ui.templates import piece

HERE = Path(__file__).parents[1]
DEFAULT = "http://127.0.0.1:7860"
SNIPPETS = {
    "curl": ("analyze.sh", "shell"),
    "Python": ("analyze.py", "python"),
    "MCP": ("ask_mcp.py", "python"),
}


def snippet(name: str, address: str = DEFAULT) -> str:
    """One way to send a request, as it is run from a terminal; `address` is that of the service."""
    text = (HERE / "snippets" / name).read_text(encoding="utf-8")
    return text.replace(DEFAULT, address.rstrip("/"))


def build_help(page: gr.Blocks) -> None:
    """Add the tab's components to the page that is being built."""
    greeting(gr.Markdown, lambda: piece("programs.md"))
    codes = []
    with gr.Tabs():
        for title, (name, language) in SNIPPETS.items():
            with gr.Tab(title):
                codes.append(
                    gr.Code(
                        snippet(name),
                        language=language,  # type: ignore[arg-type]
                        interactive=False,
                        show_label=False,
                        elem_id=f"snippet-{name.replace('.', '-')}",
                    )
                )

    def here(request: gr.Request) -> list[str]:
        """The snippets with the address at which this visitor has opened the page."""
        return [snippet(name, public_address(request)) for name, _ in SNIPPETS.values()]

    page.load(here, None, codes, queue=False, show_progress="hidden", api_visibility="private")
    greeting(gr.Markdown, lambda: piece("help.md"))
    greeting(gr.HTML, answers_table, elem_classes="report")


def public_address(request: gr.Request) -> str:
    """Scheme and host as the visitor's browser uses them, also behind a proxy."""
    headers = request.headers
    host = headers.get("x-forwarded-host") or headers.get("host") or ""
    scheme = headers.get("x-forwarded-proto") or request.url.scheme
    # Each proxy appends its own; the first one is that of the browser.
    return f"{scheme.split(',')[0].strip()}://{host.split(',')[0].strip()}" if host else DEFAULT


def answers_table() -> Markup:
    """Every answer without a score, what it means and what to do, as a table."""
    # "ok" is the one status with a score.
    without_score = [
        (status.value, status_text(status)) for status in Status if status is not Status.OK
    ]
    return piece("meanings.html", rows=[*without_score, *SERVICE.items()])
