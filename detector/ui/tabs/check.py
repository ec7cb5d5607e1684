"""The first tab: what the visitor gives, what is shown once there is an answer, and its wiring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from detector.language import mark
from detector.settings import MOST_FRAMES, PRESETS
from detector.ui import html
from detector.ui.events import Events, QuestionForm, Shown
from detector.ui.greeting import greeting
from detector.ui.handlers import Detectors
from detector.ui.tabs.closer import build_closer, wire_closer
from detector.ui.tabs.examples import build_examples
from detector.ui.tabs.explain import build_panel, wire_panel
from detector.ui.tabs.given import build_given
from detector.ui.tabs.part import Part, build_plan, build_stretch
from detector.ui.tabs.saving import build_saving
from detector.ui.templates import piece
from detector.ui.viewer import build_viewer

HERE = Path(__file__).parents[1]
# When progress begins and the form folds, it may have moved out of sight; on a phone an answer is
# below the fold. After the folding, hence the delay.
TO_WHAT_IS_NEW = """() => {
  const verdict = document.querySelector("#verdict");
  const kind = ["working", "answer"].find((name) => verdict?.querySelector(`.${name}`)) ?? "";
  if (!verdict || verdict.dataset.kind === kind) return;
  verdict.dataset.kind = kind;
  setTimeout(() => {
    const { top, bottom } = verdict.getBoundingClientRect();
    const hidden = top < 0 || bottom > innerHeight;
    if (kind === "working" && hidden) document.querySelector("#cancel")?.scrollIntoView();
    if (kind === "answer" && innerWidth < 820) verdict.scrollIntoView();
  }, 100);
}"""
_PRESET_NAMES = {
    "quick": mark("Quick"),
    "standard": mark("Standard"),
    "thorough": mark("Thorough"),
}
PRESET_LABELS = [(_PRESET_NAMES[name], name) for name in PRESETS]


def build_check(detectors: Detectors, heavy: dict[str, Any]) -> tuple[QuestionForm, gr.State]:
    """Add the tab's components to the page that is being built; `heavy` goes to long events.

    Returns the form, and the state with the last answer."""
    with gr.Accordion(mark("Your video or picture"), open=True, elem_id="request") as form:
        choices, analyse, preview, example = _question(detectors)
    # Not in the form, which folds while the pictures are still drawn.
    cancel = gr.Button(mark("Cancel"), elem_id="cancel", visible=False)
    shown, closer = _answer(form, analyse, cancel)
    events = Events(detectors, shown)
    _wire(events, choices, shown, example, heavy)
    _wire_options(events, choices, shown)
    _wire_choices(events, choices, preview)
    # A closer look is at the answer that is shown, and ends with it.
    renewed = [analyse.click, choices.file.change]
    wire_panel(detectors, shown.panel, shown.files, renewed, heavy)
    wire_closer(closer, shown.panel.answered, shown.files, choices)
    build_saving(detectors, shown.viewer, shown.panel.answered, heavy)
    return choices, shown.panel.answered


def _question(detectors: Detectors) -> tuple[QuestionForm, gr.Button, gr.HTML, Any]:
    """What the visitor gives: a video or a picture, and how closely to analyse it; the button that
    begins, what is shown of the file, and the event of an example that was chosen."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=300):
            file, preview = build_given()
            example = build_examples(file)
        with gr.Column(scale=5, min_width=300):
            return *_choices(detectors, file), preview, example


def _choices(detectors: Detectors, file: gr.File) -> tuple[QuestionForm, gr.Button]:
    """How closely to analyse `file`, and the button that begins."""
    frames = gr.Radio(
        PRESET_LABELS, value="standard", label=mark("Number of frames"), elem_id="frames"
    )
    track, info, plan = build_plan()
    with gr.Accordion(mark("Options"), open=False):
        with gr.Column() as of_video:
            start, end = build_stretch()
            exact = gr.Slider(
                0, MOST_FRAMES, 0, step=1, label=mark("Exact number of frames (0: as chosen above)")
            )
        threshold = gr.Slider(
            0,
            0.99,
            0,
            step=0.01,
            label=mark("Call it manipulated above (0: the model's own threshold)"),
        )
        people = gr.Slider(1, 16, 8, step=1, label=mark("People to follow at most"))
        heat = gr.Checkbox(True, label=mark("Compute heat maps"))
        names = list(detectors)  # shown only where there is a choice
        model = gr.Dropdown(names, value=names[0], label=mark("Model"), visible=len(names) > 1)
    analyse = gr.Button(mark("Analyse"), variant="primary", elem_id="analyse")
    part = Part(start, end, of_video, track, info, plan)
    return QuestionForm(file, frames, exact, threshold, people, heat, model, part), analyse


