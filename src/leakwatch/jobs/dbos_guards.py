"""Two guards around DBOS: what it may store, and what it may print. Imports `dbos` only when called."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import Any

from leakwatch import log

_logger = log.get("leakwatch.jobs")


def json_serializer() -> Any:
    """Return a serializer for DBOS that can hold plain data only: its own default runs code on reading (pickle)."""
    from dbos import Serializer

    class JsonSerializer(Serializer):
        def serialize(self, data: Any) -> str:
            return json.dumps(data, default=repr)

        def deserialize(self, serialized_data: str) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return json.loads(serialized_data)

        def name(self) -> str:
            return "leakwatch_json"

    return JsonSerializer()


class _ToOurLog(logging.Handler):
    """Sends what DBOS logs into our own stream, so that the daemon's output stays one kind of JSON lines."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):  # a log line must never fail a job
            _logger.warning(log.Event.ENGINE_WARNED, level=record.levelname.lower(), text=record.getMessage())


def quiet_logger() -> None:
    """Send DBOS's warnings into our log, and nothing below: INFO prints an advertisement line."""
    logger = logging.getLogger("dbos")
    if not any(isinstance(handler, _ToOurLog) for handler in logger.handlers):
        logger.addHandler(_ToOurLog())  # a handler that is there first keeps DBOS from adding its own
    logger.propagate = False
    logger.setLevel(logging.WARNING)
