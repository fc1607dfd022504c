"""Custom objects, fields and permission sets brought into a running org; their compact forms are `deploy`'s."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org import deploy, metadata
from leakwatch.sandbox.org.automation import persons
from leakwatch.sandbox.org.schema import read_field

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org


def deploy_project(org: Org, folder: Path) -> list[str]:
    """Deploy an SFDX project, and say what could not be deployed as written; refuses as `Org.deploy` does."""
    project = metadata.read_project(Path(folder))
    deploy.check(org.schema, project)
    notes = list(project.notes)
    currency = org.settings.currency if org.settings.multicurrency else None
    for raw in deploy.objects(project, org.store.prefixes(), currency):
        org.store.add_object(raw)
    for one in project.fields:
        notes += add_field(org, one.sobject, one.spec)
    with org.store.transaction():
        for name, granted in project.permission_sets.items():
            org.store.set_note(f"permission_set:{name}", json.dumps(granted, sort_keys=True))
        stamp(org)
    return notes


def add_field(org: Org, sobject: str, spec: Mapping[str, Any]) -> list[str]:
    """Add a custom field as the Metadata API describes it, and say what could not be added as described."""
    notes: list[str] = []
    with org.store.transaction():
        for target in deploy.targets(org.schema, sobject):
            raw = deploy.compact(spec)
            if target == "EmailMessage" and "Q" in raw["f"] and not org.settings.email_message_key_unique:
                raw["f"] = raw["f"].replace("Q", "")
                notes.append(f"{target}.{raw['n']}: this org allows no unique field here; it is not unique")
            org.store.add_field(target, read_field(raw), raw)
            if target == "Contact" and org.settings.person_accounts:
                shown = persons.mirrored(raw)
                org.store.add_field("Account", read_field(shown), shown)
        stamp(org)
    return notes


def permission_set(org: Org, name: str) -> dict[str, list[dict[str, Any]]] | None:
    """What a deployed permission set grants; None without it."""
    kept = org.store.note(f"permission_set:{name}")
    return json.loads(kept) if kept else None


def redeploy_keys(org: Org, sobject: str, *, unique: bool) -> None:
    """Make the deployed external ids of an object unique, or not."""
    with org.store.transaction():
        for row in org.store.execute("SELECT spec FROM _field WHERE sobject = ?", (sobject,)).fetchall():
            raw = json.loads(row["spec"])
            if "X" in raw["f"]:
                raw["f"] = raw["f"].replace("Q", "") + ("Q" if unique else "")
                org.store.add_field(sobject, read_field(raw), raw)


def stamp(org: Org) -> None:
    """Note that describe is not the same any more since now."""
    org.store.set_note("deployed", org.now_text())
