"""The small language of validation rules: conditions on the fields of one record, as JSON.

    {"all": [{"field": "StageName", "is": "Lost"}, {"field": "Loss_Reason__c", "blank": true}]}

`all`, `any` and `not` join conditions; `{"new": true}` is true while a record is created. What a field is
compared with is a value, or another field of the record: `{"field": "Amount", "above": {"field": "Budget__c"}}`.
Texts compare with their case, as in Salesforce's formulas; dates and instants are texts that sort as they should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from leakwatch.sandbox.org.engine import Change
from leakwatch.sandbox.org.schema import NUMBER_TYPES, SObject

Body = Mapping[str, Any]
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "below": lambda a, b: a < b,
    "above": lambda a, b: a > b,
    "at_most": lambda a, b: a <= b,
    "at_least": lambda a, b: a >= b,
}
_YES_OR_NO = ("blank", "changed")
TESTS = ("is", "is_not", "in", "contains", *_YES_OR_NO, *_ORDERS)


def check(condition: Any, sobject: SObject) -> None:
    """Refuse (ValueError) what is no condition on this object's records."""
    for name, test, wanted in _leaves(condition):
        kind = _kind(sobject, name)
        if test in _YES_OR_NO:
            good = isinstance(wanted, bool)
        elif other := _other(wanted):
            good = _kind(sobject, other) is kind and test != "in"
        elif test == "in":
            good = isinstance(wanted, list) and all(_fits(one, kind) for one in cast(list[Any], wanted))
        else:
            good = _fits(wanted, kind) and not (kind is bool and test in _ORDERS)
        if not good:
            raise ValueError(f"{sobject.name}.{name} can't be compared: {test} {wanted!r}")


def _leaves(condition: Any) -> Iterator[tuple[str, str, Any]]:
    """Every single test: field, test, what it is compared with."""
    if not isinstance(condition, Mapping):
        raise ValueError(f"a condition is an object, not {condition!r}")  # noqa: TRY004  one kind for all
    body = cast(Body, condition)
    tests = [key for key in body if key != "field"]
    if set(body) in ({"all"}, {"any"}) and isinstance(body[tests[0]], list):
        for part in body[tests[0]]:
            yield from _leaves(part)
    elif set(body) == {"not"}:
        yield from _leaves(body["not"])
    elif set(body) != {"new"} or not isinstance(body["new"], bool):
        if not isinstance(body.get("field"), str) or len(tests) != 1 or tests[0] not in TESTS:
            known = ", ".join(TESTS)
            raise ValueError(f"a condition is all, any, not, new, or a field and one of {known}; not {dict(body)!r}")
        yield str(body["field"]), tests[0], body[tests[0]]


def _kind(sobject: SObject, name: str) -> type:
    field = sobject.fields.get(name)
    if field is None or not field.stored:
        raise ValueError(f"{sobject.name} has no field {name!r}")
    return bool if field.type == "boolean" else float if field.type in NUMBER_TYPES else str


def _fits(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind)


def _other(wanted: Any) -> str:
    """The field a value is taken from."""
    return str(cast(Body, wanted).get("field", "")) if isinstance(wanted, Mapping) else ""


def holds(condition: Body, change: Change) -> bool:
    """Whether a checked condition is true of the record as it will be."""
    match next(key for key in condition if key != "field"), condition:
        case "all", {"all": parts}:
            return all(holds(one, change) for one in parts)
        case "any", {"any": parts}:
            return any(holds(one, change) for one in parts)
        case "not", {"not": part}:
            return not holds(part, change)
        case "new", {"new": wanted}:
            return change.creating is wanted
        case test, _:
            return _test(test, condition[test], str(condition["field"]), change)


def _test(test: str, wanted: Any, name: str, change: Change) -> bool:
    value = _value(change, name)
    if other := _other(wanted):
        wanted = _value(change, other)
    match test:
        case "is":
            return value == wanted
        case "is_not":
            return value != wanted
        case "in":
            return value in wanted
        case "contains":
            return value is not None and wanted is not None and str(wanted) in str(value)
        case "blank":
            return (value is None) is wanted
        case "changed":
            return (not change.creating and change.changed(name)) is wanted
        case _:
            return value is not None and wanted is not None and _ORDERS[test](value, wanted)


def _value(change: Change, name: str) -> Any:
    """A field's value as conditions compare it: booleans as such, all else as it is kept."""
    value = change.row.get(name)
    return bool(value) if change.sobject.fields[name].type == "boolean" else value
