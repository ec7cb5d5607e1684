"""Everything that is taken from inside Gradio, in one place: a new version is checked here.

It keeps Gradio from decoding what visitors send: only a confined process may do that.

Gradio opens every picture with Pillow, and saves many anew, before an event receives them; where
ffmpeg is installed it probes every video that it shows, and converts some. And beside every
file that an event is given it leaves an empty one. And it puts two uploads of the same content in
one place, where the one who leaves first would delete the other's. For MCP clients it offers to
fetch addresses, which is forbidden here, names a tool that is not there, and answers in Python's
notation. Its page loses updates that follow each other quickly.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import gradio as gr
import gradio.mcp
from gradio import processing_utils, route_utils, routes, utils
from gradio.data_classes import FileData, ImageData, ListFiles
from gradio_client.utils import is_file_obj_with_meta, strip_invalid_filename_characters
from jinja2 import ChoiceLoader, DictLoader
from pydantic import BaseModel
from starlette.requests import Request


def as_uploaded(name: str) -> str:
    """A file's name as it is after an upload, without some of its characters."""
    return str(strip_invalid_filename_characters(name))


def patch_gradio(language_of: Callable[[Request], str]) -> None:
    """All that is changed inside Gradio before a page is built."""
    forbid_conversion()
    give_unopened()
    send_whole_values()
    part_uploads()
    describe_uploads_to_mcp()
    choose_locale(language_of)


def forbid_conversion() -> None:
    """Gradio finds no ffmpeg."""
    processing_utils.ffmpeg_installed = _never


def give_unopened() -> None:
    """Events are given the path of a file as it was sent, or a list of paths, and of a camera's
    picture its bytes.

    Of the classes: an update of a component, even an empty one, builds it anew from its class.
    """
    # A camera's picture has no path: it comes as a data URL.
    readers: list[tuple[Any, Callable[[Any], Any]]]
    readers = [(gr.File, _path_of), (gr.Video, _path_of), (gr.Image, _bytes_of)]
    for kind, read in readers:
        kind.preprocess = staticmethod(read)


def send_whole_values() -> None:
    """Each step of an event brings the values that changed as a whole.

    Gradio sends what changed inside a value, and its page applies that in place: where two steps
    follow each other quickly, to a value that was not shown yet. So a part of the answer's own step
    was lost: the verdict was beside a viewer of "so far", and the downloads stayed hidden.
    """
    utils.diff = _replacement


def _replacement(old: Any, new: Any) -> list[list[Any]]:
    return [] if old == new else [["replace", [], new]]


class _OwnPlace(route_utils.GradioUploadFile):
    """An upload whose folder is named by its content and by a number that is drawn for it."""

    def __init__(self, *values: Any, **more: Any) -> None:
        super().__init__(*values, **more)
        self.sha.update(secrets.token_bytes(16))  # 128 bits: no two are equal


def part_uploads() -> None:
    """Every upload is in a folder of its own, whatever else was sent."""
    # By `vars`: mypy rejects an assignment to a class of another module.
    vars(route_utils)["GradioUploadFile"] = _OwnPlace


HOW_TO_SEND = (
    "the path of an upload: POST the file to /gradio_api/upload of this server, as multipart "
    "form field `files`; the answer is a JSON list that contains its path"
)