def _answer(form: gr.Accordion, analyse: gr.Button, cancel: gr.Button) -> tuple[Shown, gr.Button]:
    """The verdict beside the viewer, and everything else that appears once there is an answer; the
    button that leads on from it."""
    with gr.Row(equal_height=False, elem_id="result"):
        with gr.Column(scale=4, min_width=320):
            outdated = gr.HTML(elem_id="outdated", elem_classes="report")
            verdict = greeting(gr.HTML, html.welcome, elem_id="verdict", elem_classes="report")
            dispute = _scripted("dispute", "dispute.js")
        with gr.Column(scale=8, min_width=320, visible=False, elem_id="looking") as beside:
            drawing = gr.HTML(elem_id="drawing", elem_classes="report")
            viewer = build_viewer("viewer")
    with gr.Column(visible=False, elem_id="answer") as area:
        panel = build_panel()
        with gr.Row(equal_height=False):
            with gr.Column(scale=7, min_width=320):
                findings = _leading("findings")
                closer = build_closer()
            with gr.Column(scale=5, min_width=320):
                people = gr.HTML(elem_id="people", elem_classes="report")
        moments = _leading("moments")
        numbers = gr.HTML(elem_id="numbers", elem_classes="report")
        files = gr.Files(label=mark("Downloads"), interactive=False, elem_id="downloads")
        greeting(gr.HTML, lambda: piece("drawn.html"), elem_classes="report")
    texts = findings, people, moments, numbers, dispute
    return Shown(
        form,
        outdated,
        verdict,
        area,
        beside,
        drawing,
        viewer,
        panel,
        *texts,
        files,
        analyse,
        cancel,
    ), closer


def _leading(elem_id: str) -> gr.HTML:
    """HTML whose buttons move the viewer to the moment that they name (`seek.js`)."""
    return _scripted(elem_id, "seek.js")


def _scripted(elem_id: str, name: str) -> gr.HTML:
    script = (HERE / name).read_text(encoding="utf-8")
    return gr.HTML(js_on_load=script, elem_id=elem_id, elem_classes="report")


def _wire(
    events: Events, choices: QuestionForm, shown: Shown, example: Any, heavy: dict[str, Any]
) -> None:
    running = [
        begins(
            events.check,
            inputs=[shown.panel.answered, *choices.components()],
            outputs=shown.components(),
            show_progress="hidden",
            api_visibility="private",
            **heavy,
        )
        # An example is analysed once the file component has it.
        for begins in (shown.analyse.click, example.success)
    ]
    shown.verdict.change(None, js=TO_WHAT_IS_NEW, queue=False, api_visibility="private")
    # First the end of the running event, then what is shown of it: else its last step could be
    # the last word.
    stopped = shown.cancel.click(
        None, cancels=running, queue=False, show_progress="hidden", api_visibility="private"
    )
    stopped.then(
        events.cancel,
        inputs=shown.panel.answered,
        outputs=shown.components(),
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    choices.file.change(
        events.put_aside,
        inputs=[shown.panel.answered, *choices.components()],
        outputs=shown.components(),
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def _wire_options(events: Events, choices: QuestionForm, shown: Shown) -> None:
    """That the options are not those of the answer is said when one is changed, also before the
    answer is there."""
    given: list[Any] = choices.components()
    changes = [one.change for one in given if one is not choices.file]
    gr.on(
        # The downloads come with the answer, whose own state has no event.
        [*changes, shown.files.change],
        events.compare_options,
        inputs=[shown.panel.answered, *given],
        outputs=shown.outdated,
        trigger_mode="always_last",
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def _wire_choices(events: Events, choices: QuestionForm, preview: gr.HTML) -> None:
    """What is shown and offered once a file was given: what fits its kind, and the plan."""
    part = choices.part
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    choices.file.change(
        events.inspect,
        inputs=choices.components(),
        outputs=[
            *(part.info, part.track, part.plan, preview),
            *(choices.frames, part.of_video, part.start, part.end),
        ],
        trigger_mode="always_last",  # of changes during an inspection only the last is inspected
        **quiet,
    )
    gr.on(
        [choices.frames.change, choices.exact.release, part.start.blur, part.end.blur],
        events.plan,
        inputs=[*choices.components(), part.info],
        outputs=part.plan,
        trigger_mode="always_last",
        queue=False,
        **quiet,
    )
