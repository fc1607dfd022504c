"""What `status` and `explain` tell of findings, from a store as the flows leave it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from finding_org import snapshot
from finding_sample import DAY, MONDAY, outcome, row, rule, run
from leakwatch.app.looking import status_of
from leakwatch.cli.words import status_lines
from leakwatch.flows.audit import audit
from leakwatch.store.database import open_engine
from leakwatch.store.findings import SqlFindingStore


class Desk:
    """A store of findings with the few other parts that looking needs."""

    def __init__(self, path: Any) -> None:
        self.engine = open_engine(path / "state.db", durable=False)
        SqlFindingStore.create_tables(self.engine)
        self.findings = SqlFindingStore(self.engine)
        self.runs_known: list[Any] = []
        self.parts: Any = SimpleNamespace(
            mirror_folder=path,
            settings=SimpleNamespace(writes=SimpleNamespace(capture=False, salesforce_task=True, chatter_post=False)),
            findings=self.findings,
            capture_status=SimpleNamespace(coverage=lambda: (), counts=dict, quarantined=lambda: ()),
            write_log=SimpleNamespace(refused=list),
            runs=SimpleNamespace(latest=lambda flow=None, limit=10: self.runs_known),
        )

    def audit(self, *rows: Any, day: int = 0, **changes: Any) -> None:
        now = MONDAY + day * DAY
        this = replace(run(run_id=f"run-{day}", at=now), finished_at=now)
        self.runs_known.insert(0, this)
        audit(
            run=this,
            rules=[rule()],
            outcomes=[outcome(*rows, **changes)],
            snapshot=snapshot(f"s{day}", this.started_at),
            store=self.findings,
            now=this.started_at,
        )


@pytest.fixture
def desk(tmp_path: Any) -> Any:
    found = Desk(tmp_path)
    yield found
    found.engine.dispose()


def test_status_names_the_rules_whose_findings_are_held_and_the_way_out(desk: Desk) -> None:
    desk.audit(row(1))
    assert status_of(desk.parts).rule_notes == {}
    desk.audit(population=0, day=1)
    found = status_of(desk.parts)
    assert found.held == 1
    words = "\n".join(status_lines(found, []))
    assert "held, because the last audit could not judge them: 1" in words
    assert "no record was seen, 1,000 on 2026-11-23" in words
    assert "--accept-shrunk" in words
