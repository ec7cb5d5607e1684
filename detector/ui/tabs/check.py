"""The first tab: what the visitor gives, what is shown once there is an answer, and its wiring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from detector.language import mark
from detector.settings import MOST_FRAMES, PRESETS
from detector.ui import html
from detector.ui.events import Asked, Events, Shown
from detector.ui.gradio_patches import untouched
from detector.ui.greeting import greeting
from detector.ui.handlers import Detectors
from detector.ui.tabs.explain import build_panel, wire_panel
from detector.ui.tabs.part import Part, build_plan, build_stretch
from detector.ui.viewer import build_viewer

HERE = Path(__file__).parents[1]
EXAMPLES = HERE.parent.parent / "examples"
EXAMPLE_NAMES = [mark("Unaltered"), mark("Manipulated"), mark("Two people"), mark("No face")]
# On a phone the verdict would lie below the fold.
TO_THE_VERDICT = """() => {
  const answer = document.querySelector("#verdict .answer");
  if (answer && innerWidth < 820 && answer.dataset.shown !== "yes") {
    answer.dataset.shown = "yes";
    answer.scrollIntoView({block: "start"});
  }
}"""
_PRESET_NAMES = {
    "quick": mark("Quick"),
    "standard": mark("Standard"),
    "thorough": mark("Thorough"),
}
PRESET_LABELS = [(_PRESET_NAMES[name], name) for name in PRESETS]


def build_check(detectors: Detectors, heavy: dict[str, Any]) -> gr.State:
    """Add the tab's components to the page that is being built; `heavy` goes to long events.

    Returns what holds the visitor's answer, so that it can be forgotten."""
    with gr.Accordion(mark("Your video or picture"), open=True, elem_id="asked") as form:
        asked, analyse, example = _question(detectors)
    # Not in the form, which folds while the pictures are still drawn.
    cancel = gr.Button(mark("Cancel"), elem_id="cancel", visible=False)
    shown = _answer(form, analyse, cancel)
    _wire(Events(detectors, shown), asked, shown, example, heavy)
    wire_panel(detectors, shown.panel, shown.files, analyse, heavy)
    return shown.panel.answered


def _question(detectors: Detectors) -> tuple[Asked, gr.Button, Any]:
    """What the visitor gives: a video or a picture, and how closely to look; the button that
    begins, and the event of an example that was chosen."""
    kind = gr.State("video")
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=300):
            video, picture, example = _files(kind)
        with gr.Column(scale=5, min_width=300):
            return *_choices(detectors, kind, video, picture), example


def _files(kind: gr.State) -> tuple[gr.Video, gr.Image, Any]:
    """Where a file is dropped, or an example chosen, which is the event that comes last."""
    with gr.Tabs():
        with gr.Tab(mark("Video")) as video_tab:
            video = gr.Video(
                label=mark("Your video"),
                sources=["upload", "webcam"],
                include_audio=True,
                elem_id="upload",
            )
            examples = gr.Examples(
                [
                    [str(EXAMPLES / f"{name.lower().replace(' ', '_')}.mp4")]
                    for name in EXAMPLE_NAMES
                ],
                inputs=video,
                label=mark("Or try one of these"),
                example_labels=EXAMPLE_NAMES,
                api_visibility="private",
            )
        with gr.Tab(mark("Picture")) as picture_tab:
            picture = untouched(
                gr.Image(
                    label=mark("Your picture"),
                    type="filepath",
                    image_mode=None,  # else a picture of another mode is stored a second time
                    sources=["upload"],
                    height=280,
                )
            )
    for tab, name in ((video_tab, "video"), (picture_tab, "picture")):
        tab.select(lambda name=name: name, None, kind, queue=False, api_visibility="private")
    return video, picture, examples.load_input_event


def _choices(
    detectors: Detectors, kind: gr.State, video: gr.Video, picture: gr.Image
) -> tuple[Asked, gr.Button]:
    """How closely to look, and the button that begins."""
    frames = gr.Radio(
        PRESET_LABELS, value="standard", label=mark("How closely to look"), elem_id="frames"
    )
    track, info, plan = build_plan()
    with gr.Accordion(mark("Options"), open=False):
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
        heat = gr.Checkbox(True, label=mark("Show where the model looked"))
        names = list(detectors)
        model = gr.Dropdown(names, value=names[0], label=mark("Model"), visible=len(names) > 1)
    analyse = gr.Button(mark("Analyse"), variant="primary", elem_id="analyse")
    part = Part(start, end, track, info, plan)
    asked = Asked(kind, video, picture, frames, exact, threshold, people, heat, model, part)
    return asked, analyse


def _answer(form: gr.Accordion, analyse: gr.Button, cancel: gr.Button) -> Shown:
    """The verdict beside the viewer, and everything else that appears once there is an answer."""
    with gr.Row(equal_height=False, elem_id="result"):
        with gr.Column(scale=4, min_width=320):
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
            with gr.Column(scale=5, min_width=320):
                people = gr.HTML(elem_id="people", elem_classes="report")
        moments = _leading("moments")
        numbers = gr.HTML(elem_id="numbers", elem_classes="report")
        files = untouched(gr.Files(label=mark("Downloads"), interactive=False, elem_id="downloads"))
    texts = findings, people, moments, numbers, dispute
    return Shown(
        form, verdict, area, beside, drawing, viewer, panel, *texts, files, analyse, cancel
    )


def _leading(elem_id: str) -> gr.HTML:
    """HTML whose buttons move the viewer to the moment that they name (`seek.js`)."""
    return _scripted(elem_id, "seek.js")


def _scripted(elem_id: str, name: str) -> gr.HTML:
    script = (HERE / name).read_text(encoding="utf-8")
    return gr.HTML(js_on_load=script, elem_id=elem_id, elem_classes="report")


def _wire(events: Events, asked: Asked, shown: Shown, example: Any, heavy: dict[str, Any]) -> None:
    running = [
        begins(
            events.check,
            inputs=asked.components(),
            outputs=shown.components(),
            show_progress="hidden",
            api_visibility="private",
            **heavy,
        )
        for begins in (shown.analyse.click, example.success)
    ]
    shown.verdict.change(None, js=TO_THE_VERDICT, queue=False, api_visibility="private")
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
    part, quiet = asked.part, {"show_progress": "hidden", "api_visibility": "private"}
    gr.on(
        [asked.video.change, asked.picture.change, asked.kind.change],
        events.inspect,
        inputs=asked.components(),
        outputs=[part.info, part.track, part.plan],
        trigger_mode="always_last",
        **quiet,
    )
    gr.on(
        [asked.frames.change, asked.exact.release, part.start.blur, part.end.blur],
        events.plan,
        inputs=[*asked.components(), part.info],
        outputs=part.plan,
        trigger_mode="always_last",
        queue=False,
        **quiet,
    )
    gr.on(
        [asked.video.change, asked.picture.change, asked.kind.change],
        events.put_aside,
        inputs=[shown.panel.answered, *asked.components()],
        outputs=shown.components(),
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
