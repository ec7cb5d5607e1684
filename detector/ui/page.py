"""The page: a tab for each thing one can do, each in a module of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from detector.language import mark
from detector.render.sections import sections_css
from detector.service.admission import Served
from detector.service.guard import Guard, answer_error
from detector.service.health import Operation
from detector.service.identity import language_of
from detector.service.metrics import is_enabled as metrics_enabled
from detector.service.temp_files import KEPT_SECONDS, SWEEP_SECONDS
from detector.ui import html
from detector.ui.api import Endpoints, add_api
from detector.ui.api_closer import CloserEndpoints, add_closer_api
from detector.ui.api_compare import CompareEndpoint, add_compare_api
from detector.ui.gradio_patches import patch_gradio
from detector.ui.greeting import greeting
from detector.ui.handlers import Detectors
from detector.ui.languages import translate_page, translations
from detector.ui.tabs.batch import build_batch
from detector.ui.tabs.batch_view import wire_lead
from detector.ui.tabs.check import build_check
from detector.ui.tabs.compare import build_compare
from detector.ui.tabs.help import build_help
from detector.ui.tabs.history import Sources, build_history
from detector.ui.tabs.live import build_live
from detector.ui.tabs.model import build_model
from detector.ui.tabs.verify import build_verify
from detector.ui.templates import piece
from detector.video import Limits

HERE = Path(__file__).parent
# Heavy events begin at once, to show their place in the queue, which works off one at a
# time and is bounded. So Gradio's own queue, which reports no place to the page, stays short.
# They are more than may wait there, so that a refusal comes from the admission, with its reason.
HEAVY: dict[str, Any] = {"concurrency_id": "analysis", "concurrency_limit": 32}
STYLES = ("style.css", "viewer.css", "explain.css", "tabs.css")
QUEUE_SIZE = 16  # as of `admission.Terms`
# Gradio keeps 170 KB of every session, and 10,000 of them by default; who comes back
# after so many others finds the page as new.
SESSIONS = 256
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]


def launch_options(
    page: gr.Blocks, detectors: Detectors, limits: Limits, ready: Callable[[], bool] = lambda: True
) -> dict[str, Any]:
    """The options of `launch`: closed by default, nothing fetched, nothing kept.

    `ready()` is whether the networks can serve a request now.
    """
    default = next(iter(detectors.values()))
    metrics = default.admission.metrics if metrics_enabled() else None
    middleware = [
        Middleware(Operation, not_ready=lambda: _not_ready(default, ready()), metrics=metrics),
        Middleware(Guard, max_upload=limits.max_bytes, admission=default.admission),
    ]
    return {
        "app_kwargs": {"middleware": middleware, "exception_handlers": {Exception: answer_error}},
        "theme": gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=FONTS),
        "css": page_css(),
        "max_file_size": limits.max_bytes,
        "show_error": False,  # a traceback is for the log
        "enable_monitoring": False,
        "run_history": False,
        "strict_cors": True,  # no page of another site may call a server on localhost
        "i18n": translations(page),
        "ssr_mode": False,  # the start page is rendered here, in the visitor's language
        "state_session_capacity": SESSIONS,
        "mcp_server": True,
        "footer_links": ["api"],
    }


def _not_ready(default: Served, ready: bool) -> str:
    """Why no score can be given; empty when trained weights are loaded."""
    if not default.info.trained:
        return "No trained weights are loaded, so faces are found but not scored."
    return "" if ready else "The networks are being loaded again."


def page_css() -> str:
    """The page's own style, and the report's, kept to where reports are shown."""
    own = "".join((HERE / name).read_text(encoding="utf-8") for name in STYLES)
    return f"{own}\n.report {{\n{sections_css()}\n}}\n"


def _build_masthead(detector: Served, limits: Limits) -> None:
    card = detector.describe()
    greeting(
        gr.HTML, lambda: html.masthead(detector.info, card), js_on_load=html.masthead_js(limits)
    )


def _add_endpoints(endpoints: Endpoints) -> None:
    add_api(endpoints, HEAVY)
    add_closer_api(CloserEndpoints(endpoints), HEAVY)
    add_compare_api(CompareEndpoint(endpoints), HEAVY)


def build_page(detectors: Detectors, limits: Limits) -> gr.Blocks:
    """The whole page around loaded detectors; it builds without a server."""
    # Before any component is made: some patches are of their classes.
    patch_gradio(lambda request: language_of(request.headers))
    with gr.Blocks(
        title="Is this face real?",
        analytics_enabled=False,
        delete_cache=(SWEEP_SECONDS, KEPT_SECONDS),
    ) as page:
        default = next(iter(detectors.values()))
        _build_masthead(default, limits)
        with gr.Tabs(elem_id="sections") as tabs:
            with gr.Tab(mark("Check"), id="check"):
                form, answered = build_check(detectors, HEAVY)
                greeting(gr.Markdown, lambda: piece("about.md"), elem_id="about")
            with gr.Tab(mark("Several files"), id="batch"):
                lead, batch = build_batch(detectors, HEAVY)
            with gr.Tab(mark("Compare"), id="compare"):
                compared = build_compare(detectors, HEAVY)
            with gr.Tab(mark("Live"), id="live"):
                build_live(detectors)
            with gr.Tab(mark("Verify a report"), id="verify"):
                build_verify(detectors, HEAVY)
            with gr.Tab(mark("History"), id="past"):
                build_history(page, Sources(answered, batch, lead, compared))
            with gr.Tab(mark("Model"), id="model"):
                build_model(detectors)
            with gr.Tab(mark("Help / API"), id="help"):
                build_help(page)
        for one in (lead, *compared.leads):
            wire_lead(one, tabs, form)
        greeting(gr.HTML, lambda: html.origin(default.info, default.device, limits))
        _add_endpoints(Endpoints(detectors, limits))
    # Last: it goes through all components and events.
    translate_page(page)
    assert isinstance(page, gr.Blocks)  # `with` gives no type
    return page
