"""What the control API can reach, and the shape of its calls; the parts beside this file have the calls themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leakwatch.sandbox.faults import FaultBook
from leakwatch.sandbox.google.service import GoogleService
from leakwatch.sandbox.ledger import Ledger
from leakwatch.sandbox.microsoft.service import GraphService
from leakwatch.sandbox.stage import Stage

Body = dict[str, Any]


@dataclass(slots=True)
class Desk:
    """Everything the control API can reach, and the token that lets one to it."""

    stage: Stage
    google: GoogleService
    graph: GraphService
    book: FaultBook
    ledger: Ledger
    token: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its JSON body (empty without one), the parts of its path, its query."""

    body: Body
    path: Mapping[str, str]
    query: Mapping[str, str]


Handler = Callable[[Desk, Call], Any]
"""What answers a call: the answer's JSON. It raises StageError, or what the asked part raises, to answer 400."""
Route = tuple[str, str, Handler]
"""Verb, path and handler. Each part lists its own in `ROUTES`."""
