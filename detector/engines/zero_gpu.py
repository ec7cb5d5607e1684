"""Hugging Face's ZeroGPU, where a GPU is available for the length of one call.

`spaces.GPU` forks a child of the process that calls, gives it a GPU, sends it the arguments and
takes the answer back. Our networks live in the worker process (`service.worker`), spawned by the
server, so that child is the worker's: it inherits the networks and moves its own copy to the GPU.
The server has nothing to fork; it only declares at its start that the Space does such calls, as
ZeroGPU demands of the process that serves the page. Decoding, face finding and everything but the
network's passes stay on the CPU, and outside ZeroGPU nothing here does anything.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable
from typing import Any, TypeVar

log = logging.getLogger(__name__)

VARIABLE = "SPACES_ZERO_GPU"  # set by the platform
SECONDS = 30
"""What one call requests of a visitor's quota; the unused part is given back."""

Answer = TypeVar("Answer")


def on_zero_gpu() -> bool:
    """Whether this is such a Space, with the package that allocates the GPU."""
    on_zero = os.environ.get(VARIABLE, "").lower() in ("1", "t", "true")
    return on_zero and importlib.util.find_spec("spaces") is not None


def on_gpu(there: Callable[..., Answer], here: Callable[..., Answer]) -> Callable[..., Answer]:
    """`there`, run with an allocated GPU; where there is none, as when a visitor's quota is used
    up, `here`. Arguments and answer are pickled. Outside ZeroGPU it is `here`."""
    if not on_zero_gpu():
        return here
    import spaces
    from gradio import Error

    allocated = spaces.GPU(there, duration=SECONDS)

    def call(*arguments: Any) -> Answer:
        try:
            answer: Answer = allocated(*arguments)
        except Error as error:
            log.warning("No GPU was allocated (%s), so the CPU computes.", error)
            return here(*arguments)
        return answer

    return call


def declare() -> None:
    """In the process that serves the page, before it does: this Space uses GPUs by the call."""
    if on_zero_gpu():
        import spaces

        spaces.GPU(_declared)


def _declared() -> None:
    """Never called: the worker's calls are what borrows."""
