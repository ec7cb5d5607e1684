"""The service's log: one JSON object a line, without file names and addresses."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

log = logging.getLogger("detector.service")
# Set where a request enters and handed on with the context; empty outside of a request.
request_id: ContextVar[str] = ContextVar("request_id", default="")


def note(event: str, **facts: str | float) -> None:
    """Log an event, with numbers and kinds only; the request's id is added."""
    log.info(event, extra={"facts": facts})


class JsonLines(logging.Formatter):
    """Time, level, event, request, and the facts of `note`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if request := request_id.get():
            line["request"] = request
        return json.dumps(line | getattr(record, "facts", {}))


def open_journal() -> None:
    """Write the service's events to standard error; until then they go nowhere."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    # Else the root logger would print every event a second time, not as JSON.
    log.propagate = False
