"""The Graph client on the emulated Graph, in this process and without a socket; time passes only by sleeping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx

from leakwatch.clients.limiter import GRAPH, Limiter
from leakwatch.clients.microsoft import GraphClient, GraphConnection
from leakwatch.clients.microsoft_mail import OutlookClient
from leakwatch.clients.retry import RetryPolicy
from leakwatch.sandbox.microsoft.app import build_app
from leakwatch.sandbox.microsoft.call import Reply
from sandbox.microsoft.tenant_desk import ANN, BOB, OLD, TenantDesk

NOW = datetime(2026, 3, 2, tzinfo=UTC)
GRAPH_URL = "https://graph.test"


class StillClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


class DeskTokens:
    """Tokens of the desk; a refused one is replaced."""

    def __init__(self, desk: TenantDesk) -> None:
        self.desk = desk
        self.token = desk.bearer.removeprefix("Bearer ")
        self.renewed = 0

    def get(self, *, refused: str | None = None) -> str:
        if refused == self.token:
            self.token = self.desk.token().removeprefix("Bearer ")
            self.renewed += 1
        return self.token

    def close(self) -> None: ...


class Wire(httpx.AsyncBaseTransport):
    """Graph in this process; answers put into `instead` come first."""

    def __init__(self, desk: TenantDesk) -> None:
        self.app = build_app(desk.graph, lambda _m, t: self.part_faults.pop(0) if self.part_faults else None)
        self.inner = httpx.ASGITransport(app=self.app)
        self.instead: list[httpx.Response] = []
        self.part_faults: list[Reply | None] = []
        self.seen: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return self.instead.pop(0) if self.instead else await self.inner.handle_async_request(request)


class Line:
    """A client, its clock and its wire."""

    def __init__(self, desk: TenantDesk) -> None:
        self.desk, self.clock, self.wire, self.tokens = desk, StillClock(), Wire(desk), DeskTokens(desk)
        self.graph = GraphClient(
            GraphConnection(GRAPH_URL), tokens=self.tokens, limiter=Limiter(self.clock, {"microsoft": GRAPH}),
            retry=RetryPolicy(self.clock.sleep), wall=self.clock, transport=self.wire,
        )  # fmt: skip
        self.graph.allow({one: str(desk.tenant.find(one)["id"]) for one in (ANN, BOB, OLD)})  # type: ignore[index]
        self.mail = OutlookClient(self.graph)
