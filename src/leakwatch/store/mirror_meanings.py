"""What stages and statuses mean: from the org's own metadata and the configuration, never from labels in rule SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leakwatch.core.names import label_key
from leakwatch.store.mirror_build import Build

OWN_ALERT_PREFIX = "lw1:f:"  # Leakwatch_Key__c of Tasks that leakwatch itself raised for a finding
# Salesforce and Platform licences, admins included. Every other UserType may be a customer or partner: portals and
# communities (PowerPartner, CSPLitePortal, CustomerSuccess, PowerCustomerSuccess), Chatter Free and External (CsnOnly),
# or nobody (Guest, AutomatedProcess). Object Reference, "User". Employees among them are known by their mail domain.
STANDARD_USER = "Standard"

Flags = tuple[bool | None, bool | None]  # is closed, is won


def map_stages(build: Build) -> None:
    """Make `lw_stage_map`: each (stage_name, is_closed, is_won) found on deals with its meaning or NULL."""
    table = "sf_opportunity"
    kinds = {"stage_name": "VARCHAR", "is_closed": "BOOLEAN", "is_won": "BOOLEAN"}
    select = ", ".join(build.column(table, name, kind) for name, kind in kinds.items())
    found = build.run(f"SELECT {select}, count(*) FROM main.{table} AS t GROUP BY ALL ORDER BY 4 DESC, 1, 2, 3")
    flags, aliases = _stage_metadata(build)
    roles = build.config.opportunity
    told = _by_label(roles.stage_meanings)
    usual = _by_label(roles.stage_meanings_without_flags)
    rows: list[tuple[object, ...]] = []
    unknown: dict[str, int] = {}
    guessed = False
    for name, is_closed, is_won, count in found:
        label = str(name) if name is not None else ""
        own = (_flag(is_closed), _flag(is_won))
        meaning = _first(told, aliases.get(label_key(label), (label,)))
        if meaning is None:
            meaning = _from_flags(flags.get(label_key(label), (None, None))) or _from_flags(own)
        if meaning is None:
            meaning = _first(usual, (label,))
            guessed = guessed or meaning is not None
        if meaning is None:
            unknown[label] = unknown.get(label, 0) + int(str(count))
        rows.append((name, is_closed, is_won, meaning))
    build.map_table("lw_stage_map", "stage_name VARCHAR, is_closed BOOLEAN, is_won BOOLEAN, meaning VARCHAR", rows)
    _tell(build, unknown, guessed=guessed)


def _tell(build: Build, unknown: Mapping[str, int], *, guessed: bool) -> None:
    if guessed:
        build.assume(
            "sf_opportunity", "stages_by_label",
            "Neither OpportunityStage nor IsClosed and IsWon say what the stages mean; they are read by their labels"
            " (stage_meanings_without_flags in mirror.yaml).",
            "Aşamaların anlamını ne OpportunityStage ne de IsClosed ve IsWon söylüyor; etiketlerine göre yorumlandı"
            " (mirror.yaml içinde stage_meanings_without_flags).",
            column="stage_meaning",
        )  # fmt: skip
    if unknown:
        names = ", ".join(f"“{name}”" if name else "(empty)" for name in list(unknown)[:5])
        more = f" (+{len(unknown) - 5})" if len(unknown) > 5 else ""
        total = sum(unknown.values())
        build.assume(
            "sf_opportunity", "stage_unknown",
            f"{total} deals are in stages whose meaning is not known: {names}{more}. They are left out; name these"
            " stages under stage_meanings in mirror.yaml.",
            f"{total} fırsat, anlamı bilinmeyen aşamalarda: {names}{more}. Denetim dışı kaldılar; bu aşamaları"
            " mirror.yaml içinde stage_meanings altında tanımlayın.",
            column="stage_meaning",
            warning=True,
        )  # fmt: skip


def _stage_metadata(build: Build) -> tuple[dict[str, Flags], dict[str, tuple[str, ...]]]:
    """Return flags and all names of each stage that OpportunityStage lists, by label key."""
    flags: dict[str, Flags] = {}
    aliases: dict[str, tuple[str, ...]] = {}
    if not build.has("sf_opportunity_stage"):
        return flags, aliases
    kinds = {"api_name": "VARCHAR", "master_label": "VARCHAR", "is_closed": "BOOLEAN", "is_won": "BOOLEAN"}
    select = ", ".join(build.column("sf_opportunity_stage", name, kind) for name, kind in kinds.items())
    for api_name, label, is_closed, is_won in build.run(f"SELECT {select} FROM main.sf_opportunity_stage AS t"):
        names = tuple(str(name) for name in (api_name, label) if name)
        for name in names:
            flags[label_key(name)] = (_flag(is_closed), _flag(is_won))
            aliases[label_key(name)] = names
    return flags, aliases


def _from_flags(flags: Flags) -> str | None:
    closed, won = flags
    if won:
        return "won"
    if closed is False:
        return "open"
    return "lost" if closed and won is False else None


def map_lead_statuses(build: Build) -> None:
    """Make `lw_lead_map`: each lead status that ends a lead, with the meaning `closed`."""
    if not build.has("sf_lead", "status"):
        build.map_table("lw_lead_map", "status VARCHAR, meaning VARCHAR", [])
        return
    closed = {label_key(label) for label in build.config.closed_lead_statuses}
    if build.has("sf_lead_status", "is_converted"):
        names = ", ".join(build.column("sf_lead_status", name, "VARCHAR") for name in ("api_name", "master_label"))
        for api_name, label in build.run(f"SELECT {names} FROM main.sf_lead_status AS t WHERE t.is_converted"):
            closed |= {label_key(str(name)) for name in (api_name, label) if name}
    found = build.run("SELECT DISTINCT status FROM main.sf_lead WHERE status IS NOT NULL ORDER BY 1")
    rows = [(status, "closed") for (status,) in found if label_key(str(status)) in closed]
    build.map_table("lw_lead_map", "status VARCHAR, meaning VARCHAR", rows)


def map_task_statuses(build: Build) -> None:
    """Make `lw_task_map`: each task status found, with whether it means done."""
    if not build.has("sf_task", "status"):
        build.map_table("lw_task_map", "status VARCHAR, done BOOLEAN", [])
        return
    done = {label_key(label): True for label in build.config.closed_task_statuses}
    if build.has("sf_task_status", "is_closed"):
        names = ", ".join(build.column("sf_task_status", name, "VARCHAR") for name in ("api_name", "master_label"))
        for api_name, label, closed in build.run(f"SELECT {names}, t.is_closed FROM main.sf_task_status AS t"):
            done |= {label_key(str(name)): bool(closed) for name in (api_name, label) if name}
    found = build.run("SELECT DISTINCT status FROM main.sf_task WHERE status IS NOT NULL ORDER BY 1")
    rows = [(status, done.get(label_key(str(status)), False)) for (status,) in found]
    build.map_table("lw_task_map", "status VARCHAR, done BOOLEAN", rows)


def _by_label(meanings: Mapping[str, Iterable[str]]) -> dict[str, str]:
    return {label_key(label): meaning for meaning, labels in meanings.items() for label in labels}


def _first(meanings: Mapping[str, str], labels: Iterable[str]) -> str | None:
    return next((meanings[label_key(label)] for label in labels if label_key(label) in meanings), None)


def _flag(value: object) -> bool | None:
    return None if value is None else bool(value)
