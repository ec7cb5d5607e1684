"""Examples to try: a row of small pictures, each of which is analysed on one click."""

from __future__ import annotations

import base64
import functools
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from detector.language import mark
from detector.render.overlay import shrink, to_jpeg
from detector.ui.greeting import greeting
from detector.ui.templates import piece
from detector.video import read_all

FOLDER = Path(__file__).parents[3] / "examples"
# File, caption, and what its picture shows.
EXAMPLES = (
    ("unaltered.mp4", mark("Unaltered"), mark("An astronaut in an orange suit")),
    ("manipulated.mp4", mark("Manipulated"), mark("The same astronaut")),
    ("two_people.mp4", mark("Two people"), mark("Two astronauts side by side")),
    ("no_face.mp4", mark("No face"), mark("Hills under a sun")),
    ("still.jpg", mark("Still picture"), mark("The astronaut in one picture")),
)
POSTER_SIDE = 240  # pixels of its long side: twice as many as are shown, for sharp screens
CHOOSE = """element.addEventListener('click', (event) => {
  const name = event.target.closest('button[data-name]')?.dataset.name;
  if (name) trigger('click', { name });
});"""


def build_examples(file: gr.File) -> Any:
    """Add the row; returns the event that has put the chosen example into `file`."""
    row = greeting(gr.HTML, shown_examples, js_on_load=CHOOSE, elem_id="examples")
    # Copies in Gradio's own folder, which are not deleted with a visitor's files.
    kept = {name: file.move_resource_to_block_cache(FOLDER / name) for name, *_ in EXAMPLES}
    file.keep_in_cache.update(kept.values())

    def choose(event: gr.EventData) -> Any:
        return kept.get(event.name) or gr.skip()

    return row.click(
        choose, None, file, queue=False, show_progress="hidden", api_visibility="private"
    )


def shown_examples() -> Markup:
    rows = [(name, caption, shows, poster(FOLDER / name)) for name, caption, shows in EXAMPLES]
    return piece("examples.html", rows=rows)


@functools.cache
def poster(path: Path) -> str:
    """The first frame as a small JPEG, in a data URL. Only for files of ours."""
    picture = to_jpeg(shrink(next(read_all(path)).image, POSTER_SIDE), quality=78)
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