class _McpServer(gradio.mcp.GradioMCPServer):
    """Takes files that were uploaded before the call, of any size that is accepted, as its schema
    states.

    A small file may also stand in the call itself, as a data URL.
    """

    @property
    def _file_data_tool_description(self) -> str:
        return f" A file is given by {HOW_TO_SEND}."

    def simplify_filedata_schema(
        self, schema: dict[str, Any]
    ) -> tuple[dict[str, Any], list[list[str | int]]]:
        simple, places = super().simplify_filedata_schema(schema)
        for place in places:
            node: Any = simple
            for key in ("properties", *place):
                node = node[key]
            node["format"] = HOW_TO_SEND
        return simple, places

    def convert_strings_to_filedata(
        self, value: Any, filedata_positions: list[list[str | int]]
    ) -> Any:
        """Only what was uploaded here is read: the call goes on through a client on this machine,
        which could send any file of it."""
        given = dict(value)
        for name in (str(place[0]) for place in filedata_positions):
            text = given.get(name)
            # A data URL is the file itself, and Gradio decodes it.
            if not isinstance(text, str) or text.startswith("data:"):
                continue
            path = unquote(text.rpartition("/gradio_api/file=")[2])
            if path not in self.blocks.upload_file_set:
                raise ValueError(f"{name} must be {HOW_TO_SEND}.")
            given[name] = {"path": path, "meta": {"_type": "gradio.FileData"}}
        return super().convert_strings_to_filedata(given, filedata_positions)

    def postprocess_output_data(self, data: Any, root_url: str) -> list[Any]:
        """Each output by itself: a file as its address, a picture also as such, all else as JSON.

        Gradio writes what Python prints of it, and all outputs of a queued request as one text.
        """
        queued = len(data) == 1 and isinstance(data[0], list | tuple)
        content: list[Any] = []
        for output in data[0] if queued else data:
            plain = output.model_dump() if isinstance(output, BaseModel) else output
            if is_file_obj_with_meta(plain):
                content += super().postprocess_output_data([plain], root_url)
            else:
                text = json.dumps(plain, ensure_ascii=False)
                content.append(self.types.TextContent(type="text", text=text))
        return content


def describe_uploads_to_mcp() -> None:
    """The schema for MCP clients states how a file is sent, and such files are accepted."""
    vars(gradio.mcp)["GradioMCPServer"] = _McpServer


START = "frontend/index.html"
# Gradio's scripts read the language from `navigator`; this one runs before them.
_EARLY = """<script>
for (const [name, value] of Object.entries({language: LOCALE, languages: [LOCALE]})) {
  Object.defineProperty(navigator, name, {get: () => value});
}
</script>"""


def choose_locale(language_of: Callable[[Request], str]) -> None:
    """The start page and Gradio's own widgets are in the language of the request.

    Gradio takes the browser's, which may be a language that this page does not have.
    """
    templates = routes.templates.env
    # Once per process: tests build several pages.
    if "locale_of" in templates.globals:
        return
    assert templates.loader is not None
    source = templates.loader.get_source(templates, START)[0]
    early = _EARLY.replace("LOCALE", "{{ locale_of(request) | tojson }}")
    changed = source.replace("<head>", f"<head>{early}", 1)
    changed = changed.replace('lang="en"', 'lang="{{ locale_of(request) }}"', 1)
    templates.globals["locale_of"] = lambda request: _LOCALES.get(
        language_of(request), language_of(request)
    )
    templates.loader = ChoiceLoader([DictLoader({START: changed}), templates.loader])


_LOCALES = {"zh": "zh-CN"}  # Gradio has no other name for it


def components(page: gr.Blocks) -> list[Any]:
    """Every component of a page, in the order in which they were made."""
    return list(page.blocks.values())


def events_of(page: gr.Blocks) -> list[Any]:
    """Every event of a page, with its function."""
    return list(page.fns.values())


def relabel(component: Any, name: str, text: Any) -> None:
    """Give a built component another label, placeholder or the like."""
    setattr(component, name, text)
    if name in component.constructor_args:  # an update builds the component anew from these
        component.constructor_args[name] = text


def shown_to(page: gr.Blocks, session: str) -> list[Any]:
    """The latest value of every component in a session, as Gradio keeps it with served paths."""
    if session not in page.state_holder:
        return []
    configs = page.state_holder.session_data[session].config_values.values()
    return [config.get("props", {}).get("value") for config in configs if config]


def _path_of(payload: FileData | ListFiles | None) -> str | list[str] | None:
    if isinstance(payload, ListFiles):
        return [file.path for file in payload]
    return None if payload is None else payload.path


def _bytes_of(payload: ImageData | None) -> bytes | None:
    """A camera's picture is in its address: data:image/jpeg;base64,...; empty where it does
    not."""
    if payload is None:
        return None
    head, _, content = (payload.url or "").partition(",")
    try:
        return base64.b64decode(content) if head.startswith("data:image/") else b""
    except binascii.Error:
        return b""


def _never() -> bool:
    return False
