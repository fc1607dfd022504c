"""Rules that an admin declared: validation rules and duplicate rules, as data (docs/world-format.md, "Rules").

They are kept with the org's state, so a saved state brings its own. Validation rules run after the org's own
checks and before duplicate rules (Apex guide, "Triggers and Order of Execution").
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from leakwatch.sandbox.org.automation.conditions import check, holds
from leakwatch.sandbox.org.engine import Change, Engine, Row
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.indexes import folded, quote
from leakwatch.sandbox.org.schema import Schema, SObject
from leakwatch.sandbox.org.store import Store, row_dict

Body = Mapping[str, Any]
KINDS = ("validation_rules", "duplicate_rules")
DUPLICATE = "You're creating a duplicate record. We recommend you use an existing record instead."
"""The text of a duplicate rule that says nothing else, as real orgs answer it."""
RESULT_SPELLED_RIGHT_SINCE = 52.0
"""Real answers of v50 and v51 spell the key `duplicateResut`; since which version they don't is unverified."""
_NOTE = "declared"
_VALIDATION = {"name", "object", "when", "message", "field", "active"}
_DUPLICATE = {"name", "object", "match", "against", "action", "message", "active"}


class Declared:
    """The declared rules of one org."""

    def __init__(self, store: Store, schema: Schema) -> None:
        self._store = store
        self._schema = schema
        self._rules: dict[str, list[Row]] = {kind: [] for kind in KINDS} | json.loads(store.note(_NOTE) or "{}")

    def as_json(self) -> dict[str, list[Row]]:
        """The rules as they were declared."""
        return self._rules

    def replace(self, changes: Body) -> None:
        """Set `validation_rules`, `duplicate_rules` or both; ValueError where one is none, and nothing changes."""
        unknown = sorted(changes.keys() - set(KINDS))
        if unknown:
            raise ValueError(f"{unknown[0]!r} are no rules; what there is: {', '.join(KINDS)}")
        checked = {kind: [self._checked(kind, rule) for rule in rules] for kind, rules in changes.items()}
        rules = self._rules | checked
        with self._store.transaction():
            self._store.set_note(_NOTE, json.dumps(rules))
        self._rules = rules

    def _checked(self, kind: str, rule: Any) -> Row:
        body = dict(cast(Body, rule)) if isinstance(rule, Mapping) else {}
        known, needed = (_VALIDATION, ("when", "message")) if kind == "validation_rules" else (_DUPLICATE, ("match",))
        name = body.get("name")
        for key in ("name", "object", *needed):
            if not body.get(key):
                raise ValueError(f"{kind}: the rule {name!r} needs {key!r}")
        if more := sorted(body.keys() - known):
            raise ValueError(f"{kind}: the rule {name!r} has an unknown key {more[0]!r}")
        sobject = self._object(body["object"])
        body["object"] = sobject.name
        if kind == "validation_rules":
            check(body["when"], sobject)
            _check_fields(sobject, [body["field"]] if body.get("field") else [])
            return body
        if body.get("action", "block") not in ("block", "allow"):
            raise ValueError(f"{kind}: the action of {name!r} is 'block' or 'allow', not {body['action']!r}")
        for other in (sobject, *map(self._object, body.get("against", ()))):
            _check_fields(other, body["match"])
        return body

    def _object(self, name: Any) -> SObject:
        found = self._schema.find(str(name))
        if found is None:
            raise ValueError(f"there is no object {name!r}")
        return found

    # -- when a row is written ------------------------------------------------------------------------

    def check(self, engine: Engine, change: Change) -> None:
        """Refuse a row that breaks rules: all validation rules it breaks are named, or else the duplicate rule."""
        name = change.sobject.name
        broken = [rule for rule in self._of("validation_rules", name) if holds(rule["when"], change)]
        if broken:
            errors = [_refusal(rule) for rule in broken]
            errors[0].others = errors[1:]
            raise errors[0]
        for rule in self._of("duplicate_rules", name):
            if change.changed(*rule["match"]):
                self._duplicates(engine, change, rule)

    def _of(self, kind: str, sobject: str) -> Iterable[Row]:
        return (rule for rule in self._rules[kind] if rule["object"] == sobject and rule.get("active", True))

    def _duplicates(self, engine: Engine, change: Change, rule: Row) -> None:
        may_save = rule.get("action", "block") == "allow"
        values = [change.row.get(field) for field in rule["match"]]
        if any(value is None for value in values) or (may_save and change.caller.save_duplicates):
            return
        results: list[Row] = []
        for other in rule.get("against") or [change.sobject.name]:
            target = engine.object(other)
            found = _same(engine.store, target, dict(zip(rule["match"], values, strict=True)), change.row.get("Id"))
            if found:
                results.append(_result(change, target, found, rule))
        if not results:
            return
        said = rule.get("message") or DUPLICATE
        whole = {
            "allowSave": may_save,
            "duplicateRule": rule["name"],
            "duplicateRuleEntityType": change.sobject.name,
            "errorMessage": said,
            "matchResults": results,
        }
        error = bad("DUPLICATES_DETECTED", said)
        spelled_right = float(change.caller.version) >= RESULT_SPELLED_RIGHT_SINCE
        error.extra = {"duplicateResult" if spelled_right else "duplicateResut": whole}
        raise error


def _refusal(rule: Row) -> OrgError:
    named = [rule["field"]] if rule.get("field") else []
    return bad("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule["message"], *named)


def _check_fields(sobject: SObject, names: Iterable[str]) -> None:
    for name in names:
        if name not in sobject.fields:
            raise ValueError(f"{sobject.name} has no field {name!r}")


def _same(store: Store, target: SObject, wanted: Row, own_id: Any) -> list[Row]:
    """Living rows with the same values; texts without regard to case."""
    tests = [
        f"sf_fold({quote(name)}) = sf_fold(?)" if folded(target.fields[name]) else f"{quote(name)} = ?"
        for name in wanted
    ]
    alive = ["IsDeleted = 0"] if target.has_bin else []
    where = " AND ".join([*tests, *alive, "Id IS NOT ?"])
    sql = f"SELECT * FROM {quote(target.name)} WHERE {where} ORDER BY Id"
    return [row_dict(row) for row in store.execute(sql, (*wanted.values(), own_id))]


def _result(change: Change, target: SObject, found: list[Row], rule: Row) -> Row:
    shown = [name for name in (target.fields if change.caller.show_duplicates else ("Id",)) if name in found[0]]
    root = f"/services/data/v{change.caller.version}/sobjects/{target.name}/"
    records = [
        {"attributes": {"type": target.name, "url": root + row["Id"]}, **{name: row[name] for name in shown}}
        for row in found
    ]
    return {
        "entityType": target.name,
        "errors": [],
        "matchEngine": "ExactMatchEngine",
        "matchRecords": [
            {"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0, "record": record}
            for record in records
        ],
        "rule": rule["name"],
        "size": len(found),
        "success": True,
    }
