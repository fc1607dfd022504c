"""What a rule needs and what a snapshot holds: whether it can run, without what, and on which assumptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import duckdb

from leakwatch.model import Text
from leakwatch.rule_engine.load import LoadedRule

Label = Callable[[str, str | None], str]  # (table, column or None) -> its name in Salesforce
LeftOut = Mapping[tuple[str, str], Text]  # (table, column) -> why it can't be used


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a snapshot before any rule runs."""

    columns: Mapping[str, frozenset[str]]
    freshness: Mapping[str, datetime]
    notes: Sequence[tuple[str, str | None, Text]]  # table (or *), column (or None = all), what was assumed about it
    unreadable: Mapping[str, Text] = field(default_factory=dict[str, Text])  # table -> why
    left_out: LeftOut = field(default_factory=dict[tuple[str, str], Text])


def read_facts(connection: duckdb.DuckDBPyConnection, unreadable: Mapping[str, Text], left_out: LeftOut) -> Facts:
    """Return what the open snapshot says about itself, with what of its source could not be read."""
    columns: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    ).fetchall():
        columns.setdefault(table, set()).add(column)
    freshness: dict[str, datetime] = {}
    notes: list[tuple[str, str | None, Text]] = []
    if "lw_freshness" in columns:
        rows = connection.execute("SELECT table_name, fresh_until FROM lw_freshness").fetchall()
        freshness = {table: moment.replace(tzinfo=UTC) for table, moment in rows if moment is not None}
    if "lw_notes" in columns:
        rows = connection.execute("SELECT table_name, column_name, en, tr FROM lw_notes").fetchall()
        notes = [(table, column, Text(en=en, tr=tr)) for table, column, en, tr in rows]
    return Facts({table: frozenset(names) for table, names in columns.items()}, freshness, notes, unreadable, left_out)


def availability(
    loaded: LoadedRule, facts: Facts, label: Label
) -> tuple[Text | None, dict[str, frozenset[str] | None], list[Text]]:
    """Return why the rule can't run (or None), what optional data are missing, and what is assumed because of that."""
    lacking: list[str] = []
    reasons: list[Text] = []
    missing: dict[str, frozenset[str] | None] = {}
    assumed: list[Text] = []
    reads = loaded.reads
    for table, columns in sorted(reads.items()):
        if table in facts.unreadable:
            return facts.unreadable[table], {}, []
        optional = loaded.spec.optional.get(table)
        if table not in facts.columns:
            if table in loaded.spec.needs:
                lacking.append(label(table, None))
                continue
            missing[table] = None
            assumed.append((optional.assume if optional else None) or _not_there(label(table, None)))
            continue
        gone = columns - facts.columns[table]
        if not gone:
            continue
        told: Mapping[str, Text | None] = (optional.columns if optional else None) or {}
        if table in loaded.spec.needs:
            needed = [column for column in sorted(gone) if column not in told]
            reasons += [facts.left_out[table, column] for column in needed if (table, column) in facts.left_out]
            ways_out = loaded.spec.needs[table].without
            for column in (item for item in needed if (table, item) not in facts.left_out):
                if column in ways_out:
                    reasons.append(_named(ways_out[column], label(table, column)))
                else:
                    lacking.append(label(table, column))
        missing[table] = frozenset(gone)
        assumed += [
            _left_out(facts.left_out[table, column])
            if (table, column) in facts.left_out
            else told.get(column) or _not_there(label(table, column))
            for column in sorted(gone)
        ]
    if lacking:
        names = ", ".join(lacking)
        reasons.append(Text(en=f"not in the data: {names}", tr=f"veride yok: {names}"))
    if reasons:
        reasons = list(dict.fromkeys(reasons))
        return Text("; ".join(text.en for text in reasons), "; ".join(text.tr for text in reasons)), {}, []
    assumed += [
        text
        for table, column, text in facts.notes
        if table == "*" or (table in reads and column in (None, *reads[table]))
    ]
    return None, missing, assumed


def _named(text: Text, name: str) -> Text:
    return Text(text.en.replace("{name}", name), text.tr.replace("{name}", name))


def _not_there(name: str) -> Text:
    return Text(
        en=f"{name} is not in the data; the rule ran without it.", tr=f"{name} veride yok; kural onsuz çalıştı."
    )


def _left_out(reason: Text) -> Text:
    return Text(en=f"{reason.en}; the rule ran without it.", tr=f"{reason.tr}; kural onsuz çalıştı.")


def stale(
    loaded: LoadedRule, facts: Facts, as_of: datetime, label: Label, stale_after: timedelta | None
) -> Text | None:
    """Return which needed data are too old for anything to count as fixed or new, or None."""
    old: list[str] = []
    for table, need in loaded.spec.needs.items():
        fresh = facts.freshness.get(table)
        limits = [limit for limit in (need.fresh_within, stale_after if fresh else None) if limit is not None]
        if limits and (fresh is None or as_of - fresh > min(limits)):
            since = fresh.strftime("%Y-%m-%d %H:%M UTC") if fresh else "?"
            old.append(f"{label(table, None)} ({since})")
    if not old:
        return None
    names = ", ".join(old)
    return Text(
        en=f"Too old to say that anything is fixed or new: {names}. Findings are held.",
        tr=f"Bir şeyin düzeldiğini ya da yeni olduğunu söylemek için fazla eski: {names}. Bulgular bekletiliyor.",
    )
