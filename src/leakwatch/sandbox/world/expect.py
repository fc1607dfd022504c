"""The world's ground truth as of an instant, with record ids instead of references."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from leakwatch.sandbox.clock import format_instant
from leakwatch.sandbox.world.model import Json, World, instant


def _in_force(item: Json, now: datetime) -> bool:
    since = item.get("from")
    until = item.get("until")
    return (since is None or instant(since) <= now) and (until is None or instant(until) > now)


def truth_now(world: World, now: datetime, refs: Mapping[str, str]) -> dict[str, Any]:
    """Findings that began by now (with whether they are still open), decoys, captures in force."""
    findings: list[Json] = []
    for item in world.truth.get("findings", []):
        if instant(item["from"]) > now:
            continue
        until = item.get("until")
        is_open = until is None or instant(until) > now
        findings.append(item | {"record_id": refs.get(item.get("record", "")), "open": is_open})
    decoys = [item | {"record_id": refs.get(item["record"])} for item in world.truth.get("decoys", [])]
    told: Json = {"as_of": format_instant(now), "findings": findings, "decoys": decoys}
    for kind in ("captures", "meetings"):
        items = [item for item in world.truth.get(kind, []) if _in_force(item, now)]
        told[kind] = [item | _ids(item, refs) for item in items]
    return told


def _ids(item: Json, refs: Mapping[str, str]) -> Json:
    """The ids behind the references of an expectation."""
    ids: Json = {"who_ids": [refs[ref] for ref in item.get("who", [])]}
    return ids | {f"{name}_id": refs[item[name]] for name in ("what", "owner") if item.get(name)}


def world_card(world: World, refs: Mapping[str, str]) -> dict[str, Any]:
    """What an admin of this company would tell leakwatch, and what a test wants to look up."""
    return {
        "name": world.name,
        "seed": world.seed,
        "start": format_instant(world.start),
        "days": world.days,
        "audit_time": world.audit_time,
        "company": world.company,
        "stages": world.stages,
        "lead_statuses": world.lead_statuses,
        "meanings": world.meanings,
        "capture": world.capture,
        "users": [user | {"id": refs.get(user["ref"])} for user in world.users],
        "queues": [queue | {"id": refs.get(queue["ref"])} for queue in world.queues],
        "refs": dict(refs),
    }
