"""Promises that only the whole shows: what is nowhere on disk or in the logs, and that figures can be traced."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from leakwatch import log
from leakwatch.clients.google import GoogleClient
from leakwatch.clients.salesforce import SalesforceClient
from system.cli_stage import Desk

ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+\w")
SHORT = 12  # characters; shorter sentences of mails may be part of other words


def left_behind(desk: Desk) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(desk.folder.rglob("*")) if path.is_file())


def test_no_body_no_excluded_subject_and_no_secret_is_on_disk_or_in_the_logs(
    fresh: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: set[str] = set()
    mint, login = GoogleClient.mint, SalesforceClient._login

    def minted(client: GoogleClient, *told: Any) -> Any:
        answer = mint(client, *told)
        tokens.add(answer[0])
        return answer

    def logged_in(client: SalesforceClient) -> Any:
        session = login(client)
        tokens.add(str(session.session_id))
        return session

    monkeypatch.setattr(GoogleClient, "mint", minted)
    monkeypatch.setattr(SalesforceClient, "_login", logged_in)
    talkative = log.configure
    monkeypatch.setattr(log, "configure", lambda **_: talkative(level="INFO", json=True))
    said = [fresh.run(verb) for verb in ("sync", "audit", "act", "report")]
    assert [one.code for one in said] == [0, 0, 0, 0]
    assert len(tokens) > 2

    world = json.loads((fresh.company.folder / "sandbox" / "world.json").read_text(encoding="utf-8"))
    mails = [mail for mail in world["mails"] if mail["at"] <= fresh.now.isoformat()]
    seen = b"\n".join([left_behind(fresh), *(part.encode() for one in said for part in (one.out, one.err))])
    assert any(mail["subject"].encode() in seen for mail in mails), (
        "subjects are stored: this test looks where they are"
    )
    bodies = {mail["text"] for mail in mails if len(mail.get("text") or "") >= SHORT} - {m["subject"] for m in mails}
    assert len(bodies) > 5
    assert [text for text in bodies if text.encode() in seen] == []
    assert log.Event.TABLE_REFRESHED in said[0].err
    outside = {address for address in ADDRESS.findall(json.dumps(mails)) if "karadeniz" not in address}
    assert len(outside) > 20
    assert [address for address in outside if any(address in one.err for one in said)] == []
    private = {mail["subject"] for mail in mails if "[Gizli]" in mail["subject"] or "[Confidential]" in mail["subject"]}
    assert private
    assert [subject for subject in private if subject.encode() in seen] == []
    assert [token[:4] for token in tokens if token.encode() in seen] == []
    keys = [
        fresh.company.folder / "sandbox" / name for name in ("salesforce-client.key", "google-service-account.json")
    ]
    secrets = [line for key in keys for line in key.read_text().replace("\\n", "\n").splitlines() if len(line) == 64]
    assert len(secrets) > 20
    assert [line[:4] for line in secrets if line.encode() in seen] == []


def test_each_figure_of_the_report_follows_from_its_findings_and_these_from_rows_of_the_snapshot_it_names(
    desk: Desk,
) -> None:
    assert desk.run("mirror").code == 0
    assert desk.run("audit").code == 0
    report = desk.run("report", "--json").data
    versions = {rule["id"]: rule["version"] for rule in report["rules"]}
    standing = [found for found in report["findings"] if found["counted"]]
    assert standing

    snapshot: Path = desk.folder / "state" / "mirror" / "snapshots" / f"{report['snapshot']['id']}.duckdb"
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        for found in standing:
            assert found["rule_version"] == versions[found["rule_id"]]
            query = f"SELECT owner_id FROM sf_{found['sobject'].lower()} WHERE id = ? AND NOT is_deleted"
            assert connection.execute(query, [found["record_id"]]).fetchall() == [(found["owner_id"],)]

    largest: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(dict)
    for found in standing:
        if found["impact"] is not None and not found["process"]:
            sums = largest[found["impact_kind"], found["currency"]]
            size = abs(Decimal(found["impact"]))
            sums[found["record_id"]] = max(size, sums.get(found["record_id"], Decimal(0)))
    told = {
        (kind, entry["currency"]): (Decimal(entry["amount"]), entry["records"])
        for kind in ("at_risk", "lost", "deviation")
        for entry in report["kpis"][kind]
    }
    assert told == {place: (sum(sums.values()), len(sums)) for place, sums in largest.items()}
    assert report["kpis"]["findings"] == len(standing)
